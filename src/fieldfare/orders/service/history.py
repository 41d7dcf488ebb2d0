"""An account's order lines, read in short pages under a fixed upper id.

No cursor is held open while a slow reader drinks, so a long list costs others nothing; and what is
ordered while it is read belongs to the next reading.
"""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from fieldfare.db.pool import Connection, Database, connection
from fieldfare.orders import store
from fieldfare.orders.errors import OrderNotFound
from fieldfare.orders.model import LineKind, LineRow, LinesWanted, RecentPurchase
from fieldfare.orders.service.find import find_purchase_id

PAGE_ROWS = 1_000
LOOKED_AT = 100_000
"""How far back among all orders recent ones are looked for."""
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


async def list_recent_purchases(
    conn: Connection, *, without_ids: Sequence[UUID], at_most: int
) -> list[RecentPurchase]:
    """The newest paid offset orders of anybody, newest first, but for those without_ids.

    Refunded and disputed ones are left out, and of one refunded in part so is that part.
    """
    return await store.list_recent_purchases(
        conn, without_ids=without_ids, looked_at=LOOKED_AT, at_most=at_most
    )


async def get_purchase_id(conn: Connection, either_id: str) -> UUID:
    """The order, of whatever account, that an operator means; raises `OrderNotFound`."""
    purchase_id = await find_purchase_id(conn, either_id)
    if purchase_id is None or not await store.list_known_purchases(conn, [purchase_id]):
        raise OrderNotFound(
            "There is no such order. Give its order group id: a charge, or the purchase's UUID."
        )
    return purchase_id
