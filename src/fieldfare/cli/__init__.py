"""The command line: `fieldfare`, one module for each command; the only layer that prints."""
