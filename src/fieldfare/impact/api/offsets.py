"""`GET /api/offset-orders`: an account's offset lines with its totals.

The certified list has to stand before the uncertified one. So while the certified rows of a whole
history go out, uncertified ones are kept as long as they are few; if there are many, the history
below them is read a second time. A whole history comes as the database writes it; a page of it, or
the few rows that a filter leaves, as rows.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

from litestar import Response

from fieldfare.catalog.model import Standing
from fieldfare.http.answers import json_answer
from fieldfare.http.call import Call
from fieldfare.http.encoding import encode_json
from fieldfare.impact.api.paged import (
    Asked,
    Read,
    all_pages,
    begun,
    cut_page,
    end_of,
    join_rows,
    read_query,
    showing_of,
    stream,
    test_mark,
)
from fieldfare.impact.schemas import (
    OffsetOrderList,
    OffsetOrderRow,
    StatsBody,
    offset_order_row,
    stats_body,
)
from fieldfare.impact.service.history import HistoryDesk
from fieldfare.orders.model import IdRange, LineRow, OffsetTexts

KEPT_BYTES = 256 * 1024
CERTIFIED: tuple[Standing, ...] = ("certified", "external_standard")
UNCERTIFIED: tuple[Standing, ...] = ("uncertified",)

Rows: TypeAlias = list[OffsetOrderRow]
Show: TypeAlias = Callable[[LineRow], OffsetOrderRow]
Pages: TypeAlias = AsyncGenerator[OffsetTexts, None]
Texts: TypeAlias = Callable[[UUID, Sequence[Standing]], Awaitable[Pages]]
"""Begins to read the lines of some standings below an id."""


async def list_offset_orders(call: Call[HistoryDesk]) -> Response[Any]:
    """`GET /api/offset-orders`."""
    asked = read_query(call.query)
    catalogue = await call.desk.catalogue()
    show = partial(offset_order_row, catalogue=catalogue, showing=showing_of(call))
    if asked.limit is None:
        return await _whole(call, asked, show)
    stats, rows = await call.desk.stats_and_offsets(
        call.principal, asked.wanted, before_id=asked.before_id, at_most=asked.limit + 1
    )
    lines, cursor = cut_page(rows, asked.limit)
    certified, uncertified = _parted(lines, show)
    return json_answer(
        OffsetOrderList(
            stats=stats_body(stats),
            offset_orders=certified,
            uncertified_offset_orders=uncertified,
            next_cursor=cursor,
            test=test_mark(call),
        )
    )


async def _whole(call: Call[HistoryDesk], asked: Asked, show: Show) -> Response[Any]:
    stats = stats_body(await call.desk.stats(call.principal))
    read: Read[LineRow] = partial(call.desk.lines, call.principal, "offset", asked.wanted)
    texts = partial(_begin, call, asked, read, show)
    pages = await texts(asked.before_id, (*CERTIFIED, *UNCERTIFIED))
    return stream(_in_pieces(call, stats, pages, texts))


def _parted(lines: list[LineRow], show: Show) -> tuple[Rows, Rows]:
    """The rows that are certified in some way, and the others."""
    certified = [show(line) for line in lines if line.standing in CERTIFIED]
    return certified, [show(line) for line in lines if line.standing in UNCERTIFIED]


async def _begin(
    call: Call[HistoryDesk],
    asked: Asked,
    read: Read[LineRow],
    show: Show,
    before_id: UUID,
    standings: Sequence[Standing],
) -> Pages:
    """See `Texts`; the first page is read, so that the status tells of a failure."""
    whole = await call.desk.whole_offsets(
        call.principal, asked.wanted, before_id=before_id, standings=standings
    )
    return await begun(whole or _texts(read, show, before_id, standings))


async def _texts(
    read: Read[LineRow], show: Show, before_id: UUID, standings: Sequence[Standing]
) -> Pages:
    """The same from rows."""
    async for page in all_pages(read, before_id=before_id):
        wanted = [line for line in page if line.standing in standings]
        certified, uncertified = _parted(wanted, show)
        yield OffsetTexts(
            certified=join_rows(certified),
            uncertified=join_rows(uncertified),
            ids=IdRange(from_id=page[-1].id, before_id=page[0].id),
        )


async def _in_pieces(
    call: Call[HistoryDesk],
    stats: StatsBody,
    pages: Pages,
    texts: Texts,
) -> AsyncGenerator[bytes, None]:
    """The certified rows of every page, then the uncertified ones."""
    kept: list[bytes] = []
    read_again_below: UUID | None = None
    mark = b""
    yield b'{"stats":' + encode_json(stats) + b',"offsetOrders":['
    async with aclosing(pages):
        async for page in pages:
            if page.certified:
                yield mark
                yield page.certified
                mark = b","
            if page.uncertified:
                kept.append(page.uncertified)
            if sum(map(len, kept)) > KEPT_BYTES:
                read_again_below = page.ids.from_id
                break
    if read_again_below is not None:
        async with aclosing(await texts(read_again_below, CERTIFIED)) as pages:
            async for page in pages:
                if page.certified:
                    yield mark
                    yield page.certified
                    mark = b","
    yield b'],"uncertifiedOffsetOrders":[' + b",".join(kept)
    if read_again_below is not None:
        async with aclosing(await texts(read_again_below, UNCERTIFIED)) as pages:
            async for page in pages:
                if page.uncertified:
                    yield b","
                    yield page.uncertified
    yield end_of(call)
