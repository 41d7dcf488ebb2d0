"""`GET /api/offset-orders` on the wire: an account's totals, and a line in the list's casing."""

from typing import Literal

import msgspec

from fieldfare.catalog.model import Catalogue, Standing
from fieldfare.impact.model import Stats
from fieldfare.impact.rules import flights_taken, miles_driven, trees_per_year
from fieldfare.impact.schemas.showing import Showing, instant_or_none
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.mass import tonnes_from_mg
from fieldfare.kernel.money import cents_from_micro
from fieldfare.kernel.wire import (
    Address,
    CurrencyCode,
    GivenId,
    Instant,
    IntegerId,
    Measure,
    Percentile,
    SplitCents,
    Tonnes,
    Uuid,
)
from fieldfare.orders.model import LineRow, PaymentMethod


class StatsBody(msgspec.Struct, rename="camel"):
    """Totals of an account; the place is left out without any mass."""

    total_tons: Tonnes
    approximate_trees_saved_per_year_equivalent: Measure
    approximate_miles_driven_equivalent: Measure
    approximate_flights_taken_equivalent: Measure
    rank: IntegerId | msgspec.UnsetType = msgspec.UNSET
    percentile: Percentile | msgspec.UnsetType = msgspec.UNSET


class OffsetOrderRow(msgspec.Struct):
    """One project's part of an order, in the list's own casing."""

    id: GivenId
    order_group_id: GivenId
    created_at: Instant
    tons: Tonnes
    """As bought."""
    amount_paid_by_customer: SplitCents
    """US cents, always."""
    charge_currency: CurrencyCode
    note: str | None
    portfolio_id: IntegerId | None
    """Null for an order of one project."""
    project_id: IntegerId
    project_name: str
    certification_status: str
    standing: Standing
    source: str
    payment_method: PaymentMethod
    on_behalf_of_name: str | None
    on_behalf_of_email: str | None
    metadata: dict[str, str]
    refunded_at: Instant | None
    """When all of it was refunded."""
    certificate_url: Address
    refunded_tons: Tonnes
    """Of `tons`, what was refunded."""


class OffsetOrderList(msgspec.Struct, rename="camel", kw_only=True):
    """What `GET /api/offset-orders` answers; without `limit` it is written piece by piece."""

    stats: StatsBody
    offset_orders: list[OffsetOrderRow]
    uncertified_offset_orders: list[OffsetOrderRow]
    next_cursor: Uuid | msgspec.UnsetType | None = msgspec.UNSET
    """Null on the last page; left out of a whole list."""
    test: Literal[True] | msgspec.UnsetType = msgspec.UNSET


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


def offset_order_row(line: LineRow, catalogue: Catalogue, showing: Showing) -> OffsetOrderRow:
    """A line as the list shows it; the project's name is today's."""
    project = catalogue.projects.get(line.project_id)
    return OffsetOrderRow(
        id=showing.line_id(line, "offset"),
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
        refunded_at=instant_or_none(line.refunded_at),
        certificate_url=showing.certificate_url(line),
        refunded_tons=tonnes_from_mg(line.refunded_mg),
    )
