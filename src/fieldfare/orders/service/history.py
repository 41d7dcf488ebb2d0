"""An account's orders and their lines, read in short pages under a fixed upper id.

No cursor is held open while a slow reader drinks, so a long list costs others nothing; and what is
ordered while it is read belongs to the next reading.
"""

from collections.abc import Sequence
from uuid import UUID

from fieldfare.db.pool import Connection, Database, connection
from fieldfare.orders import store
from fieldfare.orders.errors import OrderNotFound
from fieldfare.orders.model import LineKind, LineRow, PurchaseRow, RecentPurchase, RowsWanted
from fieldfare.orders.service.find import find_purchase_id

LOOKED_AT = 100_000
"""How far back among all orders recent ones are looked for."""
HIGHEST_ID = UUID(int=2**128 - 1)


async def list_lines(
    db: Database,
    account_id: int,
    kind: LineKind,
    wanted: RowsWanted,
    *,
    before_id: UUID,
    at_most: int,
) -> list[LineRow]:
    """One page of lines of a kind below an id, newest first."""
    async with connection(db) as conn:
        if wanted.group_id is None:
            return await store.list_lines(
                conn, account_id, kind, wanted, before_id=before_id, at_most=at_most
            )
        purchase_id = await find_purchase_id(conn, wanted.group_id)
        if purchase_id is None:
            return []
        lines = await store.list_lines_of_purchase(conn, account_id, kind, purchase_id)
    admitted = [line for line in lines if wanted.admits(line.created_at, line.metadata)]
    return [line for line in admitted if line.id < before_id][:at_most]


async def list_purchases(
    db: Database, account_id: int, wanted: RowsWanted, *, before_id: UUID, at_most: int
) -> list[PurchaseRow]:
    """One page of paid orders below an id, newest first."""
    from_id = wanted.from_id
    async with connection(db) as conn:
        if wanted.group_id is not None:
            purchase_id = await find_purchase_id(conn, wanted.group_id)
            if purchase_id is None or not from_id <= purchase_id < before_id:
                return []
            # Of all ids there is only this one between the two.
            from_id, before_id = purchase_id, UUID(int=purchase_id.int + 1)
        return await store.list_purchases(
            conn, account_id, wanted, from_id=from_id, before_id=before_id, at_most=at_most
        )


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
