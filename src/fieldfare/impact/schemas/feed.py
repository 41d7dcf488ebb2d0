"""The public feed on the wire."""

from decimal import Decimal

import msgspec

from fieldfare.impact.model import FeedEntry
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.mass import tonnes_from_mg


class FeedRow(msgspec.Struct):
    """One order of the public feed."""

    id: str
    name: str
    image_url: str | None
    portfolio_id: int | None
    portfolio_name: str
    tons: Decimal
    created_at: str
    profile_url: str | None


def feed_row(entry: FeedEntry) -> FeedRow:
    """An order as the public feed shows it; the group id stays behind."""
    return FeedRow(
        id=entry.id,
        name=entry.name,
        image_url=entry.image_url,
        portfolio_id=entry.portfolio_id,
        portfolio_name=entry.portfolio_name,
        tons=tonnes_from_mg(entry.mass_mg),
        created_at=rfc3339(entry.created_at),
        profile_url=entry.profile_url,
    )
