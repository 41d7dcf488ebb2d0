"""The processor's own record of what moved, matched with ours."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.integrations.stripe.model import BalanceTransaction
from fieldfare.payments.model import BalanceRole, BookedTransaction

_queries = load_queries(__file__)


async def find_balance_import(conn: Connection) -> Any:
    """How far the processor's balance is on record: complete_to, oldest_at, newest_at, or None."""
    return await _queries.find_balance_import(conn)


async def update_balance_import(conn: Connection, complete_to: datetime) -> None:
    """The processor's balance is on record up to an instant."""
    await _queries.update_balance_import(conn, complete_to=complete_to)


async def lock_balance(conn: Connection) -> None:
    """Wait until no other import writes, then keep others from it."""
    await _queries.lock_balance(conn)


async def insert_transactions(
    conn: Connection, seen: Sequence[tuple[BalanceTransaction, BalanceRole]]
) -> list[str]:
    """Keep balance transactions; gives the ids of those that were not on record."""
    rows = _queries.insert_transactions(
        conn,
        transaction_ids=[one.transaction_id for one, _ in seen],
        kinds=[one.kind for one, _ in seen],
        roles=[role for _, role in seen],
        source_ids=[one.source_id for one, _ in seen],
        amounts_minor=[one.amount_minor for one, _ in seen],
        fees_minor=[one.fee_minor for one, _ in seen],
        nets_minor=[one.net_minor for one, _ in seen],
        currencies=[one.currency for one, _ in seen],
        exchange_rates=[one.exchange_rate for one, _ in seen],
        created_ats=[one.created_at for one, _ in seen],
        movement_ids=[new_id() for _ in seen],
    )
    return [row["transaction_id"] async for row in rows]


async def match_transactions(conn: Connection, transaction_ids: Sequence[str]) -> list[str]:
    """Note the sources of these that are known by now; gives the ids of those."""
    rows = _queries.match_transactions(conn, transaction_ids=transaction_ids)
    return [row["transaction_id"] async for row in rows]


async def list_transactions(
    conn: Connection, transaction_ids: Sequence[str]
) -> list[BookedTransaction]:
    """Balance transactions, as they are to be booked."""
    rows = _queries.list_transactions(conn, transaction_ids=transaction_ids)
    return [BookedTransaction(**row) async for row in rows]


async def list_unmatched(conn: Connection, *, after_id: str, at_most: int) -> list[str]:
    """A page of the ids of balance transactions that nothing of ours explains yet."""
    rows = _queries.list_unmatched(conn, after_id=after_id, at_most=at_most)
    return [row["transaction_id"] async for row in rows]


async def list_unexplained(conn: Connection, *, patience: timedelta, at_most: int) -> list[Any]:
    """What of those a person has to look at: transaction_id, kind, source_id, amount, currency."""
    rows = _queries.list_unexplained(conn, patience=patience, at_most=at_most)
    return [row async for row in rows]


async def list_unmet_sources(
    conn: Connection, *, after: tuple[str, str], moved_by: datetime, at_most: int
) -> list[Any]:
    """A page of what of ours the balance does not show, after a role and row id.

    source_id, role, row_id, moved_minor, currency, times, matched.
    """
    rows = _queries.list_unmet_sources(
        conn, after_role=after[0], after_row_id=after[1], moved_by=moved_by, at_most=at_most
    )
    return [row async for row in rows]


async def list_balance_totals(conn: Connection) -> list[Any]:
    """In each currency what the processor's record comes to: net_minor, unmet_minor."""
    return [row async for row in _queries.list_balance_totals(conn)]


async def list_card_totals(conn: Connection) -> list[Any]:
    """In each currency what cards paid for purchases: charged_minor, price_cents."""
    return [row async for row in _queries.list_card_totals(conn)]
