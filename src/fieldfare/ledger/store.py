"""The ledger's rows: one typed function for each query."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.ledger.model import Entry, EntryKind, Leg, MovementKind, Wallet

_queries = load_queries(__file__)


async def find_wallet(conn: Connection, account_id: int) -> Wallet | None:
    """The wallet of an account; None before its first credit."""
    row = await _queries.find_wallet(conn, account_id=account_id)
    return None if row is None else Wallet(**row)


async def list_entries(
    conn: Connection, account_id: int, *, up_to_number: int, at_most: int
) -> list[Entry]:
    """Entries whose number is at most `up_to_number`, newest first."""
    rows = _queries.list_entries(
        conn, account_id=account_id, up_to_number=up_to_number, at_most=at_most
    )
    return [Entry(**row) async for row in rows]


async def adjust(
    conn: Connection,
    *,
    entry_id: UUID,
    leg_ids: tuple[UUID, UUID],
    account_id: int,
    change_cents: int,
    reason: str,
) -> int:
    """Change a balance, with its entry and both legs; gives the balance after."""
    balance: int = await _queries.adjust(
        conn,
        entry_id=entry_id,
        leg_ids=list(leg_ids),
        account_id=account_id,
        change_cents=change_cents,
        reason=reason,
    )
    return balance


async def list_wallets(conn: Connection, *, after_account_id: int, at_most: int) -> list[Wallet]:
    """A page of all wallets, in the order of their accounts."""
    rows = _queries.list_wallets(conn, after_account_id=after_account_id, at_most=at_most)
    return [Wallet(**row) async for row in rows]


async def list_entries_from(
    conn: Connection, position: tuple[int, int, UUID], *, up_to_account_id: int, at_most: int
) -> list[Any]:
    """A page of entries after a position (account, number, id), by account and number."""
    account_id, number, entry_id = position
    rows = _queries.list_entries_from(
        conn,
        after_account_id=account_id,
        after_number=number,
        after_id=entry_id,
        up_to_account_id=up_to_account_id,
        at_most=at_most,
    )
    return [row async for row in rows]


async def list_deductions(
    conn: Connection, group_ids: list[UUID], *, from_id: UUID, to_id: UUID
) -> list[tuple[UUID, int, int]]:
    """The deductions for some purchases: purchase, account that paid, cents (positive).

    Only entries whose ids lie from `from_id` to below `to_id` are looked at.
    """
    rows = _queries.list_entries_of_groups(conn, group_ids=group_ids, from_id=from_id, to_id=to_id)
    return [(row["group_id"], row["account_id"], -row["amount_cents"]) async for row in rows]


async def list_deductions_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of all deductions: id, account_id, group_id, amount_cents."""
    rows = _queries.list_deductions_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_wrong_legs(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of legs that do not fit their movement, with its sum, or their adjustment."""
    rows = _queries.list_wrong_legs(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_unbooked_adjustments(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of adjustments without exactly one leg in each book, with how many there are."""
    rows = _queries.list_unbooked_adjustments(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_unexplained_debts(
    conn: Connection, *, after_account_id: int, at_most: int
) -> list[Any]:
    """A page of accounts whose wallet owes other than what the journal says."""
    rows = _queries.list_unexplained_debts(conn, after_account_id=after_account_id, at_most=at_most)
    return [row async for row in rows]


async def change_credits(
    conn: Connection,
    *,
    entry_id: UUID,
    account_id: int,
    entry_kind: EntryKind,
    movement_kind: MovementKind,
    change_cents: int,
    group_id: UUID | None,
    description: str,
) -> int:
    """Change a balance, with its entry and its leg in the book of credits; gives the balance."""
    balance: int = await _queries.change_credits(
        conn,
        entry_id=entry_id,
        leg_id=new_id(),
        account_id=account_id,
        entry_kind=entry_kind,
        movement_kind=movement_kind,
        change_cents=change_cents,
        group_id=group_id,
        description=description,
    )
    return balance


async def insert_legs(
    conn: Connection, movement_id: UUID, kind: MovementKind, legs: Sequence[Leg], memo: str
) -> None:
    """Write legs of one movement."""
    await _queries.insert_legs(
        conn,
        movement_id=movement_id,
        kind=kind,
        memo=memo,
        ids=[new_id() for _ in legs],
        books=[leg.book for leg in legs],
        account_ids=[leg.account_id for leg in legs],
        currencies=[leg.currency for leg in legs],
        amounts_micro=[leg.amount_micro for leg in legs],
    )


async def lock_wallet(conn: Connection, account_id: int) -> Wallet:
    """The wallet of an account, made if there is none, locked until the transaction ends."""
    await _queries.open_wallet(conn, account_id=account_id)
    return Wallet(**await _queries.lock_wallet(conn, account_id=account_id))


async def update_owed(conn: Connection, account_id: int, change_cents: int) -> None:
    """Change what an account owes; the wallet is locked by the caller."""
    await _queries.update_owed(conn, account_id=account_id, change_cents=change_cents)
