"""The exchange rates that hold, and since when."""

from collections.abc import Sequence

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.kernel.mass import plain
from fieldfare.payments.model import ExchangeRate, RateSource, RecordedRate

_queries = load_queries(__file__)


async def lock_rates(conn: Connection) -> None:
    """Wait until no other transaction changes the rates, then keep others from it."""
    await _queries.lock_rates(conn)


async def list_rates(conn: Connection, currencies: Sequence[str]) -> list[RecordedRate]:
    """The rates that hold of these currencies, by code; none for one that has no rate."""
    rows = _queries.list_rates(conn, currencies=currencies)
    # `plain`, because the column gives every rate ten decimals.
    return [RecordedRate(**{**row, "rate": plain(row["rate"])}) async for row in rows]


async def insert_rates(conn: Connection, rates: Sequence[ExchangeRate], source: RateSource) -> None:
    """Let these rates hold from now on; one for each currency."""
    await _queries.insert_rates(
        conn,
        currencies=[rate.currency for rate in rates],
        rates=[rate.rate for rate in rates],
        rates_on=[rate.rate_on for rate in rates],
        source=source,
    )
