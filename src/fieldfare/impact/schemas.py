"""Order lists and the public feed on the wire."""

from decimal import Decimal

import msgspec

from fieldfare.catalog.model import Catalogue
from fieldfare.impact.model import FeedEntry, Stats
from fieldfare.impact.rules import flights_taken, miles_driven, trees_per_year
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.mass import tonnes_from_mg
from fieldfare.kernel.money import cents_from_micro
from fieldfare.orders.model import LineRow
from fieldfare.orders.service.desk import certificate_url


class StatsBody(msgspec.Struct, rename="camel"):
    """Totals of an account; the place is left out without any mass."""

    total_tons: Decimal
    approximate_trees_saved_per_year_equivalent: Decimal
    approximate_miles_driven_equivalent: Decimal
    approximate_flights_taken_equivalent: Decimal
    rank: int | msgspec.UnsetType = msgspec.UNSET
    percentile: Decimal | msgspec.UnsetType = msgspec.UNSET


class OffsetOrderRow(msgspec.Struct):
    """One project's part of an offset order, in the list's own casing."""

    id: str
    order_group_id: str
    created_at: str
    tons: Decimal
    amount_paid_by_customer: Decimal
    """US cents, always."""
    charge_currency: str
    note: str | None
    portfolio_id: int | None
    project_id: int
    project_name: str
    certification_status: str
    standing: str
    source: str
    payment_method: str
    on_behalf_of_name: str | None
    on_behalf_of_email: str | None
    metadata: dict[str, str]
    refunded_at: str | None
    certificate_url: str


def stats_body(stats: Stats) -> StatsBody:
    """Totals as they are shown."""
    place = stats.place
    return StatsBody(
        total_tons=tonnes_from_mg(stats.certified_mg),
        approximate_trees_saved_per_year_equivalent=trees_per_year(stats.certified_mg),
        approximate_miles_driven_equivalent=miles_driven(stats.certified_mg),
        approximate_flights_taken_equivalent=flights_taken(stats.certified_mg),
        rank=place.rank if place else msgspec.UNSET,
        percentile=place.percentile if place else msgspec.UNSET,
    )


def offset_order_row(
    line: LineRow, catalogue: Catalogue, public_url: str, *, test: bool
) -> OffsetOrderRow:
    """A line as the list shows it; the project's name is today's.

    In test mode its id says so, and its certificate is found by the order group id.
    """
    project = catalogue.projects.get(line.project_id)
    return OffsetOrderRow(
        id=f"test_oo_{line.id.hex}" if test else str(line.id),
        order_group_id=line.group_id,
        created_at=rfc3339(line.created_at),
        tons=tonnes_from_mg(line.mass_mg),
        amount_paid_by_customer=cents_from_micro(line.billed_micro),
        charge_currency=line.currency,
        note=line.note,
        portfolio_id=line.portfolio_id,
        project_id=line.project_id,
        project_name=project.name if project else f"Project {line.project_id}",
        certification_status=line.certification_status,
        standing=line.standing,
        source=line.source,
        payment_method=line.payment_method,
        on_behalf_of_name=line.on_behalf_of_name,
        on_behalf_of_email=line.on_behalf_of_email,
        metadata=line.metadata or {},
        refunded_at=rfc3339(line.refunded_at) if line.refunded_at else None,
        certificate_url=f"{public_url}/certificates/{line.group_id}"
        if test
        else certificate_url(public_url, line.certificate_slug),
    )


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
