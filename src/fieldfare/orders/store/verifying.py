"""The orders' rows as they are read to be held against each other; no request reads them."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries

_queries = load_queries(__file__)


async def list_purchases_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of all purchases, oldest first."""
    rows = _queries.list_purchases_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


def list_lines_of_purchases(conn: Connection, purchase_ids: list[UUID]) -> AsyncIterator[Any]:
    """Every line of these purchases, by purchase and project."""
    rows: AsyncIterator[Any] = _queries.list_lines_of_purchases(conn, purchase_ids=purchase_ids)
    return rows


async def list_charges_of(conn: Connection, purchase_ids: list[UUID]) -> list[tuple[str, UUID]]:
    """The charges that lead to these purchases: charge id, purchase id."""
    rows = _queries.list_charges_of(conn, purchase_ids=purchase_ids)
    return [(row["charge_id"], row["purchase_id"]) async for row in rows]


async def list_orphan_lines(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of lines whose purchase is not there: id, purchase_id."""
    rows = _queries.list_orphan_lines(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_wrongly_refunded(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of purchases whose refunds, or whose state, do not agree with what they say."""
    rows = _queries.list_wrongly_refunded(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_wrongly_refunded_lines(
    conn: Connection, *, after_id: UUID, at_most: int
) -> list[Any]:
    """A page of lines whose parts in refunds do not agree with what they say."""
    rows = _queries.list_wrongly_refunded_lines(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_refunds_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of all refunds, by id, with what their purchases say."""
    rows = _queries.list_refunds_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_refund_lines_of(conn: Connection, refund_ids: Sequence[UUID]) -> list[Any]:
    """The parts of some refunds, with what their lines say."""
    return [row async for row in _queries.list_refund_lines_of(conn, refund_ids=refund_ids)]


async def list_refunds_of_ids(conn: Connection, ids: Sequence[UUID]) -> dict[UUID, Any]:
    """Those of the ids under which there is a refund: purchase_id, state, amount_minor."""
    return {row["id"]: row async for row in _queries.list_refunds_of_ids(conn, ids=ids)}


async def list_disputed_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[UUID]:
    """A page of the purchases that are disputed, by id."""
    rows = _queries.list_disputed_from(conn, after_id=after_id, at_most=at_most)
    return [row["id"] async for row in rows]


async def list_lost_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of what lost disputes took of purchases: id, purchase_id."""
    rows = _queries.list_lost_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_states_of_ids(conn: Connection, purchase_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The states of those of the ids under which there is a purchase."""
    rows = _queries.list_states_of_ids(conn, purchase_ids=purchase_ids)
    return {row["id"]: row["state"] async for row in rows}
