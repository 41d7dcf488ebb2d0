"""What an account's orders add up to, and where that puts it among all others."""

from decimal import Decimal

import msgspec


class Place(msgspec.Struct, frozen=True):
    """Where an account stands among all that have any certified mass."""

    rank: int
    """1 + the accounts with more."""
    percentile: Decimal
    """100 × accounts with no more ÷ accounts with any, two decimals."""


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """An account's certified and external-standard mass, less refunds, and its place."""

    certified_mg: int
    place: Place | None
    """None if there is no mass."""
