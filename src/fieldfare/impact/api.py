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
        lines = await call.desk.lines_of_group(call.principal, "offset", group_id)
        return _answer(call, stats, catalogue, lines, paged=limit is not None)
    if limit is None:
        return Stream(
            _whole_history(call, stats, catalogue, wanted, before_id),
            media_type=CONTENT_TYPE,
        )
    lines = await call.desk.lines(call.principal, wanted, before_id=before_id, at_most=limit + 1)
    more = len(lines) > limit
    return _answer(call, stats, catalogue, lines[:limit], paged=True, more=more)


def _read_query(call: Call[HistoryDesk]) -> tuple[LinesWanted, UUID, int | None]:
    wanted = LinesWanted(
        kind="offset",
        created_after=instant_parameter(call.query, "created_after") or EARLIEST,
        created_before=instant_parameter(call.query, "created_before") or LATEST,
        metadata=pairs_parameter(call.query, "metadata"),
    )
    limit = whole_parameter(call.query, "limit", low=1, high=limits.ORDERS_PAGE_ROWS, default=None)
    return wanted, id_parameter(call.query, "cursor") or HIGHEST_ID, limit


def _answer(
    call: Call[HistoryDesk],
    stats: StatsBody,
    catalogue: Catalogue,
    lines: list[LineRow],
    *,
    paged: bool,
    more: bool = False,
) -> Response[bytes]:
    rows = [offset_order_row(line, catalogue, call.desk.public_url) for line in lines]
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


def _is_uncertified(row: OffsetOrderRow) -> bool:
    return row.standing == "uncertified"


async def _whole_history(
    call: Call[HistoryDesk],
    stats: StatsBody,
    catalogue: Catalogue,
    wanted: LinesWanted,
    before_id: UUID,
) -> AsyncIterator[bytes]:
    """The body in pieces: the certified rows of every page, then the uncertified ones."""
    url = call.desk.public_url
    kept: list[bytes] = []
    read_again_below: UUID | None = None
    mark = b""
    yield b'{"stats":' + encode_json(stats) + b',"offsetOrders":['
    async for page in call.desk.all_lines(call.principal, wanted, before_id=before_id):
        rows = [offset_order_row(line, catalogue, url) for line in page]
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
            rows = [offset_order_row(line, catalogue, url) for line in page]
            uncertified = _join(row for row in rows if _is_uncertified(row))
            if uncertified:
                yield b"," + uncertified
    yield b'],"test":true}' if call.principal.is_test else b"]}"


def _join(rows: Any) -> bytes:
    return b",".join(encode_json(row) for row in rows)
