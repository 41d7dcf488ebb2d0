"""Exchange rates on record: which one holds, who is told, and the operator's commands."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner

from fieldfare import jobs
from fieldfare.cli.rates import rates_app
from fieldfare.db.changes import ChangeFeed
from fieldfare.db.pool import Database, transaction
from fieldfare.integrations.rates import DayRates, FetchRates, RatesUnavailable
from fieldfare.payments.errors import RateNotTaken, RatesNotRead
from fieldfare.payments.jobs import refresh_rates_once
from fieldfare.payments.model import ExchangeRate, Recorded
from fieldfare.payments.service.rates import (
    RateCache,
    load_rates,
    record_rates,
    refresh_rates,
    set_rate,
)
from fieldfare.settings import Settings

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FRIDAY = date(2026, 11, 20)


def rate(currency: str, value: str, on: date = FRIDAY) -> ExchangeRate:
    """A rate as somebody says it."""
    return ExchangeRate(currency=currency, rate=Decimal(value), rate_on=on)


def source_of(on: date, **rates: str) -> FetchRates:
    """A source that gives these rates."""

    async def fetch() -> DayRates:
        return DayRates(on, {code: Decimal(value) for code, value in rates.items()})

    return fetch


async def operator_sets(db: Database, said: ExchangeRate, *, force: bool = False) -> None:
    async with transaction(db) as conn:
        await set_rate(conn, said, now=NOW, force=force)


async def holding(db: Database) -> dict[str, tuple[str, date, str]]:
    """Every rate that holds: figure, day, source."""
    rates = await load_rates(db)
    return {code: (str(r.rate), r.rate_on, r.source) for code, r in rates.items()}


def codes(rates: Iterable[ExchangeRate]) -> list[str]:
    return [rate.currency for rate in rates]


async def test_the_rate_recorded_last_holds_and_none_is_lost(db: Database) -> None:
    await operator_sets(db, rate("KWD", "0.3071"))
    await operator_sets(db, rate("KWD", "0.3079", date(2026, 11, 19)))
    await operator_sets(db, rate("VND", "26312.12346"))
    assert await holding(db) == {
        "KWD": ("0.3079", date(2026, 11, 19), "operator"),
        "VND": ("26312.12346", FRIDAY, "operator"),
    }
    async with transaction(db) as conn:
        assert await conn.fetchval("select count(*) from payments.exchange_rate") == 3
        with pytest.raises(asyncpg.RestrictViolationError):
            await conn.execute("update payments.exchange_rate set rate = 1")


async def test_rates_go_in_and_come_out_to_the_last_of_ten_digits(db: Database) -> None:
    figures = {"KWD": "0.1234567891", "JPY": "157.2502685", "LBP": "999999999.9", "KRW": "1500"}
    for code, figure in figures.items():
        await operator_sets(db, rate(code, figure))
    assert {code: figure for code, (figure, _, _) in (await holding(db)).items()} == figures


async def test_an_operator_s_rate_ends_with_a_reference_rate_of_a_later_day(db: Database) -> None:
    await operator_sets(db, rate("EUR", "0.9", FRIDAY))
    same_day = await refresh_rates(db, source_of(FRIDAY, EUR="0.85"), now=NOW)
    assert same_day == Recorded(written=(), refused=())
    later = await refresh_rates(db, source_of(date(2026, 11, 21), EUR="0.85"), now=NOW)
    assert codes(later.written) == ["EUR"]
    assert await holding(db) == {"EUR": ("0.85", date(2026, 11, 21), "ecb")}
    # And the operator has the last word again.
    await operator_sets(db, rate("EUR", "0.9", FRIDAY))
    assert (await holding(db))["EUR"] == ("0.9", FRIDAY, "operator")


async def test_a_wild_rate_is_left_out_and_the_others_are_taken(db: Database) -> None:
    await refresh_rates(db, source_of(FRIDAY, EUR="0.9", JPY="157.2", SEK="9.8"), now=NOW)
    wild = source_of(date(2026, 11, 21), EUR="0.91", JPY="15.72", SEK="98")
    recorded = await refresh_rates(db, wild, now=NOW)
    assert codes(recorded.written) == ["EUR"]
    assert sorted(codes(recorded.refused)) == ["JPY", "SEK"]
    held = await holding(db)
    assert [held[code][0] for code in ("EUR", "JPY", "SEK")] == ["0.91", "157.2", "9.8"]

    forced = await refresh_rates(db, wild, now=NOW, force=True)
    assert sorted(codes(forced.written)) == ["JPY", "SEK"]
    assert (await holding(db))["JPY"][0] == "15.72"


async def test_what_no_card_is_charged_in_is_passed_over(db: Database) -> None:
    recorded = await refresh_rates(db, source_of(FRIDAY, XAU="0.5", USD="1", HRK="6.7"), now=NOW)
    assert recorded == Recorded(written=(), refused=())


async def test_a_source_that_fails_changes_nothing(db: Database) -> None:
    async def fail() -> DayRates:
        raise RatesUnavailable("https://rates.example answers 503")

    await operator_sets(db, rate("KWD", "0.3071"))
    before = await holding(db)
    with pytest.raises(RatesNotRead, match="answers 503"):
        await refresh_rates(db, fail, now=NOW)
    assert await holding(db) == before


async def test_an_operator_is_told_why_a_rate_is_not_taken(db: Database) -> None:
    await operator_sets(db, rate("KWD", "0.3071"))
    with pytest.raises(RateNotTaken, match=r"a fifth away from 0\.3071"):
        await operator_sets(db, rate("KWD", "3.071"))
    await operator_sets(db, rate("KWD", "3.071"), force=True)
    assert (await holding(db))["KWD"][0] == "3.071"


async def test_the_daily_job_done_again_writes_nothing(db: Database) -> None:
    first = await refresh_rates_once(db, None, now=datetime.now(UTC))
    assert {"EUR", "GBP", "JPY", "ISK"} <= set(codes(first.written))
    again = await refresh_rates_once(db, None, now=datetime.now(UTC))
    assert again == Recorded(written=(), refused=())


async def test_the_scheduled_job_tells_what_it_did(db: Database) -> None:
    ctx = jobs.JobContext(db=db, settings=Settings())
    first = await jobs.refresh_rates(ctx)
    assert int(first["rates_written"]) > 20
    assert await jobs.refresh_rates(ctx) == {"rates_written": 0}


async def test_without_its_address_the_job_leaves_what_was_shipped(db: Database) -> None:
    with pytest.raises(RatesNotRead):
        await refresh_rates_once(db, "http://127.0.0.1:9/none", now=datetime.now(UTC))
    assert "EUR" in await holding(db)


async def test_an_address_is_held_against_what_was_shipped(db: Database) -> None:
    today = datetime.now(UTC).date()
    # A dollar is 0.9 euro and 15.8 yen here: the yen's comma has slipped.
    table = f"Date,USD,JPY\n{today},1.111111111,17.55555555\n".encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(table), table))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/eurofxref.csv"
        recorded = await refresh_rates_once(db, url, now=datetime.now(UTC))
    assert codes(recorded.refused) == ["JPY"]
    held = await holding(db)
    assert held["EUR"] == ("0.9000000001", today, "ecb")
    assert held["JPY"][1] < today


async def test_rivals_write_a_day_once(db: Database) -> None:
    fetch = source_of(FRIDAY, EUR="0.9", JPY="157.2")
    done = await asyncio.gather(*(refresh_rates(db, fetch, now=NOW) for _ in range(5)))
    assert sorted(len(recorded.written) for recorded in done) == [0, 0, 0, 0, 2]


async def test_a_new_rate_is_used_with_the_next_reading_of_the_feed(db: Database) -> None:
    feed = ChangeFeed(db)
    cache = RateCache(feed, db)
    await feed.read()
    assert await cache.find_rate("KWD") is None
    await operator_sets(db, rate("KWD", "0.3071"))
    await feed.read()
    found = await cache.find_rate("KWD")
    assert found is not None
    assert (found.rate, found.rate_on) == (Decimal("0.3071"), FRIDAY)
    assert await cache.find_rate("KWD") is found
    assert await cache.find_rate("USD") is None
    assert await cache.find_rate("XXX") is None


async def test_while_the_feed_is_stale_every_rate_is_read(db: Database) -> None:
    cache = RateCache(ChangeFeed(db), db)
    await operator_sets(db, rate("KWD", "0.3071"))
    assert await cache.find_rate("KWD") is not None
    await operator_sets(db, rate("KWD", "0.3079"))
    found = await cache.find_rate("KWD")
    assert found is not None
    assert found.rate == Decimal("0.3079")


async def test_what_brings_nothing_new_tells_nobody(db: Database) -> None:
    async def revision() -> int | None:
        feed = ChangeFeed(db)
        await feed.read()
        return feed.revision("rates")

    await operator_sets(db, rate("KWD", "0.3071"))
    assert await revision() == 1
    await operator_sets(db, rate("KWD", "0.3071"))
    async with transaction(db) as conn:
        await record_rates(conn, [rate("KWD", "9")], "operator", now=NOW)
    assert await revision() == 1


class Shell:
    """Runs `fieldfare rates` on one database."""

    def __init__(self, database_url: str, home: Path) -> None:
        self.env = {
            "DATABASE_URL": database_url,
            "DATABASE_URL_FILE": None,
            "FIELDFARE_HOME": str(home),
            "FIELDFARE_RATES_URL": None,
        }

    def run(self, *words: str, code: int = 0) -> tuple[list[str], list[str]]:
        """The lines of stdout and of stderr."""
        result = CliRunner().invoke(rates_app, list(words), env=self.env)
        assert result.exit_code == code, result.output
        return result.stdout.splitlines(), result.stderr.splitlines()


def test_an_operator_sets_lists_and_refreshes_rates(database_url: str, tmp_path: Path) -> None:
    shell = Shell(database_url, tmp_path)
    told, _ = shell.run("set", "kwd", "0.3071", "--on", "2026-11-20")
    assert told == ["One US dollar is 0.3071 KWD, as of 2026-11-20."]
    _, complaint = shell.run("set", "KWD", "3.071", "--on", "2026-11-20", code=1)
    assert complaint[0].startswith("fieldfare: 3.071 KWD for a dollar is more than a fifth away")
    shell.run("set", "KWD", "3.071", "--on", "2026-11-20", "--force")
    (refreshed,), _ = shell.run("refresh")
    assert refreshed.startswith("New rates: AUD, BRL, CAD, CHF, ")
    assert shell.run("refresh")[0] == ["There are no newer rates."]
    *listed, missing = shell.run("list")[0]
    assert "KWD             3.071  2026-11-20  operator" in listed
    assert any(line.startswith("EUR") and "European Central Bank" in line for line in listed)
    assert missing.startswith("Without a rate: AED, AFN, ")
    assert "KWD" not in missing


def test_an_address_that_is_away_is_told_in_one_line(database_url: str, tmp_path: Path) -> None:
    shell = Shell(database_url, tmp_path)
    shell.env["FIELDFARE_RATES_URL"] = "http://127.0.0.1:9/eurofxref.zip"
    _, (line,) = shell.run("refresh", code=1)
    assert line.startswith("fieldfare: There are no new exchange rates: http://127.0.0.1:9/")
    assert "FIELDFARE_RATES_URL" in line
