"""`GET /api/tree-orders` on the wire."""

from typing import Literal

import msgspec

from fieldfare.catalog.model import Catalogue
from fieldfare.impact.schemas.showing import Showing
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.wire import (
    Address,
    Count,
    CurrencyCode,
    GivenId,
    Instant,
    MinorAmount,
    Uuid,
)
from fieldfare.orders.model import LineRow, PaymentMethod


class TreeOrderRow(msgspec.Struct, rename="camel"):
    """A tree order."""

    id: GivenId
    order_group_id: GivenId
    amount_of_trees: Count
    """As bought."""
    created_at: Instant
    note: str | None
    provider: str
    fulfillment_status: Literal["pending", "ordered", "planted", "cancelled"]
    """`cancelled` once all of it was refunded."""
    fulfilled_at: Instant | None
    payment_method: PaymentMethod
    amount_charged: MinorAmount
    """In the currency's smallest unit."""
    currency: CurrencyCode
    on_behalf_of_name: str | None
    metadata: dict[str, str]
    certificate_url: Address
    refunded_trees: Count
    """Of `amountOfTrees`, what was refunded."""


class TreeOrderList(msgspec.Struct, rename="camel", kw_only=True):
    """What `GET /api/tree-orders` answers; without `limit` it is written piece by piece."""

    tree_orders: list[TreeOrderRow]
    next_cursor: Uuid | msgspec.UnsetType | None = msgspec.UNSET
    """Null on the last page; left out of a whole list."""
    test: Literal[True] | msgspec.UnsetType = msgspec.UNSET


def tree_order_row(line: LineRow, catalogue: Catalogue, showing: Showing) -> TreeOrderRow:
    """A tree line, which is all of its order, as the list shows it; the provider's name is today's.

    Nothing orders the trees from their provider yet, so what is paid for is pending.
    """
    project = catalogue.projects.get(line.project_id)
    return TreeOrderRow(
        id=showing.line_id(line, "tree"),
        order_group_id=line.group_id,
        amount_of_trees=line.trees,
        created_at=rfc3339(line.created_at),
        note=line.note,
        provider=project.provider if project else f"Project {line.project_id}",
        fulfillment_status="pending" if line.refunded_at is None else "cancelled",
        fulfilled_at=None,
        payment_method=line.payment_method,
        amount_charged=line.charge_minor,
        currency=line.currency,
        on_behalf_of_name=line.on_behalf_of_name,
        metadata=line.metadata or {},
        certificate_url=showing.certificate_url(line),
        refunded_trees=line.refunded_trees,
    )
