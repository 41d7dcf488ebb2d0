"""Holding the ledger's rows against each other; part of `fieldfare verify`.

An entry is held against the one before it, a wallet against its last entry, a leg against its
movement and the entry that it belongs to, a debt against the receivables. Everything is read in
pages, so memory is bounded however long the books are. A damaged amount may be of any size and any
sign: no sum here may overflow.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from fieldfare.db.pool import Connection
from fieldfare.kernel.findings import Finding
from fieldfare.kernel.money import micro_from_cents
from fieldfare.ledger import store
from fieldfare.ledger.model import Wallet

PAGE_ROWS = 5_000
LOWEST_ID = UUID(int=0)
LOWEST, HIGHEST = -(2**63), 2**63 - 1


class WalletRange(msgspec.Struct, frozen=True):
    """All wallets of the accounts above one number up to another; together they cover all."""

    above_account_id: int
    up_to_account_id: int
    wallets: list[Wallet]


class Closing(msgspec.Struct, frozen=True):
    """Where an account's entries have come to."""

    number: int = 0
    balance_cents: int = 0


class Deduction(msgspec.Struct, frozen=True):
    """Credits that were taken for a purchase."""

    entry_id: UUID
    purchase_id: UUID | None


async def verify_ledger(conn: Connection, page_rows: int = PAGE_ROWS) -> AsyncIterator[Finding]:
    """Each wallet against its entries, each entry against the one before, legs against both."""
    async for span in wallet_ranges(conn, page_rows):
        async for finding in _verify_range(conn, span, page_rows):
            yield finding
    async for finding in _verify_legs(conn, page_rows):
        yield finding
    async for finding in _verify_entries(conn, page_rows):
        yield finding
    async for finding in _verify_debts(conn, page_rows):
        yield finding
    async for finding in _verify_requests(conn, page_rows):
        yield finding


async def wallet_ranges(conn: Connection, page_rows: int = PAGE_ROWS) -> AsyncIterator[WalletRange]:
    """Every wallet, in ranges that leave no account out, so that rows without a wallet show too."""
    above = LOWEST
    while above != HIGHEST:
        wallets = await store.list_wallets(conn, after_account_id=above, at_most=page_rows)
        up_to = wallets[-1].account_id if len(wallets) == page_rows else HIGHEST
        yield WalletRange(above, up_to, wallets)
        above = up_to


async def find_deductions(
    conn: Connection, purchase_ids: list[UUID], *, from_id: UUID, to_id: UUID
) -> dict[UUID, list[tuple[int, int]]]:
    """For features above: which accounts paid how many cents for each of these purchases.

    Only entries whose ids lie from `from_id` to below `to_id` are looked at.
    """
    found: dict[UUID, list[tuple[int, int]]] = defaultdict(list)
    for purchase_id, account_id, amount_cents in await store.list_deductions(
        conn, purchase_ids, from_id=from_id, to_id=to_id
    ):
        found[purchase_id].append((account_id, amount_cents))
    return found


async def all_deductions(
    conn: Connection, page_rows: int = PAGE_ROWS
) -> AsyncIterator[list[Deduction]]:
    """For features above: every deduction, in pages."""
    after = LOWEST_ID
    while page := await store.list_deductions_from(conn, after_id=after, at_most=page_rows):
        yield [Deduction(row["id"], row["group_id"]) for row in page]
        after = page[-1]["id"]


async def find_entries(conn: Connection, entry_ids: Sequence[UUID]) -> dict[UUID, Any]:
    """For features above: those of some entries that are there; account_id, kind, amount_cents."""
    return {row["id"]: row for row in await store.list_entries_of_ids(conn, entry_ids)}


async def all_order_refund_entries(
    conn: Connection, page_rows: int = PAGE_ROWS
) -> AsyncIterator[list[Any]]:
    """For features above: each entry that gave credits of an order back, in pages: id, group_id."""
    after = LOWEST_ID
    while page := await store.list_order_refunds_from(conn, after_id=after, at_most=page_rows):
        yield page
        after = page[-1]["id"]


async def _verify_range(
    conn: Connection, span: WalletRange, page_rows: int
) -> AsyncIterator[Finding]:
    closings: dict[int, Closing] = {}
    async for entry in _entries(conn, span, page_rows):
        before = closings.get(entry["account_id"], Closing())
        for finding in _entry_faults(entry, before):
            yield finding
        closings[entry["account_id"]] = Closing(entry["number"], entry["balance_after_cents"])
    for wallet in span.wallets:
        for message in _wallet_faults(wallet, closings.pop(wallet.account_id, Closing())):
            yield Finding("ledger.wallet", f"account_id={wallet.account_id}", message)
    for account_id in closings:
        yield Finding(
            "ledger.wallet", f"account_id={account_id}", "the wallet is not there, it has entries"
        )


async def _entries(conn: Connection, span: WalletRange, page_rows: int) -> AsyncIterator[Any]:
    # Below the lowest number, because a damaged one can be anything.
    position = (span.above_account_id, HIGHEST, UUID(int=2**128 - 1))
    while page := await store.list_entries_from(
        conn, position, up_to_account_id=span.up_to_account_id, at_most=page_rows
    ):
        for entry in page:
            yield entry
        position = (page[-1]["account_id"], page[-1]["number"], page[-1]["id"])


def _entry_faults(entry: Any, before: Closing) -> Iterator[Finding]:
    number, expected = entry["number"], before.number + 1
    key = f"id={entry['id']}"
    if number > expected:
        missing = str(expected) if number == expected + 1 else f"{expected} to {number - 1}"
        yield Finding(
            "ledger.entry",
            f"account_id={entry['account_id']} number={missing}",
            f"not there; the next one, {key}, has number {number}",
        )
    if number != expected:
        yield Finding("ledger.entry", key, f"number is {number} and comes after {before.number}")
    elif entry["balance_after_cents"] != before.balance_cents + entry["amount_cents"]:
        yield Finding(
            "ledger.entry",
            key,
            f"balance_after_cents is {entry['balance_after_cents']}, the entry before left "
            f"{before.balance_cents} and amount_cents is {entry['amount_cents']}",
        )


def _wallet_faults(wallet: Wallet, closing: Closing) -> Iterator[str]:
    if wallet.balance_cents != closing.balance_cents:
        yield f"balance_cents is {wallet.balance_cents}, entries say {closing.balance_cents}"
    if wallet.entry_count != closing.number:
        yield f"entry_count is {wallet.entry_count}, entries say {closing.number}"


async def _verify_legs(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    after = LOWEST_ID
    while page := await store.list_wrong_legs(conn, after_id=after, at_most=page_rows):
        for leg in page:
            yield Finding("ledger.journal", f"id={leg['id']}", _leg_fault(leg))
        after = page[-1]["id"]


def _leg_fault(leg: Any) -> str:
    said = (
        f"{leg['amount_micro']} micro {leg['currency']} in {leg['book']}, kind {leg['kind']}, "
        f"for account {leg['account_id']}, movement {leg['movement_id']}"
    )
    faults = []
    if leg["sum_micro"] is not None:
        faults.append(f"the movement's legs sum to {leg['sum_micro']} micro, not to 0")
    if leg["entry_kind"] is not None:
        faults.append(
            f"its entry is {leg['entry_kind']} of {micro_from_cents(leg['entry_amount_cents'])} "
            f"micro for account {leg['entry_account_id']}"
        )
    elif leg["book"] == "credits" or leg["kind"] in ("adjustment", "owed"):
        faults.append("its entry is not there")
    return f"{said}: {'; '.join(faults) or 'its kind does not belong into this book'}"


async def _verify_entries(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    after = LOWEST_ID
    while page := await store.list_unbooked_entries(conn, after_id=after, at_most=page_rows):
        for entry in page:
            said = f"has {entry['credits_legs']} legs in credits"
            if entry["kind"] == "adjustment":
                said += f" and {entry['other_legs']} on the other side"
            yield Finding("ledger.entry", f"id={entry['id']}", f"{said}, should have one")
        after = page[-1]["id"]


async def _verify_debts(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    after = LOWEST
    while page := await store.list_unexplained_debts(
        conn, after_account_id=after, at_most=page_rows
    ):
        for row in page:
            yield Finding(
                "ledger.wallet",
                f"account_id={row['account_id']}",
                f"owed_cents is {row['owed_cents']}, the journal says {row['owed_micro'] or 0} "
                "micro",
            )
        after = page[-1]["account_id"]


async def _verify_requests(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    after = LOWEST_ID
    while page := await store.list_wrong_requests(conn, after_id=after, at_most=page_rows):
        for row in page:
            found = (
                "is no adjustment"
                if row["entry_account_id"] is None
                else f"is of {row['entry_amount_cents']} for account {row['entry_account_id']}"
            )
            yield Finding(
                "ledger.adjustment_request",
                f"id={row['id']}",
                f"asks for {row['change_cents']} for account {row['account_id']}, its entry "
                f"{row['entry_id']} {found}",
            )
        after = page[-1]["id"]
