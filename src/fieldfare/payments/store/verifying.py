"""The payments' rows as they are read to be held against each other; no request reads them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries

_queries = load_queries(__file__)


async def list_payments_of(conn: Connection, subject_ids: Sequence[UUID]) -> list[Any]:
    """The rows of the payments for some purchases or top-ups."""
    return [row async for row in _queries.list_payments_of(conn, subject_ids=subject_ids)]


async def list_payments_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of all payments, oldest first: id, subject, subject_id."""
    rows = _queries.list_payments_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_payments_at_no_rate(conn: Connection, payment_ids: Sequence[UUID]) -> set[UUID]:
    """Those of some payments whose rate was never that of their currency; 1 is let pass."""
    rows = _queries.list_payments_at_no_rate(conn, payment_ids=payment_ids)
    return {row["id"] async for row in rows}


async def list_top_ups_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of all top-ups, oldest first: their rows."""
    rows = _queries.list_top_ups_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_known_top_ups(conn: Connection, top_up_ids: Sequence[UUID]) -> set[UUID]:
    """Those of some ids that are a top-up's."""
    rows = _queries.list_known_top_ups(conn, top_up_ids=top_up_ids)
    return {row["id"] async for row in rows}


async def list_entries_of_top_ups(conn: Connection, entry_ids: Sequence[UUID]) -> set[UUID]:
    """Those of some entries of the ledger that a top-up names as its own."""
    rows = _queries.list_entries_of_top_ups(conn, entry_ids=entry_ids)
    return {row["entry_id"] async for row in rows}


async def list_top_up_refunds_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of the refunds of top-ups, oldest first, each with what its payment says."""
    rows = _queries.list_top_up_refunds_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_returns_of_top_ups(conn: Connection, top_up_ids: Sequence[UUID]) -> list[Any]:
    """What says that credits of some top-ups are gone.

    Columns subject_id, account_id, table_name, row_key, credits_cents.
    """
    rows = _queries.list_returns_of_top_ups(conn, top_up_ids=top_up_ids)
    return [row async for row in rows]


async def list_returns_of_accounts(
    conn: Connection, *, above_account_id: int, up_to_account_id: int
) -> list[Any]:
    """The same for a range of accounts, with what refunds under way hold."""
    rows = _queries.list_returns_of_accounts(
        conn, above_account_id=above_account_id, up_to_account_id=up_to_account_id
    )
    return [row async for row in rows]


async def list_order_refunds(conn: Connection, ids: Sequence[UUID]) -> list[Any]:
    """The rows of some refunds of orders, with what their payments say."""
    return [row async for row in _queries.list_order_refunds(conn, ids=ids)]


async def list_order_refunds_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of every refund that is not of a top-up, by id."""
    rows = _queries.list_order_refunds_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_known_refunds(conn: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Those of the ids under which there is a refund."""
    return {row["id"] async for row in _queries.list_known_refunds(conn, ids=ids)}


async def list_returned(conn: Connection, payment_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Of some payments, what can have gone back beyond what was bought, in the charge's unit."""
    rows = _queries.list_returned(conn, payment_ids=payment_ids)
    return {row["payment_id"]: int(row["returned_minor"]) async for row in rows}


async def list_disputes_from(conn: Connection, *, after_id: str, at_most: int) -> list[Any]:
    """A page of all disputes, by id, each with what its payment says."""
    rows = _queries.list_disputes_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_disputes_of_subjects(conn: Connection, subject_ids: Sequence[UUID]) -> list[Any]:
    """Every dispute about some purchases or top-ups: dispute_id, state, subject_id."""
    rows = _queries.list_disputes_of_subjects(conn, subject_ids=subject_ids)
    return [row async for row in rows]


async def list_transactions_from(conn: Connection, *, after_id: str, at_most: int) -> list[Any]:
    """A page of all balance transactions, each with what its source says now."""
    rows = _queries.list_transactions_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_known_movements(conn: Connection, movement_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the ids that are the movement of a balance transaction."""
    rows = _queries.list_known_movements(conn, movement_ids=movement_ids)
    return {row["movement_id"] async for row in rows}
