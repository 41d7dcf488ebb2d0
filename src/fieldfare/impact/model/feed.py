"""The feed that everybody sees, and what is kept out of it."""

from datetime import datetime
from uuid import UUID

import msgspec


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
