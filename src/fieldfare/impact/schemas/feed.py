"""The public feed on the wire."""

import msgspec

from fieldfare.impact.model import FeedEntry
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.mass import tonnes_from_mg
from fieldfare.kernel.wire import Address, GivenId, Instant, IntegerId, Tonnes


class FeedRow(msgspec.Struct):
    """One order of the public feed."""

    id: GivenId
    name: str
    image_url: Address | None
    portfolio_id: IntegerId | None
    portfolio_name: str
    tons: Tonnes
    created_at: Instant
    profile_url: Address | None


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
