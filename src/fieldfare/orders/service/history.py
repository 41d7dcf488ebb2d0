"""An account's order lines, read in short pages under a fixed upper id.

No cursor is held open while a slow reader drinks, so a long list costs others nothing; and what is
ordered while it is read belongs to the next reading.
"""

from collections.abc import AsyncIterator
from uuid import UUID

from fieldfare.db.pool import Database, connection
from fieldfare.orders import store
from fieldfare.orders.model import LineKind, LineRow, LinesWanted
from fieldfare.orders.service.find import find_purchase_id

PAGE_ROWS = 1_000
HIGHEST_ID = UUID(int=2**128 - 1)


async def list_lines(
    db: Database, account_id: int, wanted: LinesWanted, *, before_id: UUID, at_most: int
) -> list[LineRow]:
    """One page of lines below an id, newest first."""
    async with connection(db) as conn:
        return await store.list_lines(
            conn, account_id, wanted, before_id=before_id, at_most=at_most
        )


async def all_lines(
    db: Database, account_id: int, wanted: LinesWanted, *, before_id: UUID = HIGHEST_ID
) -> AsyncIterator[list[LineRow]]:
    """Every line below an id, newest first, a page at a time."""
    read = PAGE_ROWS
    while read == PAGE_ROWS:
        page = await list_lines(db, account_id, wanted, before_id=before_id, at_most=PAGE_ROWS)
        read = len(page)
        if page:
            before_id = page[-1].id
            yield page


async def lines_of_group(
    db: Database, account_id: int, kind: LineKind, group_id: str
) -> list[LineRow]:
    """The lines of one order group; none if there is no such group on this account."""
    async with connection(db) as conn:
        purchase_id = await find_purchase_id(conn, group_id)
        if purchase_id is None:
            return []
        return await store.list_lines_of_purchase(conn, account_id, kind, purchase_id)
