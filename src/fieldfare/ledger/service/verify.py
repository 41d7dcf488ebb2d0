"""Holding the ledger's rows against each other; part of `fieldfare verify`."""

from collections.abc import AsyncIterator
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.kernel.findings import Finding
from fieldfare.ledger import store
from fieldfare.ledger.model import Wallet

PAGE_ROWS = 5_000


async def verify_ledger(conn: Connection) -> AsyncIterator[Finding]:
    """Each wallet against its entries, each entry against the one before, legs against both."""
    async for wallet in all_wallets(conn):
        async for finding in _verify_wallet(conn, wallet):
            yield finding
    for row in await store.list_unbalanced_movements(conn):
        yield Finding(
            "ledger.journal",
            f"movement_id={row['movement_id']}",
            f"the legs in {row['currency']} sum to {row['sum_micro']} micro, not to 0",
        )
    for row in await store.list_adjustment_legs(conn):
        yield Finding(
            "ledger.journal",
            f"id={row['leg_id']}",
            f"amount_micro is {row['amount_micro']}, its entry {row['entry_id']} says "
            f"{row['amount_cents']} cents",
        )
    for row in await store.list_unexplained_debts(conn):
        yield Finding(
            "ledger.wallet",
            f"account_id={row['account_id']}",
            f"owed_cents is {row['owed_cents']}, the journal says {row['owed_micro']} micro",
        )


async def all_wallets(conn: Connection) -> AsyncIterator[Wallet]:
    """Every wallet, read in pages."""
    after = -1
    while page := await store.list_wallets(conn, after_account_id=after, at_most=PAGE_ROWS):
        for wallet in page:
            yield wallet
        after = page[-1].account_id


async def find_deductions(
    conn: Connection, group_ids: list[UUID], *, from_id: UUID, to_id: UUID
) -> dict[UUID, tuple[int, int]]:
    """For features above: which account paid how many cents for each of these purchases."""
    return await store.list_deductions(conn, group_ids, from_id=from_id, to_id=to_id)


async def _verify_wallet(conn: Connection, wallet: Wallet) -> AsyncIterator[Finding]:
    number, balance, read = 0, 0, PAGE_ROWS
    while read == PAGE_ROWS:
        read = 0
        async for row in store.list_entries_from(
            conn, wallet.account_id, after_number=number, at_most=PAGE_ROWS
        ):
            read += 1
            number += 1
            balance += row["amount_cents"]
            key = f"id={row['id']} (entry {row['number']} of account {wallet.account_id})"
            if row["number"] != number:
                yield Finding("ledger.entry", key, f"number should be {number}")
                number = row["number"]
            if row["balance_after_cents"] != balance:
                yield Finding(
                    "ledger.entry",
                    key,
                    f"amount_cents {row['amount_cents']} and the entries before make {balance}, "
                    f"balance_after_cents is {row['balance_after_cents']}",
                )
                balance = row["balance_after_cents"]
    key = f"account_id={wallet.account_id}"
    if wallet.balance_cents != balance:
        yield Finding(
            "ledger.wallet", key, f"balance_cents is {wallet.balance_cents}, entries say {balance}"
        )
    if wallet.entry_count != number:
        yield Finding(
            "ledger.wallet", key, f"entry_count is {wallet.entry_count}, entries say {number}"
        )
