"""The desk that a top-up is handed to: the books, or the sandbox."""

from dataclasses import dataclass
from typing import Protocol

from fieldfare.http.idempotency import RequestKey, StoredAnswer
from fieldfare.http.principal import Principal
from fieldfare.payments.model import TopUpQuote
from fieldfare.payments.service.charging import find_first_answer
from fieldfare.payments.service.desk import LivePaymentDesk, PaymentDesk
from fieldfare.payments.service.top_ups.charging import charge_top_up
from fieldfare.payments.service.top_ups.settling import TOP_UPS


class TopUpDesk(PaymentDesk, Protocol):
    """Where credits are bought."""

    async def top_up(
        self, principal: Principal, quote: TopUpQuote, key: RequestKey | None
    ) -> bytes | StoredAnswer:
        """Carry it out; gives the answer, or what was answered to the same request before."""
        ...

    async def find_top_up_answer(self, key: RequestKey) -> StoredAnswer | None:
        """What was answered to this request before."""
        ...


@dataclass(frozen=True)
class LiveTopUpDesk(LivePaymentDesk):
    """The desk that charges cards, and adds to the wallet."""

    async def top_up(
        self, principal: Principal, quote: TopUpQuote, key: RequestKey | None
    ) -> bytes | StoredAnswer:
        """See `TopUpDesk`."""
        return await charge_top_up(
            self.db,
            self.gateway,
            account_id=principal.account_id,
            amount_cents=quote.amount_cents,
            exchange=quote.exchange,
            origin="request",
            key=key,
        )

    async def find_top_up_answer(self, key: RequestKey) -> StoredAnswer | None:
        """See `TopUpDesk`."""
        return await find_first_answer(self.db, self.gateway, TOP_UPS, key)
