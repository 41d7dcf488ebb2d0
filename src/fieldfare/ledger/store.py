"""The ledger's rows: one typed function for each query."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.ledger.model import AdjustmentRequest, Entry, EntryKind, Leg, MovementKind, Wallet

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
    """A page of legs that do not fit their movement, with its sum, their entry, or their book."""
    rows = _queries.list_wrong_legs(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_unbooked_entries(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of entries without exactly one leg where each is due, with how many there are."""
    rows = _queries.list_unbooked_entries(conn, after_id=after_id, at_most=at_most)
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


async def insert_adjustment_request(
    conn: Connection,
    identifier: UUID,
    *,
    account_id: int,
    change_cents: int,
    reason: str,
    asked_by: int,
) -> None:
    """Keep a change that a second operator has to let through."""
    await _queries.insert_adjustment_request(
        conn,
        id=identifier,
        account_id=account_id,
        change_cents=change_cents,
        reason=reason,
        asked_by=asked_by,
    )


async def lock_adjustment_request(conn: Connection, identifier: UUID) -> AdjustmentRequest | None:
    """A change that was asked for, locked until the transaction ends."""
    row = await _queries.lock_adjustment_request(conn, id=identifier)
    return None if row is None else AdjustmentRequest(**row)


async def update_adjustment_approved(
    conn: Connection, identifier: UUID, *, decided_by: int, entry_id: UUID
) -> None:
    """An open one took effect, with this entry."""
    await _queries.update_adjustment_approved(
        conn, id=identifier, decided_by=decided_by, entry_id=entry_id
    )


async def update_adjustment_refused(
    conn: Connection, identifier: UUID, *, decided_by: int, refusal_reason: str
) -> None:
    """An open one was turned down."""
    await _queries.update_adjustment_refused(
        conn, id=identifier, decided_by=decided_by, refusal_reason=refusal_reason
    )


async def list_open_requests(conn: Connection, at_most: int) -> list[AdjustmentRequest]:
    """What waits for a second operator, oldest first."""
    rows = _queries.list_open_requests(conn, at_most=at_most)
    return [AdjustmentRequest(**row) async for row in rows]


async def count_open_requests(conn: Connection, account_id: int) -> int:
    """How many changes of this account's balance wait for a second operator."""
    count: int = await _queries.count_open_requests(conn, account_id=account_id)
    return count


async def list_wrong_requests(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of changes that were let through, whose entry is not what was asked for."""
    rows = _queries.list_wrong_requests(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_journal_totals(conn: Connection) -> list[Any]:
    """What each book has come to in each currency: book, currency, sum_micro."""
    return [row async for row in _queries.list_journal_totals(conn)]


async def sum_credits(conn: Connection) -> Any:
    """What the wallets hold and what deductions have taken: held_cents, deducted_cents."""
    return await _queries.sum_credits(conn)


async def list_movement_totals(conn: Connection, movement_ids: Sequence[UUID]) -> list[Any]:
    """What some movements do: movement_id, kind, book, currency, sum_micro; none that is zero."""
    rows = _queries.list_movement_totals(conn, movement_ids=movement_ids)
    return [row async for row in rows]


async def list_movements_of(
    conn: Connection, kinds: Sequence[MovementKind], *, after_id: UUID, at_most: int
) -> list[UUID]:
    """A page of the movements that have a leg of one of these kinds."""
    rows = _queries.list_movements_of(conn, kinds=kinds, after_id=after_id, at_most=at_most)
    return [row["movement_id"] async for row in rows]


async def list_balances(conn: Connection, account_ids: Sequence[int]) -> dict[int, int]:
    """What some accounts hold, in US cents; those without a wallet are left out."""
    rows = _queries.list_balances(conn, account_ids=account_ids)
    return {row["account_id"]: row["balance_cents"] async for row in rows}


async def list_entries_of_ids(conn: Connection, entry_ids: Sequence[UUID]) -> list[Any]:
    """Those of some ids that are an entry's: id, account_id, kind, amount_cents."""
    return [row async for row in _queries.list_entries_of_ids(conn, entry_ids=entry_ids)]


async def list_order_refunds_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of all entries that gave credits of an order back: id, group_id."""
    rows = _queries.list_order_refunds_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def list_credits_taken(
    conn: Connection, *, above_account_id: int, up_to_account_id: int
) -> dict[int, int]:
    """By account of a range, what refunds and disputes took apart from orders, in millionths."""
    rows = _queries.list_credits_taken(
        conn, above_account_id=above_account_id, up_to_account_id=up_to_account_id
    )
    return {row["account_id"]: int(row["taken_micro"]) async for row in rows}
