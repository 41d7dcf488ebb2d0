"""What orders and top-ups by card share at the desk: the way to the processor, and the currency.

The rate of a request is the one that the process keeps in memory; a job, which has no such memory,
reads it (`get_exchange`).
"""

from dataclasses import dataclass
from typing import Protocol

from fieldfare.db.pool import Connection, Database
from fieldfare.http.principal import Principal
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.kernel.currency import get_currency
from fieldfare.payments import store
from fieldfare.payments.errors import NoExchangeRate
from fieldfare.payments.model import Exchange, RecordedRate
from fieldfare.payments.rules import IN_DOLLARS
from fieldfare.payments.service.rates import RateCache


class PaymentDesk(Protocol):
    """Where a card is charged, or is not in test mode."""

    async def exchange(self, principal: Principal) -> Exchange:
        """What a card of this account is charged in; raises `NoExchangeRate`."""
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
