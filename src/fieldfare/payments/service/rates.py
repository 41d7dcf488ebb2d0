"""Exchange rates: what a dollar costs in the currencies that accounts are charged in.

Of each currency the rate that was recorded last holds. A reference rate of the European Central
Bank is taken over if its day is later than that of the rate that holds, whoever set that: so an
operator's rate beats those of its own day and before, and ends with the first one of a later day;
for a currency without a reference rate it lasts until the operator sets another. What must hold: a
rate more than a fifth away from the one before is not taken over unless an operator insists,
because an error in a table must not sell for a tenth of the price.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

import msgspec

from fieldfare.db.cached import Cached
from fieldfare.db.changes import ChangeFeed, raise_revision
from fieldfare.db.pool import Connection, Database, connection, transaction
from fieldfare.integrations.rates import FetchRates, RatesError
from fieldfare.kernel.currency import list_currencies
from fieldfare.payments import store
from fieldfare.payments.errors import RateNotTaken, RatesNotRead
from fieldfare.payments.model import (
    ExchangeRate,
    RateSource,
    Recorded,
    RecordedRate,
    RefusedRate,
)

TOPIC = "rates"
CHARGED_IN = tuple(currency.code for currency in list_currencies() if currency.code != "USD")
"""The currencies that need a rate."""
MIN_RATE = Decimal("0.1")
"""No currency is worth ten dollars, and ten digits of a lower rate would not fit its column."""
MAX_RATE = Decimal(1_000_000_000)
MAX_JUMP = Decimal("0.2")
"""How far a rate may be from the one before, as a part of that one."""
DAY_SLACK = timedelta(days=1)
"""East of Greenwich it is tomorrow already."""

Rates: TypeAlias = Mapping[str, RecordedRate]
"""The rates that hold, by currency; US dollars need none."""


async def load_rates(db: Database) -> Rates:
    """The rates that hold."""
    async with connection(db) as conn:
        return await _read_rates(conn)


async def _read_rates(conn: Connection) -> Rates:
    return {rate.currency: rate for rate in await store.list_rates(conn, CHARGED_IN)}


class RateCache:
    """The rates as of one revision of the topic `rates`."""

    def __init__(self, feed: ChangeFeed, db: Database) -> None:
        self._cached: Cached[Rates] = Cached(feed, TOPIC)
        self._db = db

    async def find_rate(self, currency: str) -> RecordedRate | None:
        """The rate that holds for a currency; None if it has none, as US dollars.

        Raises `Unavailable` if the rates must be read and cannot be.
        """
        rates = await self._cached.current(lambda: load_rates(self._db))
        return rates.get(currency)


async def set_rate(
    conn: Connection, rate: ExchangeRate, *, now: datetime, force: bool = False
) -> None:
    """Let an operator's rate hold from now on; `force` allows it to be far from the one before.

    Raises `RateNotTaken`.
    """
    recorded = await record_rates(conn, [rate], "operator", now=now, force=force)
    for refused in recorded.refused:
        raise RateNotTaken(refused.reason)


async def record_rates(
    conn: Connection,
    rates: Iterable[ExchangeRate],
    source: RateSource,
    *,
    now: datetime,
    force: bool = False,
) -> Recorded:
    """Take over what is new and believable of `rates`, one for each currency, and tell everybody.

    Processes follow within a second. What is refused stops nothing else.
    """
    await store.lock_rates(conn)
    held = await _read_rates(conn)
    fresh = [rate for rate in rates if is_news(rate, source, held.get(rate.currency))]
    refused = tuple(_refused(fresh, held, now.astimezone(UTC).date(), force=force))
    refused_codes = {rate.currency for rate in refused}
    written = tuple(rate for rate in fresh if rate.currency not in refused_codes)
    if written:
        await store.insert_rates(conn, written, source)
        await raise_revision(conn, TOPIC)
    return Recorded(written=written, refused=refused)


async def refresh_rates(
    db: Database, fetch: FetchRates, *, now: datetime, force: bool = False
) -> Recorded:
    """Take over the newest reference rates that a source gives.

    Raises `RatesNotRead` if it gives none; then everything stays as it is.
    """
    try:
        day = await fetch()
    except RatesError as error:
        raise RatesNotRead(
            f"There are no new exchange rates: {error}. Those on record go on holding; look at "
            "FIELDFARE_RATES_URL, or set a rate with `fieldfare rates set`."
        ) from error
    rates = [
        ExchangeRate(currency=code, rate=rate, rate_on=day.rate_on)
        for code, rate in day.per_dollar.items()
        if code in CHARGED_IN
    ]
    async with transaction(db) as conn:
        return await record_rates(conn, rates, "ecb", now=now, force=force)


def is_news(rate: ExchangeRate, source: RateSource, held: RecordedRate | None) -> bool:
    """Whether a rate could take the place of the one that holds."""
    if held is None:
        return True
    if source == "ecb":
        return rate.rate_on > held.rate_on
    return (rate.rate, rate.rate_on, source) != (held.rate, held.rate_on, held.source)


def _refused(
    rates: Iterable[ExchangeRate], held: Rates, today: date, *, force: bool
) -> Iterator[RefusedRate]:
    for rate in rates:
        reason = why_refused(rate, held.get(rate.currency), today, force=force)
        if reason is not None:
            yield RefusedRate(**msgspec.structs.asdict(rate), reason=reason)


def why_refused(
    rate: ExchangeRate, held: ExchangeRate | None, today: date, *, force: bool
) -> str | None:
    """Why a rate is not to be taken over, with the next step; None if it is."""
    code = rate.currency
    if code not in CHARGED_IN:
        return f"No card is charged in {code[:8]}. Give an ISO 4217 code such as EUR, JPY or KWD."
    shown = f"{rate.rate:f} {code} for a dollar"
    if not MIN_RATE <= rate.rate < MAX_RATE:
        return f"{shown} cannot be. Give the units of {code} that one US dollar buys."
    if rate.rate_on > today + DAY_SLACK:
        return f"{rate.rate_on} is yet to come. Give the day that the rate was published on."
    if held is not None and not force and abs(rate.rate - held.rate) > MAX_JUMP * held.rate:
        return (
            f"{shown} is more than a fifth away from {held.rate:f} of {held.rate_on}. If that is "
            "right, take it over with --force."
        )
    return None
