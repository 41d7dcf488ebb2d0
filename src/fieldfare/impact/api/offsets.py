"""`GET /api/offset-orders`: an account's offset lines with its totals.

The certified list has to stand before the uncertified one. So while the certified rows of a whole
history go out, uncertified ones are kept as long as they are few; if there are many, the history
below them is read a second time.
"""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

from litestar import Response

from fieldfare.http.answers import json_answer
from fieldfare.http.call import Call
from fieldfare.http.encoding import encode_json
from fieldfare.impact.api.paged import (
    Read,
    all_pages,
    end_of,
    join_rows,
    one_page,
    read_query,
    showing_of,
    stream,
    test_mark,
)
from fieldfare.impact.schemas import OffsetOrderRow, StatsBody, offset_order_row, stats_body
from fieldfare.impact.service.history import HistoryDesk
from fieldfare.orders.model import LineRow

UNCERTIFIED_KEPT = 2_000

Rows: TypeAlias = list[OffsetOrderRow]
Show: TypeAlias = Callable[[LineRow], OffsetOrderRow]


async def list_offset_orders(call: Call[HistoryDesk]) -> Response[Any]:
    """`GET /api/offset-orders`."""
    asked = read_query(call.query)
    catalogue = await call.desk.catalogue()
    stats = stats_body(await call.desk.stats(call.principal))
    show = partial(offset_order_row, catalogue=catalogue, showing=showing_of(call))
    read: Read[LineRow] = partial(call.desk.lines, call.principal, "offset", asked.wanted)
    if asked.limit is None:
        pages = await all_pages(read, before_id=asked.before_id)
        return stream(_in_pieces(call, stats, pages, read, show))
    lines, cursor = await one_page(read, before_id=asked.before_id, limit=asked.limit)
    certified, uncertified = _parted(lines, show)
    return json_answer(
        {
            "stats": stats,
            "offsetOrders": certified,
            "uncertifiedOffsetOrders": uncertified,
            "nextCursor": cursor,
            **test_mark(call),
        }
    )


def _parted(lines: list[LineRow], show: Show) -> tuple[Rows, Rows]:
    """The rows that are certified in some way, and the others."""
    certified = [show(line) for line in lines if line.standing != "uncertified"]
    return certified, [show(line) for line in lines if line.standing == "uncertified"]


async def _in_pieces(
    call: Call[HistoryDesk],
    stats: StatsBody,
    pages: AsyncIterator[list[LineRow]],
    read: Read[LineRow],
    show: Show,
) -> AsyncIterator[bytes]:
    """The certified rows of every page, then the uncertified ones."""
    kept: Rows = []
    read_again_below: UUID | None = None
    mark = b""
    yield b'{"stats":' + encode_json(stats) + b',"offsetOrders":['
    async for page in pages:
        certified, uncertified = _parted(page, show)
        if certified:
            yield mark + join_rows(certified)
            mark = b","
        if read_again_below is None:
            kept += uncertified
            if len(kept) > UNCERTIFIED_KEPT:
                read_again_below = page[-1].id
    yield b'],"uncertifiedOffsetOrders":[' + join_rows(kept)
    if read_again_below is not None:
        async for page in await all_pages(read, before_id=read_again_below):
            _, uncertified = _parted(page, show)
            if uncertified:
                yield b"," + join_rows(uncertified)
    yield end_of(call)
