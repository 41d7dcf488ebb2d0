"""What is shown of impact: an account's totals, and the feed that everybody sees."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

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


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """The public feed, ready to be sent."""

    body: bytes
    etag: str
    """With its quotes; the same for the same body."""
    built_at: datetime


class FeedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One order of the public feed; without `group_id`, which is not for the public."""

    id: str
    """Tells nothing of the order, and is the same in every build."""
    group_id: str
    name: str
    image_url: str | None
    profile_url: str | None
    portfolio_id: int | None
    portfolio_name: str
    mass_mg: int
    created_at: datetime


class HiddenOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that an operator keeps out of the feed."""

    purchase_id: UUID
    reason: str
    hidden_at: datetime
