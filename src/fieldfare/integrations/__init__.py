"""The systems of others that the product talks to, and typst: each a small port and its adapters.

What must hold: nothing here is used while a transaction is open, every call ends within a time that
is written down, and what went wrong comes back as one of few errors that say whether to try again.
"""
