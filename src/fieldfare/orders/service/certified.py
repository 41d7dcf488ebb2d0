"""What impact may ask of orders for a certificate."""

from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.orders import store
from fieldfare.orders.model import CertifiedOrder


async def find_purchase_of_slug(conn: Connection, slug: UUID) -> UUID | None:
    """The purchase whose certificate has this public address."""
    return await store.find_purchase_of_slug(conn, slug)


async def find_certified_order(conn: Connection, purchase_id: UUID) -> CertifiedOrder | None:
    """A paid order with its lines; None if it is not there or not paid."""
    return await store.find_certified_order(conn, purchase_id)


async def lock_order(conn: Connection, purchase_id: UUID) -> None:
    """Let nothing of an order be refunded or erased until the transaction ends."""
    await store.lock_purchase(conn, purchase_id)
