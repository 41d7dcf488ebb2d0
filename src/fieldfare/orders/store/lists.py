"""An account's lines and purchases, newest first, a page at a time; and the public's feed."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from fieldfare.catalog.model import Standing
from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.kernel.ids import floor_id, instant_of
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

BOUGHT_BEFORE = timedelta(days=8)
"""By how much an order is usually older than its lines, at the most: they are drawn once it is
paid."""

_queries = load_queries(__file__)


async def list_lines(
    conn: Connection,
    account_id: int,
    kind: LineKind,
    wanted: RowsWanted,
    ids: IdRange,
    *,
    at_most: int,
) -> list[LineRow]:
    """Lines of one kind within a range of ids, newest first, whatever their group."""
    bounds = _bounds(account_id, wanted, ids, at_most) | {"kind": kind}
    if wanted.metadata:
        rows = _queries.list_tagged_lines(conn, **bounds, **_tag(wanted.metadata))
        return [LineRow(**row) async for row in rows]
    bought_from_id = floor_id(max(instant_of(ids.from_id) - BOUGHT_BEFORE, EARLIEST))
    lines = _queries.list_lines(conn, **bounds, bought_from_id=bought_from_id)
    rows = [dict(row) async for row in lines]
    await _complete(conn, [row for row in rows if row["currency"] is None])
    return [LineRow(**row) for row in rows]


async def _complete(conn: Connection, lines: list[dict[str, Any]]) -> None:
    """Add what lines show of their orders, where these were paid for so late that it is missing."""
    if not lines:
        return
    purchase_ids = {line["purchase_id"] for line in lines}
    rows = _queries.list_bought(conn, purchase_ids=list(purchase_ids))
    bought = {row["purchase_id"]: row async for row in rows}
    for line in lines:
        line.update(bought[line["purchase_id"]])


async def find_first(conn: Connection) -> UUID | None:
    """The id of the oldest order of all."""
    first: UUID | None = await _queries.find_first(conn)
    return first


async def find_cuts(
    conn: Connection, account_id: int, ids: IdRange, *, rows: int, pages: int
) -> list[UUID]:
    """The ids of the last lines of a range's first pages of so many offset lines, newest first.

    Fewer than `pages` if there are fewer full ones.
    """
    cuts = _queries.find_cuts(
        conn,
        account_id=account_id,
        before_id=ids.before_id,
        from_id=ids.from_id,
        rows=rows,
        pages=pages,
    )
    return [cut["id"] async for cut in cuts]


async def write_offset_texts(
    conn: Connection,
    account_id: int,
    wanted: RowsWanted,
    pages: Sequence[IdRange],
    standings: Sequence[Standing],
    labels: LineLabels,
    *,
    most_bytes: int,
) -> list[OffsetTexts | None]:
    """Each page's offset lines of some standings, of whatever metadata, as the list shows them.

    None for a page that comes to more than `most_bytes`.
    """
    rows = _queries.write_offset_texts(
        conn,
        account_id=account_id,
        from_ids=[ids.from_id for ids in pages],
        before_ids=[ids.before_id for ids in pages],
        created_after=wanted.created_after,
        created_before=wanted.created_before,
        standings=standings,
        project_ids=list(labels.projects),
        projects=list(labels.projects.values()),
        certificates_at=labels.certificates_at,
        most_bytes=most_bytes,
    )
    written = {row["number"]: row async for row in rows}
    return [_texts(written[number], ids) for number, ids in enumerate(pages, start=1)]


def _texts(row: Any, ids: IdRange) -> OffsetTexts | None:
    if not row["is_given"]:
        return None
    return OffsetTexts(
        certified=row["certified"] or b"", uncertified=row["uncertified"] or b"", ids=ids
    )


async def list_lines_of_purchase(
    conn: Connection, account_id: int, kind: LineKind, purchase_id: UUID
) -> list[LineRow]:
    """All lines of one purchase, newest first; none if it is another account's."""
    rows = _queries.list_lines_of_purchase(
        conn, account_id=account_id, kind=kind, purchase_id=purchase_id
    )
    return [LineRow(**row) async for row in rows]


async def list_purchases(
    conn: Connection, account_id: int, wanted: RowsWanted, ids: IdRange, *, at_most: int
) -> list[PurchaseRow]:
    """Paid orders within a range of ids, newest first."""
    bounds = _bounds(account_id, wanted, ids, at_most)
    rows = (
        _queries.list_tagged_purchases(conn, **bounds, **_tag(wanted.metadata))
        if wanted.metadata
        else _queries.list_purchases(conn, **bounds)
    )
    return [PurchaseRow(**row) async for row in rows]


async def list_recent_purchases(
    conn: Connection, *, without_ids: Sequence[UUID], looked_at: int, at_most: int
) -> list[RecentPurchase]:
    """The newest offset orders of anybody of which something stands, newest first."""
    rows = _queries.list_recent_purchases(
        conn, without_ids=without_ids, looked_at=looked_at, at_most=at_most
    )
    return [RecentPurchase(**row) async for row in rows]


def _bounds(account_id: int, wanted: RowsWanted, ids: IdRange, at_most: int) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "before_id": ids.before_id,
        "from_id": ids.from_id,
        "created_after": wanted.created_after,
        "created_before": wanted.created_before,
        "at_most": at_most,
    }


def _tag(metadata: dict[str, str]) -> dict[str, Any]:
    """Rows are looked for by one pair, and then held against all of them."""
    key, value = next(iter(metadata.items()))
    return {"key": key, "value": value, "pairs": metadata}
