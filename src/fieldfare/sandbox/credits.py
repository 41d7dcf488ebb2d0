"""Credits in test mode: a thousand dollars, new on every request."""

from dataclasses import dataclass

from fieldfare.http.principal import Principal
from fieldfare.ledger.model import EntryPage, Wallet
from fieldfare.sandbox.samples import (
    TOP_UP_CENTS,
    sample_entries,
)


@dataclass(frozen=True)
class SandboxCreditDesk:
    """A wallet that every request finds full."""

    async def wallet(self, principal: Principal) -> Wallet:
        """A thousand dollars, new on every request."""
        return Wallet(account_id=0, balance_cents=TOP_UP_CENTS, entry_count=1)

    async def entries(self, principal: Principal, *, limit: int, offset: int) -> EntryPage:
        """The one top-up."""
        entries = sample_entries()
        return EntryPage(entries[offset : offset + limit], total=len(entries))
