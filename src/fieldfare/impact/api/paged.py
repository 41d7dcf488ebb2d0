"""A list of an account's rows, newest first: as one whole, or page by page.

Without `limit` the whole history goes out, streamed: pages are read one after the other and never
held together, so an account with a million rows gets them in bounded memory. Each page lies below
the last id of the one before, so rows that come in meanwhile are neither shown twice nor push any
other out. An object tells the next page's cursor as `nextCursor`, a bare array in a `Link` header
(RFC 8288).
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Response
from litestar.response import Stream

from fieldfare.http.answers import json_answer
from fieldfare.http.call import Call
from fieldfare.http.encoding import CONTENT_TYPE, encode_json
from fieldfare.http.paging import (
    id_parameter,
    instant_parameter,
    pairs_parameter,
    whole_parameter,
)
from fieldfare.impact.schemas import PurchaseList, Showing, TreeOrderList
from fieldfare.impact.service.history import HistoryDesk
from fieldfare.kernel import limits
from fieldfare.orders.model import EARLIEST, LATEST, LineRow, PurchaseRow, RowsWanted
from fieldfare.orders.service.history import HIGHEST_ID

RowT = TypeVar("RowT", LineRow, PurchaseRow)
PageT = TypeVar("PageT")
READ_AT_ONCE = limits.ORDERS_PAGE_ROWS
SENT_BYTES = 256 * 1024
"""What of a whole list waits to be sent together."""


class Read(Protocol[RowT]):
    """Gives a page of rows below an id, newest first."""

    def __call__(self, *, before_id: UUID, at_most: int) -> Awaitable[list[RowT]]:
        """At most so many; fewer mean that there are no more."""
        ...


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks of a list."""

    wanted: RowsWanted
    before_id: UUID
    limit: int | None
    """None: everything at once."""


def read_query(query: Mapping[str, str]) -> Asked:
    """The parameters that all lists share; raises `InvalidRequest` naming the first bad one."""
    return Asked(
        wanted=RowsWanted(
            created_after=instant_parameter(query, "created_after") or EARLIEST,
            created_before=instant_parameter(query, "created_before") or LATEST,
            metadata=pairs_parameter(query, "metadata"),
            group_id=query.get("order_group_id") or None,
        ),
        limit=whole_parameter(query, "limit", low=1, high=limits.ORDERS_PAGE_ROWS, default=None),
        before_id=id_parameter(query, "cursor") or HIGHEST_ID,
    )


def showing_of(call: Call[HistoryDesk]) -> Showing:
    """To whom rows are shown."""
    return Showing(public_url=call.desk.public_url, test=call.principal.is_test)


async def answer_list(
    call: Call[HistoryDesk],
    asked: Asked,
    read: Read[RowT],
    show: Callable[[RowT], msgspec.Struct],
    *,
    body: type[TreeOrderList] | type[PurchaseList] | None = None,
) -> Response[Any]:
    """The list as the first field of an object, or as a bare array."""
    field = None if body is None else msgspec.structs.fields(body)[0]
    if asked.limit is None:
        pages = await begun(all_pages(read, before_id=asked.before_id))
        return stream(_in_pieces(call, pages, show, field.encode_name if field else None))
    found = await read(before_id=asked.before_id, at_most=asked.limit + 1)
    rows, cursor = cut_page(found, asked.limit)
    shown = [show(row) for row in rows]
    if body is None or field is None:
        return json_answer(shown, headers=_link(call, cursor))
    parts: dict[str, Any] = {field.name: shown, "next_cursor": cursor, "test": test_mark(call)}
    return json_answer(body(**parts))


def cut_page(rows: list[RowT], limit: int) -> tuple[list[RowT], str | None]:
    """A page of rows, and the cursor of the next one: of one row more, if there are so many."""
    more = len(rows) > limit
    return rows[:limit], str(rows[limit - 1].id) if more else None


async def all_pages(read: Read[RowT], *, before_id: UUID) -> AsyncGenerator[list[RowT], None]:
    """Every row below an id, in pages of at least one row."""
    while True:
        page = await read(before_id=before_id, at_most=READ_AT_ONCE)
        if page:
            yield page
        if len(page) < READ_AT_ONCE:
            return
        before_id = page[-1].id


async def begun(pages: AsyncGenerator[PageT, None]) -> AsyncGenerator[PageT]:
    """The same pages; the first is read already, so that the status tells of a failure."""
    first = await anext(pages, None)

    async def all_of_them() -> AsyncGenerator[PageT, None]:
        async with aclosing(pages):
            if first is not None:
                yield first
                async for page in pages:
                    yield page

    return all_of_them()


def stream(pieces: AsyncGenerator[bytes, None]) -> Response[Any]:
    """A body that goes out while it is made."""
    return Stream(_gathered(pieces), media_type=CONTENT_TYPE)


async def _gathered(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The same bytes in larger pieces: each takes its way through the framework and the server."""
    held: list[bytes] = []
    async with aclosing(pieces):
        async for piece in pieces:
            held.append(piece)
            if sum(map(len, held)) >= SENT_BYTES:
                yield b"".join(held)
                held = []
    yield b"".join(held)


def join_rows(rows: list[Any]) -> bytes:
    """Encoded rows with commas between them: an array without its brackets."""
    return encode_json(rows)[1:-1]


def test_mark(call: Call[HistoryDesk]) -> Literal[True] | msgspec.UnsetType:
    """What the object of a list ends with in test mode."""
    return True if call.principal.is_test else msgspec.UNSET


async def _in_pieces(
    call: Call[HistoryDesk],
    pages: AsyncIterator[list[RowT]],
    show: Callable[[RowT], msgspec.Struct],
    name: str | None,
) -> AsyncGenerator[bytes, None]:
    yield b"[" if name is None else b"{" + encode_json(name) + b":["
    mark = b""
    async for page in pages:
        yield mark + join_rows([show(row) for row in page])
        mark = b","
    yield b"]" if name is None else end_of(call)


def end_of(call: Call[HistoryDesk]) -> bytes:
    """How an object ends whose last list is open."""
    return b'],"test":true}' if call.principal.is_test else b"]}"


def _link(call: Call[HistoryDesk], cursor: str | None) -> dict[str, str]:
    if cursor is None:
        return {}
    parameters = urlencode({**call.query, "cursor": cursor})
    path = call.request.scope["path"]
    return {"Link": f'<{call.desk.public_url}{path}?{parameters}>; rel="next"'}
