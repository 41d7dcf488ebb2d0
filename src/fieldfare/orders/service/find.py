"""Finding an order: by its own id or by the order group id, whichever a client kept."""

import re
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.kernel.ids import parse_id
from fieldfare.orders import store
from fieldfare.orders.errors import OrderNotFound
from fieldfare.orders.model import OrderRefund, Purchase

CHARGE_ID = re.compile(r"[A-Za-z0-9_]{1,255}", re.ASCII)


async def get_purchase(conn: Connection, account_id: int, either_id: str) -> Purchase:
    """An account's purchase; raises `OrderNotFound`, the same if it is another account's."""
    purchase_id = await find_purchase_id(conn, either_id)
    purchase = await store.find_purchase(conn, purchase_id, account_id) if purchase_id else None
    if purchase is None:
        raise OrderNotFound(
            "There is no such order on this account. GET /api/purchases lists its orders."
        )
    return purchase


async def get_any_purchase(conn: Connection, either_id: str) -> Purchase:
    """A purchase of whatever account, for an operator; raises `OrderNotFound`."""
    purchase_id = await find_purchase_id(conn, either_id)
    purchase = await store.find_any_purchase(conn, purchase_id) if purchase_id else None
    if purchase is None:
        raise OrderNotFound(
            "There is no such order. Give its order group id: a charge, or the purchase's UUID."
        )
    return purchase


async def list_refunds(conn: Connection, purchase_id: UUID) -> list[OrderRefund]:
    """What of a purchase went back, or is on its way, oldest first."""
    return await store.list_refunds(conn, purchase_id)


async def find_purchase_id(conn: Connection, either_id: str) -> UUID | None:
    """The purchase that an id names: its own, or the processor's charge that paid for it."""
    purchase_id = parse_id(either_id)
    if purchase_id is None and CHARGE_ID.fullmatch(either_id):
        purchase_id = await store.find_purchase_of_charge(conn, either_id)
    return purchase_id
