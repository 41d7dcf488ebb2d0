"""Credits on the wire."""

from typing import Literal

import msgspec

from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.wire import Count, GivenId, Instant, MinorAmount
from fieldfare.ledger.model import Entry, EntryKind, EntryPage, Wallet


class BalanceBody(msgspec.Struct, rename="camel", omit_defaults=True):
    """What `GET /api/credits/balance` answers."""

    credit_balance_usd_cents: MinorAmount
    owed_usd_cents: MinorAmount = msgspec.field(name="owedUsdCents")
    test: Literal[True] | msgspec.UnsetType = msgspec.UNSET


class EntryBody(msgspec.Struct, rename="camel"):
    """One change of a balance."""

    id: GivenId
    type: EntryKind
    amount_usd_cents: int
    balance_after_usd_cents: MinorAmount
    description: str
    order_group_id: GivenId | None
    created_at: Instant


class EntriesBody(msgspec.Struct, rename="camel", omit_defaults=True):
    """What `GET /api/credits/ledger` answers."""

    entries: list[EntryBody]
    total: Count
    test: Literal[True] | msgspec.UnsetType = msgspec.UNSET


def balance_body(wallet: Wallet, *, test: bool) -> BalanceBody:
    """A wallet as it is shown."""
    return BalanceBody(
        credit_balance_usd_cents=wallet.balance_cents,
        owed_usd_cents=wallet.owed_cents,
        test=True if test else msgspec.UNSET,
    )


def entries_body(page: EntryPage, *, test: bool) -> EntriesBody:
    """A page of entries as it is shown."""
    return EntriesBody(
        entries=[_entry_body(entry, test=test) for entry in page.entries],
        total=page.total,
        test=True if test else msgspec.UNSET,
    )


def _entry_body(entry: Entry, *, test: bool) -> EntryBody:
    return EntryBody(
        id=f"test_cr_{entry.id.hex}" if test else str(entry.id),
        type=entry.kind,
        amount_usd_cents=entry.amount_cents,
        balance_after_usd_cents=entry.balance_after_cents,
        description=entry.description,
        order_group_id=None if entry.group_id is None else str(entry.group_id),
        created_at=rfc3339(entry.created_at),
    )
