"""What orders hold of persons, and how it is forgotten."""

from collections.abc import Sequence
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.orders.model import ErasedParties

_queries = load_queries(__file__)


async def erase_party(conn: Connection, purchase_id: UUID) -> ErasedParties:
    """Delete what one purchase holds of persons."""
    return ErasedParties(**await _queries.erase_party(conn, purchase_id=purchase_id))


async def erase_parties(
    conn: Connection, account_id: int, *, after_id: UUID, at_most: int
) -> tuple[UUID | None, int]:
    """Delete what a page of an account's purchases holds of persons, but for its metadata's pairs.

    Gives where the page ends (None: there is none), and how many purchases held something.
    """
    row = await _queries.erase_parties(
        conn, account_id=account_id, after_id=after_id, at_most=at_most
    )
    return row["last_id"], row["parties"]


async def erase_tags(conn: Connection, account_id: int, at_most: int) -> int:
    """Delete pairs of metadata by which an account's purchases are found; gives how many."""
    gone: int = await _queries.erase_tags(conn, account_id=account_id, at_most=at_most)
    return gone


async def count_pending(conn: Connection, account_id: int) -> int:
    """How many purchases and refunds of an account are not settled yet."""
    count: int = await _queries.count_pending(conn, account_id=account_id)
    return count


async def list_purchases_among(
    conn: Connection, account_id: int, purchase_ids: Sequence[UUID]
) -> list[UUID]:
    """Those of some purchases that are an account's."""
    rows = _queries.list_purchases_among(conn, account_id=account_id, purchase_ids=purchase_ids)
    return [row["id"] async for row in rows]
