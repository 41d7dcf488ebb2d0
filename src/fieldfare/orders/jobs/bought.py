"""What a charge is for, by the id in its metadata: an order, or credits."""

from typing import Literal
from uuid import UUID

import msgspec

from fieldfare.db.pool import Connection, Database
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.orders import store
from fieldfare.orders.service.settle import ORDERS
from fieldfare.payments.service.settling import settle
from fieldfare.payments.service.top_ups import TOP_UPS, find_top_up
from fieldfare.payments.service.top_ups.refunding import find_top_up_id

BoughtKind = Literal["purchase", "top_up"]


class Bought(msgspec.Struct, frozen=True, kw_only=True):
    """An order or a top-up, as far as a charge is concerned."""

    kind: BoughtKind
    id: UUID
    is_pending: bool
    charge_id: str | None


async def find_bought(conn: Connection, subject_id: UUID) -> Bought | None:
    """The order or top-up of this id."""
    purchase = await store.find_any_purchase(conn, subject_id)
    if purchase is not None:
        return _bought("purchase", subject_id, purchase.state, purchase.charge_id)
    top_up = await find_top_up(conn, subject_id)
    if top_up is None:
        return None
    return _bought("top_up", subject_id, top_up.state, top_up.charge_id)


async def find_bought_by_charge(conn: Connection, charge_id: str) -> Bought | None:
    """The order or top-up that a charge has paid for."""
    purchase_id = await store.find_purchase_of_charge(conn, charge_id)
    if purchase_id is not None:
        return Bought(kind="purchase", id=purchase_id, is_pending=False, charge_id=charge_id)
    top_up_id = await find_top_up_id(conn, charge_id)
    if top_up_id is None:
        return None
    return Bought(kind="top_up", id=top_up_id, is_pending=False, charge_id=charge_id)


def _bought(kind: BoughtKind, subject_id: UUID, state: str, charge_id: str | None) -> Bought:
    return Bought(kind=kind, id=subject_id, is_pending=state == "pending", charge_id=charge_id)


async def settle_bought(
    db: Database, gateway: StripeGateway, bought: Bought, *, event_row: UUID | None = None
) -> bool:
    """Find out what became of it and record it; False while nothing is proven.

    `event_row` is the inbox row that led here: it is marked done in the transaction of its effect.
    """
    if bought.kind == "purchase":
        return await settle(db, gateway, ORDERS, bought.id, event_row=event_row) is not None
    return await settle(db, gateway, TOP_UPS, bought.id, event_row=event_row) is not None
