"""`GET /api/offset-orders`: an account's offset lines with its totals.

Without `limit` the whole history comes back, streamed: pages are read one after the other and never
held together, so an account with a million rows gets them in bounded memory. The certified list has
to stand before the uncertified one, so uncertified rows are kept while they are few; if there are
many, the history below them is read a second time.
"""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from litestar import Response
from litestar.response import Stream

from fieldfare.catalog.model import Catalogue
from fieldfare.http.answers import CONTENT_TYPE, encode_json, json_answer
from fieldfare.http.call import Call
from fieldfare.http.paging import (
    id_parameter,
    instant_parameter,
    pairs_parameter,
    whole_parameter,
)
from fieldfare.impact.schemas import OffsetOrderRow, StatsBody, offset_order_row, stats_body
from fieldfare.impact.service.history import HistoryDesk
from fieldfare.kernel import limits
from fieldfare.orders.model import EARLIEST, LATEST, LineRow, LinesWanted
from fieldfare.orders.service.history import HIGHEST_ID

UNCERTIFIED_KEPT = 2_000


async def list_offset_orders(call: Call[HistoryDesk]) -> Response[Any]:
    """`GET /api/offset-orders`."""
    wanted, before_id, limit = _read_query(call)
    catalogue = await call.desk.catalogue()
    stats = stats_body(await call.desk.stats(call.principal))
    group_id = call.query.get("order_group_id")
    if group_id:
        group = await call.desk.lines_of_group(call.principal, "offset", group_id)
        lines = [line for line in group if _is_wanted(line, wanted, before_id)]
    elif limit is not None:
        lines = await call.desk.lines(
            call.principal, wanted, before_id=before_id, at_most=limit + 1
        )
    else:
        pages = await _begun(call.desk.all_lines(call.principal, wanted, before_id=before_id))
        return Stream(
            _whole_history(call, stats, catalogue, wanted, pages), media_type=CONTENT_TYPE
        )
    more = limit is not None and len(lines) > limit
    return _answer(call, stats, catalogue, lines[:limit], paged=limit is not None, more=more)


def _read_query(call: Call[HistoryDesk]) -> tuple[LinesWanted, UUID, int | None]:
    wanted = LinesWanted(
        kind="offset",
        created_after=instant_parameter(call.query, "created_after") or EARLIEST,
        created_before=instant_parameter(call.query, "created_before") or LATEST,
        metadata=pairs_parameter(call.query, "metadata"),
    )
    limit = whole_parameter(call.query, "limit", low=1, high=limits.ORDERS_PAGE_ROWS, default=None)
    return wanted, id_parameter(call.query, "cursor") or HIGHEST_ID, limit


def _is_wanted(line: LineRow, wanted: LinesWanted, before_id: UUID) -> bool:
    pairs = (wanted.metadata or {}).items()
    return (
        line.id < before_id
        and wanted.created_after <= line.created_at < wanted.created_before
        and pairs <= (line.metadata or {}).items()
    )


async def _begun(pages: AsyncIterator[list[LineRow]]) -> AsyncIterator[list[LineRow]]:
    """The same pages with the first one read, so that a failure is still told by the status."""
    first = await anext(pages, None)

    async def all_of_them() -> AsyncIterator[list[LineRow]]:
        if first is not None:
            yield first
            async for page in pages:
                yield page

    return all_of_them()


def _answer(
    call: Call[HistoryDesk],
    stats: StatsBody,
    catalogue: Catalogue,
    lines: list[LineRow],
    *,
    paged: bool,
    more: bool = False,
) -> Response[bytes]:
    rows = _rows(call, catalogue, lines)
    body: dict[str, Any] = {
        "stats": stats,
        "offsetOrders": [row for row in rows if not _is_uncertified(row)],
        "uncertifiedOffsetOrders": [row for row in rows if _is_uncertified(row)],
    }
    if paged:
        body["nextCursor"] = str(lines[-1].id) if more else None
    if call.principal.is_test:
        body["test"] = True
    return json_answer(body)


def _rows(
    call: Call[HistoryDesk], catalogue: Catalogue, lines: list[LineRow]
) -> list[OffsetOrderRow]:
    url, test = call.desk.public_url, call.principal.is_test
    return [offset_order_row(line, catalogue, url, test=test) for line in lines]


def _is_uncertified(row: OffsetOrderRow) -> bool:
    return row.standing == "uncertified"


async def _whole_history(
    call: Call[HistoryDesk],
    stats: StatsBody,
    catalogue: Catalogue,
    wanted: LinesWanted,
    pages: AsyncIterator[list[LineRow]],
) -> AsyncIterator[bytes]:
    """The body in pieces: the certified rows of every page, then the uncertified ones."""
    kept: list[bytes] = []
    read_again_below: UUID | None = None
    mark = b""
    yield b'{"stats":' + encode_json(stats) + b',"offsetOrders":['
    async for page in pages:
        rows = _rows(call, catalogue, page)
        certified = _join(row for row in rows if not _is_uncertified(row))
        if certified:
            yield mark + certified
            mark = b","
        uncertified = _join(row for row in rows if _is_uncertified(row))
        if uncertified and read_again_below is None:
            kept.append(uncertified)
            if len(kept) * len(page) > UNCERTIFIED_KEPT:
                read_again_below = page[-1].id
    yield b'],"uncertifiedOffsetOrders":[' + b",".join(kept)
    if read_again_below is not None:
        async for page in call.desk.all_lines(call.principal, wanted, before_id=read_again_below):
            rows = _rows(call, catalogue, page)
            uncertified = _join(row for row in rows if _is_uncertified(row))
            if uncertified:
                yield b"," + uncertified
    yield b'],"test":true}' if call.principal.is_test else b"]}"


def _join(rows: Any) -> bytes:
    return b",".join(encode_json(row) for row in rows)
