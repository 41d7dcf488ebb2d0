"""Reference rates: the table read exactly or not at all, and what of it is taken over."""

import asyncio
import contextlib
import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fieldfare.cli.rates import read_rate
from fieldfare.integrations.rates import (
    MAX_FILE_BYTES,
    RatesUnavailable,
    RatesUnreadable,
    fetch_shipped,
    fetch_url,
    read_file,
    read_table,
    sources,
    table,
)
from fieldfare.payments.errors import RateNotTaken
from fieldfare.payments.model import ExchangeRate, RecordedRate
from fieldfare.payments.service.rates import CHARGED_IN, is_news, why_refused

DAY = date(2026, 10, 30)
TODAY = date(2026, 11, 21)
DAILY = "Date, USD, JPY, ISK, \n30 October 2026, 1.1172, 175.68, 136.00, \n"
HISTORY = (
    "Date,USD,JPY,RUB,ISK,\n2026-10-30,1.1172,175.68,N/A,136,\n2026-10-29,1.113,175.92,80,135.8,\n"
)


def zipped(text: str, name: str = "eurofxref.csv") -> bytes:
    """The table as the one file of a zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return packed.getvalue()


@pytest.mark.parametrize("content", [DAILY.encode(), HISTORY.encode(), zipped(DAILY)])
def test_the_newest_day_is_read_as_units_for_a_dollar(content: bytes) -> None:
    day = read_file(content)
    assert day.rate_on == DAY
    # 175.68 / 1.1172 = 157.25026852..., 136 / 1.1172 = 121.73290368...,
    # 1 / 1.1172 = 0.89509488005...
    assert day.per_dollar == {
        "JPY": Decimal("157.2502685"),
        "ISK": Decimal("121.7329037"),
        "EUR": Decimal("0.8950948801"),
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no table"),
        ("<html>Sign in to the network</html>", "no table"),
        ("Date,USD\n", "no table"),
        ("Day,USD\n2026-10-30,1.1", "no table"),
        ("Date,JPY\n2026-10-30,175.68", "no rate of the US dollar"),
        ("Date,USD\n2026-10-30,N/A", "no rate of the US dollar"),
        ("Date,USD,JPY\n2026-10-30,1.1172", "not as many cells"),
        ("Date,USD,JPY\n2026-10-30,1.1172,17x", "no rate of JPY"),
        ("Date,USD,JPY\n2026-10-30,1.1172,NaN", "no rate of JPY"),
        ("Date,USD,JPY\n2026-10-30,1.1172,1e400", "no rate of JPY"),
        ("Date,USD,JPY\n2026-10-30,1.1172,0", "JPY is 0, not above zero"),
        ("Date,USD,JPY\n2026-10-30,-1,175.68", "USD is -1, not above zero"),
        ("Date,USD,Yen\n2026-10-30,1.1172,175.68", "'Yen' is no code"),
        ("Date,USD\n2026-02-30,1.1172", "'2026-02-30' is no date"),
    ],
)
def test_a_garbled_table_is_refused_whole(text: str, reason: str) -> None:
    with pytest.raises(RatesUnreadable, match=reason):
        read_table(text)


def broken(change: Callable[[bytearray], None]) -> bytes:
    """A zip file after an accident."""
    content = bytearray(zipped(DAILY))
    change(content)
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04",
        zipped(DAILY)[:-30],
        broken(lambda content: content.__setitem__(slice(45, 60), b"\xff" * 15)),
        b"\xff\xfe\x00Date",
    ],
)
def test_a_damaged_file_is_refused(content: bytes) -> None:
    with pytest.raises(RatesUnreadable):
        read_file(content)


def test_a_zip_that_unpacks_beyond_bounds_is_refused() -> None:
    bomb = zipped("0" * (table.MAX_TABLE_BYTES + 1))
    assert len(bomb) < MAX_FILE_BYTES
    with pytest.raises(RatesUnreadable, match="more than"):
        read_file(bomb)


async def test_the_shipped_table_has_the_main_currencies() -> None:
    day = await fetch_shipped()
    assert {"EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "ISK"} <= set(day.per_dollar)
    assert "USD" not in day.per_dollar
    assert date(2026, 1, 1) < day.rate_on <= datetime.now(UTC).date()


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """An HTTP server whose every GET is answered by `answer`; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # A client that has had enough goes away, which is what some tests are about.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                answer(self)

        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is for failures."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/eurofxref.zip"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"") -> None:
    """A whole answer."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


async def test_rates_are_fetched_from_an_address() -> None:
    with serving(lambda handler: send(handler, 200, zipped(DAILY))) as url:
        assert (await fetch_url(url)).per_dollar["JPY"] == Decimal("157.2502685")


@pytest.mark.parametrize("status", [204, 404, 500, 503])
async def test_any_other_status_is_no_table(status: int) -> None:
    refused = pytest.raises(RatesUnavailable, match=f"answers {status}")
    with serving(lambda handler: send(handler, status)) as url, refused:
        await fetch_url(url)


async def test_an_address_that_nobody_listens_on_is_unavailable() -> None:
    with serving(lambda handler: send(handler, 200)) as url:
        pass
    with pytest.raises(RatesUnavailable, match="ConnectError"):
        await fetch_url(url)


async def test_an_address_that_is_none_is_unavailable() -> None:
    with pytest.raises(RatesUnavailable):
        await fetch_url("http://[::1")


async def test_an_answer_that_is_cut_off_is_unavailable() -> None:
    def cut_off(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(DAILY.encode())

    with serving(cut_off) as url, pytest.raises(RatesUnavailable):
        await fetch_url(url)


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"0" * 1024 * 1024)

    with serving(endless) as url, pytest.raises(RatesUnreadable, match="more than"):
        await fetch_url(url)


async def test_an_address_in_a_circle_is_left() -> None:
    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/again")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with serving(elsewhere) as url, pytest.raises(RatesUnavailable, match="TooManyRedirects"):
        await fetch_url(url)


async def test_a_fetch_that_is_cancelled_ends_at_once() -> None:
    stuck = threading.Event()

    def wait(_: BaseHTTPRequestHandler) -> None:
        stuck.wait(sources.FETCH_LIMIT_S)

    with serving(wait) as url:
        try:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(fetch_url(url), 0.2)
        finally:
            stuck.set()


def said(rate: str, currency: str = "KWD", on: date = DAY) -> ExchangeRate:
    """A rate as somebody says it."""
    return ExchangeRate(currency=currency, rate=Decimal(rate), rate_on=on)


def held(rate: str, source: str = "ecb", on: date = DAY) -> RecordedRate:
    """A rate that holds."""
    return RecordedRate(
        currency="KWD",
        rate=Decimal(rate),
        rate_on=on,
        source="ecb" if source == "ecb" else "operator",
        recorded_at=datetime(2026, 11, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("source", ["ecb", "operator"])
def test_a_reference_rate_takes_the_place_of_those_of_earlier_days(source: str) -> None:
    kept = held("0.3071", source)
    assert not is_news(said("0.31", on=date(2026, 10, 29)), "ecb", kept)
    assert not is_news(said("0.31"), "ecb", kept)
    assert is_news(said("0.31", on=date(2026, 10, 31)), "ecb", kept)
    assert is_news(said("0.31"), "ecb", None)


def test_an_operator_s_rate_takes_the_place_of_any_but_its_like() -> None:
    assert is_news(said("0.3071"), "operator", held("0.3071"))
    assert is_news(said("0.31", on=date(2026, 10, 1)), "operator", held("0.3071"))
    assert is_news(said("0.31"), "operator", held("0.3071", "operator"))
    assert not is_news(said("0.3071"), "operator", held("0.3071", "operator"))


@pytest.mark.parametrize(
    ("rate", "is_taken"),
    [("0.36", True), ("0.3600000001", False), ("0.24", True), ("0.2399999999", False)],
)
def test_a_rate_may_be_a_fifth_away_and_no_more(rate: str, is_taken: bool) -> None:
    assert (why_refused(said(rate), held("0.3"), TODAY, force=False) is None) is is_taken
    assert why_refused(said(rate), held("0.3"), TODAY, force=True) is None


@pytest.mark.parametrize(
    ("rate", "reason"),
    [
        (said("0.0999999999"), "cannot be"),
        (said("1000000000"), "cannot be"),
        (said("3", currency="USD"), "No card is charged in USD"),
        (said("3", currency="kwd"), "No card is charged in kwd"),
        (said("3", currency="HRK"), "No card is charged in HRK"),
        (said("0.3071", on=date(2026, 11, 23)), "2026-11-23 is yet to come"),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_what_cannot_be_a_rate_is_refused_even_by_force(
    rate: ExchangeRate, reason: str, force: bool
) -> None:
    refusal = why_refused(rate, None, TODAY, force=force)
    assert refusal is not None
    assert reason in refusal
    assert refusal.endswith(".")


def test_the_first_rate_of_a_currency_and_tomorrow_s_are_taken() -> None:
    assert why_refused(said("0.1"), None, TODAY, force=False) is None
    assert why_refused(said("999999999.9"), None, TODAY, force=False) is None
    assert why_refused(said("0.3", on=date(2026, 11, 22)), None, TODAY, force=False) is None
    assert "USD" not in CHARGED_IN


def test_what_an_operator_writes_is_read_exactly() -> None:
    assert read_rate("kwd", "0.3071", "2026-11-20") == said("0.3071", on=date(2026, 11, 20))
    assert read_rate("VND", "26312.123456789", "2026-11-20").rate == Decimal("26312.12346")


@pytest.mark.parametrize(
    ("rate", "on", "reason"),
    [
        ("0,3071", "2026-11-20", "'0,3071' is no rate"),
        ("NaN", "2026-11-20", "'NaN' is no rate"),
        ("0", "2026-11-20", "'0' is no rate"),
        ("-1", "2026-11-20", "'-1' is no rate"),
        ("0.3071", "20.11.2026", "'20.11.2026' is no day"),
        ("0.3071", "2026-02-30", "'2026-02-30' is no day"),
    ],
)
def test_what_is_no_rate_or_day_is_told(rate: str, on: str, reason: str) -> None:
    with pytest.raises(RateNotTaken, match=reason):
        read_rate("KWD", rate, on)
