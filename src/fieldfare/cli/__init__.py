"""The command line: `fieldfare`, one module for each command; the only layer that prints.

A module is loaded when its command is called (`cli.main`), and says at once how it is called: what
does the work (services, drivers, servers) is loaded by the functions that do it, or stands in a
module of its own (`cli.checks`, `cli.erasing`, `cli.refunding`, `cli.serving`).
"""
