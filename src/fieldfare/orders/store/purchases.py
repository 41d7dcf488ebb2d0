"""One purchase, found by what is known of it."""

from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.orders.model import Purchase

_queries = load_queries(__file__)


async def find_purchase(conn: Connection, purchase_id: UUID, account_id: int) -> Purchase | None:
    """A purchase of this account."""
    row = await _queries.find_purchase(conn, purchase_id=purchase_id, account_id=account_id)
    return None if row is None else Purchase(**row)


async def find_any_purchase(conn: Connection, purchase_id: UUID) -> Purchase | None:
    """A purchase of whichever account."""
    row = await _queries.find_any_purchase(conn, purchase_id=purchase_id)
    return None if row is None else Purchase(**row)


async def find_purchase_of_charge(conn: Connection, charge_id: str) -> UUID | None:
    """The purchase that a processor's charge paid for."""
    found: UUID | None = await _queries.find_purchase_of_charge(conn, charge_id=charge_id)
    return found


async def list_known_purchases(conn: Connection, ids: list[UUID]) -> set[UUID]:
    """Those of the ids under which there is a purchase."""
    return {row["id"] async for row in _queries.list_known_purchases(conn, purchase_ids=ids)}


async def lock_purchase(conn: Connection, purchase_id: UUID) -> Purchase | None:
    """A purchase of whichever account, locked until the transaction ends."""
    row = await _queries.lock_purchase(conn, purchase_id=purchase_id)
    return None if row is None else Purchase(**row)
