"""An account's lines and purchases, newest first, a page at a time; and the public's feed."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.orders.model import LineKind, LineRow, PurchaseRow, RecentPurchase, RowsWanted

_queries = load_queries(__file__)


async def list_lines(
    conn: Connection,
    account_id: int,
    kind: LineKind,
    wanted: RowsWanted,
    *,
    before_id: UUID,
    at_most: int,
) -> list[LineRow]:
    """Lines of one kind below an id, newest first, whatever their group."""
    bounds = _bounds(account_id, wanted, wanted.from_id, before_id, at_most) | {"kind": kind}
    rows = (
        _queries.list_tagged_lines(conn, **bounds, **_tag(wanted.metadata))
        if wanted.metadata
        else _queries.list_lines(conn, **bounds)
    )
    return [LineRow(**row) async for row in rows]


async def list_lines_of_purchase(
    conn: Connection, account_id: int, kind: LineKind, purchase_id: UUID
) -> list[LineRow]:
    """All lines of one purchase, newest first; none if it is another account's."""
    rows = _queries.list_lines_of_purchase(
        conn, account_id=account_id, kind=kind, purchase_id=purchase_id
    )
    return [LineRow(**row) async for row in rows]


async def list_purchases(
    conn: Connection,
    account_id: int,
    wanted: RowsWanted,
    *,
    from_id: UUID,
    before_id: UUID,
    at_most: int,
) -> list[PurchaseRow]:
    """Paid orders from an id up and below another, newest first."""
    bounds = _bounds(account_id, wanted, from_id, before_id, at_most)
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


def _bounds(
    account_id: int, wanted: RowsWanted, from_id: UUID, before_id: UUID, at_most: int
) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "before_id": min(before_id, wanted.to_id),
        "from_id": from_id,
        "created_after": wanted.created_after,
        "created_before": wanted.created_before,
        "at_most": at_most,
    }


def _tag(metadata: dict[str, str]) -> dict[str, Any]:
    """Rows are looked for by one pair, and then held against all of them."""
    key, value = next(iter(metadata.items()))
    return {"key": key, "value": value, "pairs": metadata}
