"""The words every feature shares: money, mass, currency, numbers and how they are written in each
language, text, ids, time, errors.

Everything here is pure: standard library and msgspec only, no I/O, no clock, no randomness.
"""
