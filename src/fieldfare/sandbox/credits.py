"""Credits in test mode: a thousand dollars, new on every request; top-ups charge nobody."""

from dataclasses import dataclass

from fieldfare.db.ids import new_id
from fieldfare.http.idempotency import RequestKey, StoredAnswer
from fieldfare.http.principal import Principal
from fieldfare.ledger.model import EntryPage, Wallet
from fieldfare.payments.model import TopUpQuote
from fieldfare.payments.rules import top_up_answer
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

    async def top_up(
        self, principal: Principal, quote: TopUpQuote, key: RequestKey | None
    ) -> bytes | StoredAnswer:
        """The answer, with what the balance would be."""
        return top_up_answer(
            charge_minor=quote.charge_minor,
            currency=quote.exchange.currency.code,
            charge_id=f"test_cr_{new_id().hex}",
            balance_cents=TOP_UP_CENTS + quote.amount_cents,
            test=True,
        )

    async def find_top_up_answer(self, key: RequestKey) -> StoredAnswer | None:
        """Nothing is kept, so nothing is found."""
        return None
