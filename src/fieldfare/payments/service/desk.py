"""What orders and top-ups by card share at the desk: the way to the processor, and the currency.

The rate of a request is the one that the process keeps in memory; a job, which has no such memory,
reads it (`get_exchange`).

A charge waits for its turn at the processor before anything of it is recorded, for minutes if many
want one. So whoever uses `turn` asks for prices and rates within it, as they are by then.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from fieldfare.accounts.service import find_card
from fieldfare.db.pool import Connection, Database, connection
from fieldfare.http.principal import Principal
from fieldfare.integrations.stripe.gateway import StripeGateway, looking, turn
from fieldfare.integrations.stripe.pace import Leaving
from fieldfare.kernel.currency import get_currency
from fieldfare.payments import store
from fieldfare.payments.errors import NoExchangeRate, NoPaymentMethod
from fieldfare.payments.model import Exchange, RecordedRate
from fieldfare.payments.rules import IN_DOLLARS
from fieldfare.payments.service.rates import RateCache


class PaymentDesk(Protocol):
    """Where a card is charged, or is not in test mode."""

    async def exchange(self, principal: Principal) -> Exchange:
        """What a card of this account is charged in; raises `NoExchangeRate`."""
        ...

    def turn(
        self, principal: Principal, leaving: Leaving, *, by_card_only: bool = False
    ) -> AbstractAsyncContextManager[None]:
        """Wait until a card of this account may be charged, as long as `leaving` has not returned.

        Raises `NoPaymentMethod` rather than wait for nothing, and `Unavailable`.
        """
        ...


@dataclass(frozen=True)
class LivePaymentDesk:
    """The desk that charges cards."""

    db: Database
    gateway: StripeGateway
    rates: RateCache

    async def exchange(self, principal: Principal) -> Exchange:
        """See `PaymentDesk`."""
        if principal.currency == IN_DOLLARS.currency.code:
            return IN_DOLLARS
        return exchange_of(principal.currency, await self.rates.find_rate(principal.currency))

    @asynccontextmanager
    async def turn(
        self, principal: Principal, leaving: Leaving, *, by_card_only: bool = False
    ) -> AsyncIterator[None]:
        """See `PaymentDesk`."""
        async with looking(self.gateway), connection(self.db) as conn:
            if await find_card(conn, principal.account_id) is None:
                raise NoPaymentMethod(by_card_only=by_card_only)
        async with turn(self.gateway, leaving):
            yield


async def get_exchange(conn: Connection, currency: str) -> Exchange:
    """What a card is charged in as of now, by the rates on record; raises `NoExchangeRate`."""
    if currency == IN_DOLLARS.currency.code:
        return IN_DOLLARS
    rates = await store.list_rates(conn, [currency])
    return exchange_of(currency, rates[0] if rates else None)


def exchange_of(currency: str, rate: RecordedRate | None) -> Exchange:
    """A charge in a currency other than US dollars at its rate; raises `NoExchangeRate`."""
    if rate is None:
        raise NoExchangeRate(currency)
    return Exchange(currency=get_currency(currency), rate=rate.rate, rate_on=rate.rate_on)
