"""`GET /api/purchases` on the wire."""

from typing import Literal

import msgspec

from fieldfare.impact.schemas.showing import Showing, instant_or_none
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.mass import tonnes_from_mg
from fieldfare.kernel.money import cents_from_micro
from fieldfare.kernel.wire import (
    Address,
    Count,
    CurrencyCode,
    GivenId,
    Instant,
    MinorAmount,
    SplitCents,
    Tonnes,
    Uuid,
)
from fieldfare.orders.model import PaymentMethod, PurchaseRow, PurchaseState


class PurchaseListRow(msgspec.Struct, rename="camel"):
    """An order group of any kind. Totals are as bought; what went back stands beside them."""

    stripe_charge_id: GivenId
    """The order group id: the charge, or the purchase's own id if it was paid from credits."""
    created_at: Instant
    total_amount_paid_by_customer: MinorAmount
    """US cents."""
    total_tons: Tonnes
    """Of standing `certified` alone."""
    total_trees: Count
    has_offset_orders: bool
    has_project_donations: bool
    has_tree_orders: bool
    payment_method: PaymentMethod
    state: PurchaseState
    refunded: bool
    """True only when all is back."""
    certificate_url: Address
    purchase_id: GivenId
    amount_charged: MinorAmount
    """In the currency's smallest unit."""
    currency: CurrencyCode
    amount_refunded: MinorAmount
    """Of `amountCharged`."""
    amount_refunded_in_usd_cents: SplitCents
    """Of `totalAmountPaidByCustomer`, maybe with a fraction."""
    refunded_tons: Tonnes
    """Of `totalTons`."""
    refunded_trees: Count
    refunded_at: Instant | None
    """When all of it was refunded."""


class PurchaseList(msgspec.Struct, rename="camel", kw_only=True):
    """What `GET /api/purchases` answers; without `limit` it is written piece by piece."""

    purchases: list[PurchaseListRow]
    next_cursor: Uuid | msgspec.UnsetType | None = msgspec.UNSET
    """Null on the last page; left out of a whole list."""
    test: Literal[True] | msgspec.UnsetType = msgspec.UNSET


def purchase_list_row(purchase: PurchaseRow, showing: Showing) -> PurchaseListRow:
    """A purchase as the list shows it."""
    return PurchaseListRow(
        stripe_charge_id=purchase.group_id,
        created_at=rfc3339(purchase.created_at),
        total_amount_paid_by_customer=purchase.amount_cents,
        total_tons=tonnes_from_mg(purchase.certified_mg),
        total_trees=purchase.trees,
        has_offset_orders=purchase.has_offsets,
        has_project_donations=purchase.has_donations,
        has_tree_orders=purchase.has_trees,
        payment_method=purchase.payment_method,
        state=purchase.state,
        refunded=purchase.state == "refunded",
        certificate_url=showing.certificate_url(purchase),
        purchase_id=showing.purchase_id(purchase),
        amount_charged=purchase.charge_minor,
        currency=purchase.currency,
        amount_refunded=purchase.refunded_minor,
        amount_refunded_in_usd_cents=cents_from_micro(purchase.refunded_micro),
        refunded_tons=tonnes_from_mg(purchase.refunded_certified_mg),
        refunded_trees=purchase.refunded_trees,
        refunded_at=instant_or_none(purchase.refunded_at),
    )
