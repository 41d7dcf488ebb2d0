"""An account's orders and their lines, read in short pages under a fixed upper id.

No cursor is held open while a slow reader drinks, so a long list costs others nothing; and what is
ordered while it is read belongs to the next reading.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Protocol, TypeVar
from uuid import UUID

from fieldfare.catalog.model import Standing
from fieldfare.db.pool import Connection, Database, connection
from fieldfare.kernel.ids import floor_id, instant_of
from fieldfare.orders import store
from fieldfare.orders.errors import OrderNotFound
from fieldfare.orders.model import (
    EARLIEST,
    IdRange,
    LineKind,
    LineLabels,
    LineRow,
    OffsetTexts,
    PurchaseRow,
    RecentPurchase,
    RowsWanted,
)
from fieldfare.orders.service.find import find_purchase_id

RowT = TypeVar("RowT", LineRow, PurchaseRow)
TextsT = TypeVar("TextsT")
RECENT = timedelta(days=366)
CLOCKS_APART = timedelta(days=1)
"""By how much the clock of whoever drew an id may be ahead of ours."""
LOOKED_AT = 100_000
"""How far back among all orders recent ones are looked for."""
HIGHEST_ID = UUID(int=2**128 - 1)
TEXT_ROWS = 250
"""Of one page of a whole list: about 150 kB. For what is much larger, PostgreSQL takes memory from
the system and gives it back with each page, which costs as much as writing it."""
TEXT_BYTES = 256 * 1024
"""A page that comes to more is written again in pages of `FEW_ROWS`."""
FEW_ROWS = 50
"""With the longest notes and metadata about 3 MB."""
UNBOUNDED = 2**31 - 1
PAGES_AT_A_TIME = 16
"""Written by one statement, which takes a while to begin."""
STATEMENTS_AHEAD = 1
"""Of one list, whose pages are being written while those before are sent."""
STATEMENTS_AT_ONCE = 4
"""Of all lists of a process: each takes a database connection, and orders need some too."""


class ReadRange(Protocol[RowT]):
    """Gives the newest rows of a range of ids."""

    def __call__(self, ids: IdRange, *, at_most: int) -> Awaitable[list[RowT]]:
        """At most so many."""
        ...


class Beginning:
    """The shop's first order, looked up once: no list has to look further back."""

    def __init__(self) -> None:
        self._first_id: UUID | None = None

    async def first_id(self, conn: Connection) -> UUID | None:
        """No order, and no line of one, has a lower id; None before there is an order."""
        if self._first_id is None:
            found = await store.find_first(conn)
            if found is not None:
                # Who drew an id just before may have come just after.
                self._first_id = floor_id(max(instant_of(found) - CLOCKS_APART, EARLIEST))
        return self._first_id

    async def ids(self, conn: Connection, wanted: RowsWanted, before_id: UUID) -> IdRange:
        """Where rows can lie: between the first order and now, so that no other month is opened."""
        ahead = floor_id(datetime.now(UTC) + CLOCKS_APART)
        return IdRange(
            from_id=max(wanted.from_id, await self.first_id(conn) or ahead),
            before_id=min(before_id, wanted.to_id, ahead),
        )


async def list_lines(
    conn: Connection,
    beginning: Beginning,
    account_id: int,
    kind: LineKind,
    wanted: RowsWanted,
    *,
    before_id: UUID,
    at_most: int,
) -> list[LineRow]:
    """One page of lines of a kind below an id, newest first."""
    if wanted.group_id is None:
        read = partial(store.list_lines, conn, account_id, kind, wanted)
        return await _newest(read, await beginning.ids(conn, wanted, before_id), at_most)
    purchase_id = await find_purchase_id(conn, wanted.group_id)
    if purchase_id is None:
        return []
    lines = await store.list_lines_of_purchase(conn, account_id, kind, purchase_id)
    admitted = [line for line in lines if wanted.admits(line.created_at, line.metadata)]
    return [line for line in admitted if line.id < before_id][:at_most]


async def _newest(read: ReadRange[RowT], ids: IdRange, at_most: int) -> list[RowT]:
    """The newest rows of a range: of the last year first, and of all years if these are few.

    What a statement costs before it reads its first row grows with the months that it may have to
    look at, and most of what is asked for is recent.
    """
    recently = max(instant_of(ids.before_id) - RECENT, EARLIEST)
    recent_id = max(ids.from_id, floor_id(recently))
    rows = await read(IdRange(from_id=recent_id, before_id=ids.before_id), at_most=at_most)
    if len(rows) < at_most and recent_id > ids.from_id:
        older = IdRange(from_id=ids.from_id, before_id=recent_id)
        rows += await read(older, at_most=at_most - len(rows))
    return rows


class PageTurns(asyncio.Semaphore):
    """How many statements of a process write whole lists at once; the others wait their turn."""

    def __init__(self) -> None:
        super().__init__(STATEMENTS_AT_ONCE)


async def write_offsets(
    db: Database,
    turns: PageTurns,
    beginning: Beginning,
    account_id: int,
    wanted: RowsWanted,
    *,
    before_id: UUID,
    standings: Sequence[Standing],
    labels: LineLabels,
) -> AsyncGenerator[OffsetTexts, None]:
    """Every offset line of some standings below an id, as the list shows it, in pages; maybe none.

    Of `wanted`, metadata and group are not looked at. The database writes the JSON, some pages
    ahead of the reader: rows that are made into objects first take ten times as long.
    """

    async def write(
        pages: Sequence[IdRange], most_bytes: int = TEXT_BYTES
    ) -> list[OffsetTexts | None]:
        async with turns, connection(db) as conn:
            return await store.write_offset_texts(
                conn, account_id, wanted, pages, standings, labels, most_bytes=most_bytes
            )

    async with connection(db) as conn:
        whole = await beginning.ids(conn, wanted, before_id)
    async for pages, written in _ahead(_pages(db, account_id, whole, TEXT_ROWS), write):
        for ids, page in zip(pages, written, strict=True):
            if page is not None:
                yield page
                continue
            async for few in _pages(db, account_id, ids, FEW_ROWS):
                for one in few:
                    (small,) = await write([one], UNBOUNDED)
                    assert small is not None, "it was not to be bounded"
                    yield small


async def _ahead(
    pages: AsyncIterator[list[IdRange]],
    write: Callable[[list[IdRange]], Coroutine[None, None, TextsT]],
) -> AsyncGenerator[tuple[list[IdRange], TextsT], None]:
    """What is written of pages, in order, while what was written before is used."""
    under_way: deque[tuple[list[IdRange], asyncio.Task[TextsT]]] = deque()
    try:
        async for some in pages:
            under_way.append((some, asyncio.create_task(write(some))))
            if len(under_way) > STATEMENTS_AHEAD:
                first, task = under_way.popleft()
                yield first, await task
        while under_way:
            first, task = under_way.popleft()
            yield first, await task
    finally:
        for _, task in under_way:
            task.cancel()
        await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)


async def _pages(
    db: Database, account_id: int, left: IdRange, rows: int
) -> AsyncIterator[list[IdRange]]:
    """Where the pages of so many of an account's offset lines lie, newest first, some at a time."""
    is_last = False
    while not is_last:
        async with connection(db) as conn:
            cuts = await store.find_cuts(conn, account_id, left, rows=rows, pages=PAGES_AT_A_TIME)
        is_last = len(cuts) < PAGES_AT_A_TIME
        bounds = [left.before_id, *cuts, *([left.from_id] if is_last else ())]
        yield [IdRange(from_id=low, before_id=high) for high, low in pairwise(bounds)]
        left = IdRange(from_id=left.from_id, before_id=bounds[-1])


async def list_purchases(
    conn: Connection,
    beginning: Beginning,
    account_id: int,
    wanted: RowsWanted,
    *,
    before_id: UUID,
    at_most: int,
) -> list[PurchaseRow]:
    """One page of paid orders below an id, newest first."""
    ids = await beginning.ids(conn, wanted, before_id)
    read = partial(store.list_purchases, conn, account_id, wanted)
    if wanted.group_id is None:
        return await _newest(read, ids, at_most)
    purchase_id = await find_purchase_id(conn, wanted.group_id)
    if purchase_id is None or not ids.from_id <= purchase_id < ids.before_id:
        return []
    # Of all ids there is only this one between the two.
    only = IdRange(from_id=purchase_id, before_id=UUID(int=purchase_id.int + 1))
    return await read(only, at_most=at_most)


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
