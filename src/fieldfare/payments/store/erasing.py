"""What names a person among the payments, and whether it may be forgotten yet."""

from collections.abc import Sequence
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.payments.model import Unfinished

_queries = load_queries(__file__)


async def find_unfinished(conn: Connection, account_id: int) -> Unfinished:
    """What of an account's money is still under way at the processor."""
    return Unfinished(**await _queries.find_unfinished(conn, account_id=account_id))


async def list_customers_from(
    conn: Connection, account_id: int, *, after_id: UUID, at_most: int
) -> list[tuple[UUID, str]]:
    """A page of an account's payments: each one's id, and the customer that it was asked of."""
    rows = _queries.list_customers_from(
        conn, account_id=account_id, after_id=after_id, at_most=at_most
    )
    return [(row["id"], row["customer"]) async for row in rows]


async def list_disputes_of_account(conn: Connection, account_id: int) -> list[str]:
    """The processor's ids of every dispute about an account's payments."""
    rows = _queries.list_disputes_of_account(conn, account_id=account_id)
    return [row["dispute_id"] async for row in rows]


async def empty_events(
    conn: Connection, named_ids: Sequence[str], *, after_id: UUID, at_most: int
) -> tuple[UUID | None, int, int]:
    """Empty a page of the inbox of what names these ids.

    Gives where the page ends (None: there is none), how many were emptied, and how many wait to be
    worked on first.
    """
    row = await _queries.empty_events(conn, named_ids=named_ids, after_id=after_id, at_most=at_most)
    return row["last_id"], row["emptied"], row["waiting"]
