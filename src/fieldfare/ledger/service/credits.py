"""An account's credits: the balance, the entries behind it, an operator's adjustment."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import asyncpg

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection, Database, connection
from fieldfare.http.principal import Principal
from fieldfare.ledger import store
from fieldfare.ledger.errors import AdjustmentRefused
from fieldfare.ledger.model import EntryPage, Wallet


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


async def get_wallet(conn: Connection, account_id: int) -> Wallet:
    """The wallet of an account, empty before its first credit."""
    found = await store.find_wallet(conn, account_id)
    return found or Wallet(account_id=account_id)


async def adjust_credits(
    conn: Connection, account_id: int, *, change_cents: int, reason: str
) -> tuple[UUID, int]:
    """An operator's change of a balance, written to the journal; gives the entry and the balance.

    Raises `AdjustmentRefused` if the balance would fall below zero or grow beyond all bounds.
    """
    if change_cents == 0:
        raise AdjustmentRefused("An adjustment of nothing changes nothing. Give another amount.")
    entry_id = new_id()
    try:
        balance = await store.adjust(
            conn,
            entry_id=entry_id,
            leg_ids=(new_id(), new_id()),
            account_id=account_id,
            change_cents=change_cents,
            reason=reason,
        )
    except asyncpg.CheckViolationError as error:
        raise AdjustmentRefused(
            "The balance would fall below zero or above what a wallet can hold. "
            "Adjust by a smaller amount."
        ) from error
    return entry_id, balance
