"""An account's credits: the balance, the entries behind it, an operator's adjustment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import asyncpg

from fieldfare.db.pool import Connection, Database, connection
from fieldfare.http.principal import Principal
from fieldfare.kernel.money import micro_from_cents
from fieldfare.ledger import store
from fieldfare.ledger.errors import AdjustmentRefused
from fieldfare.ledger.model import EntryPage, Leg, Wallet
from fieldfare.ledger.rules import clean_reason
from fieldfare.ledger.service.posting import change_credits, post


class CreditDesk(Protocol):
    """Where the credit endpoints find what they show: the books, or the sandbox."""

    async def wallet(self, principal: Principal) -> Wallet:
        """What the account holds."""
        ...

    async def entries(self, principal: Principal, *, limit: int, offset: int) -> EntryPage:
        """Its entries, newest first, the first `offset` left out."""
        ...


@dataclass(frozen=True)
class LiveCreditDesk:
    """The desk that reads the books."""

    db: Database

    async def wallet(self, principal: Principal) -> Wallet:
        """See `CreditDesk`."""
        async with connection(self.db) as conn:
            return await get_wallet(conn, principal.account_id)

    async def entries(self, principal: Principal, *, limit: int, offset: int) -> EntryPage:
        """See `CreditDesk`."""
        async with connection(self.db) as conn:
            wallet = await get_wallet(conn, principal.account_id)
            # Entries are numbered without gaps, so an offset is a number: no rows are skipped over.
            newest = wallet.entry_count - offset
            entries = await store.list_entries(
                conn, principal.account_id, up_to_number=newest, at_most=limit
            )
            return EntryPage(entries, total=wallet.entry_count)


async def list_balances(conn: Connection, account_ids: Sequence[int]) -> dict[int, int]:
    """What each of some accounts holds, in US cents."""
    held = await store.list_balances(conn, account_ids)
    return {account_id: held.get(account_id, 0) for account_id in account_ids}


async def get_wallet(conn: Connection, account_id: int) -> Wallet:
    """The wallet of an account, empty before its first credit."""
    found = await store.find_wallet(conn, account_id)
    return found or Wallet(account_id=account_id)


async def adjust_credits(
    conn: Connection, account_id: int, *, change_cents: int, reason: str, decided: str = ""
) -> tuple[UUID, int]:
    """Change a balance by decision, both sides in the journal; gives the entry and the balance.

    `decided` says who decided: it stands beside the reason in our book of adjustments, and not in
    what the customer reads. Raises `ReasonRefused`, or `AdjustmentRefused` if the balance would
    fall below zero or grow beyond all bounds. Whether one person may decide is not asked here:
    see `adjusting`.
    """
    if change_cents == 0:
        raise AdjustmentRefused("An adjustment of nothing changes nothing. Give another amount.")
    reason = clean_reason(reason)
    try:
        entry_id, balance = await _change(conn, account_id, change_cents, reason)
    except asyncpg.CheckViolationError as error:
        raise AdjustmentRefused(
            "The balance would fall below zero or above what a wallet can hold. "
            "Adjust by a smaller amount."
        ) from error
    ours = Leg(
        book="adjustments",
        currency="USD",
        amount_micro=-micro_from_cents(change_cents),
        account_id=account_id,
    )
    memo = f"{reason} ({decided})" if decided else reason
    await post(conn, entry_id, "adjustment", [ours], memo)
    return entry_id, balance


async def _change(
    conn: Connection, account_id: int, change_cents: int, reason: str
) -> tuple[UUID, int]:
    return await change_credits(
        conn,
        account_id,
        change_cents,
        entry="adjustment",
        movement="adjustment",
        against=[],
        group_id=None,
        description=reason,
    )
