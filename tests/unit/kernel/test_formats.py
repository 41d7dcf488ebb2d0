"""Figures and dates in four languages: exact, and as people there write them."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldfare.kernel import formats
from fieldfare.kernel.currency import get_currency, list_currencies
from fieldfare.kernel.languages import Language

LANGUAGES: list[Language] = ["en", "de", "fr", "es"]


def spaced(text: str) -> str:
    """With plain blanks, to be read in a test."""
    return text.replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("language", "value", "written"),
    [
        ("en", "1234567.5", "1,234,567.5"),
        ("de", "1234567.5", "1.234.567,5"),
        ("fr", "1234567.5", "1 234 567,5"),
        ("es", "1234567.5", "1.234.567,5"),
        ("en", "1234", "1,234"),
        ("es", "1234", "1234"),
        ("es", "12345", "12.345"),
        ("en", "0", "0"),
        ("en", "0.000000001", "0.000000001"),
        ("de", "0.450", "0,45"),
        ("en", "1E+3", "1,000"),
        ("en", "123456789012345678901234567890.123456789", "123,456,789,012,345,678,901,234,567,890"
         ".123456789"),
    ],
)  # fmt: skip
def test_numbers(language: Language, value: str, written: str) -> None:
    assert spaced(formats.number(Decimal(value), language)) == written


@given(st.integers(0, 10**20), st.integers(0, 9), st.sampled_from(LANGUAGES))
def test_no_digit_is_lost(units: int, decimals: int, language: Language) -> None:
    value = Decimal(f"{units}E-{decimals}")
    written = formats.number(value, language)
    point = "." if language == "en" else ","
    whole, _, fraction = written.partition(point)
    digits = "".join(c for c in whole if c.isdigit()) + "." + (fraction or "0")
    assert Decimal(digits) == value


@pytest.mark.parametrize(
    ("code", "minor", "en", "de", "fr", "es"),
    [
        ("USD", 123456, "$1,234.56", "1.234,56 USD", "1 234,56 USD", "1234,56 USD"),
        ("EUR", 5432, "€54.32", "54,32 €", "54,32 €", "54,32 €"),
        ("GBP", 5, "£0.05", "0,05 £", "0,05 £", "0,05 £"),
        ("JPY", 1250000, "¥1,250,000", "1.250.000 JPY", "1 250 000 JPY", "1.250.000 JPY"),
        ("KWD", 7370, "KWD 7.370", "7,370 KWD", "7,370 KWD", "7,370 KWD"),
        ("KWD", 7000, "KWD 7.000", "7,000 KWD", "7,000 KWD", "7,000 KWD"),
        ("ISK", 120000, "ISK 1,200", "1.200 ISK", "1 200 ISK", "1200 ISK"),
        ("CHF", 100, "CHF 1.00", "1,00 CHF", "1,00 CHF", "1,00 CHF"),
    ],
)
def test_charges(code: str, minor: int, en: str, de: str, fr: str, es: str) -> None:
    currency = get_currency(code)
    assert [spaced(formats.charge(minor, currency, one)) for one in LANGUAGES] == [en, de, fr, es]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_currency_can_be_written(language: Language) -> None:
    for currency in list_currencies():
        written = formats.charge(currency.max_minor, currency, language)
        digits = "".join(character for character in written if character.isdigit())
        whole_units = currency.max_minor // 10**currency.decimals
        assert digits.startswith(str(whole_units))
        assert not any(character.isspace() and character == " " for character in written)


@pytest.mark.parametrize(
    ("cents", "written"),
    [("1.2", "$0.012"), ("0.000001", "$0.00000001"), ("2398", "$23.98"), ("6000", "$60.00"),
     ("0", "$0.00"), ("10", "$0.10")],
)  # fmt: skip
def test_dollars_keep_fractions_of_a_cent(cents: str, written: str) -> None:
    assert formats.usd(Decimal(cents), "en") == written


def test_rates_trees_and_tonnes() -> None:
    rate = formats.rate_per_dollar(Decimal("156.7"), get_currency("JPY"), "de")
    assert spaced(rate) == "1 USD = 156,7 JPY"
    assert [spaced(formats.trees(1, one)) for one in LANGUAGES] == [
        "1 tree", "1 Baum", "1 arbre", "1 árbol"
    ]  # fmt: skip
    assert spaced(formats.trees(10_000_000, "fr")) == "10 000 000 arbres"
    assert spaced(formats.tonnes(Decimal("0.450"), "es")) == "0,45 t CO₂e"


def test_per_cents() -> None:
    assert [spaced(formats.percent(77_000, one)) for one in LANGUAGES] == [
        "7.7%", "7,7 %", "7,7 %", "7,7 %"
    ]  # fmt: skip
    assert formats.whole_percent(0, "en") == "<1%"
    assert formats.whole_percent(100, "en") == "100%"


@pytest.mark.parametrize(
    ("language", "first", "last"),
    [
        ("en", "1 March 2027", "31 December 2026"),
        ("de", "1. März 2027", "31. Dezember 2026"),
        ("fr", "1er mars 2027", "31 décembre 2026"),
        ("es", "1 de marzo de 2027", "31 de diciembre de 2026"),
    ],
)
def test_days(language: Language, first: str, last: str) -> None:
    assert spaced(formats.day(date(2027, 3, 1), language)) == first
    assert spaced(formats.day(date(2026, 12, 31), language)) == last


def test_instants_are_told_in_utc() -> None:
    in_kiribati = datetime(2027, 1, 1, 13, 59, tzinfo=timezone(timedelta(hours=14)))
    assert spaced(formats.instant(in_kiribati, "en")) == "31 December 2026, 23:59 UTC"
    assert spaced(formats.instant(in_kiribati.astimezone(UTC), "fr")).startswith("31 décembre")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_twelve_months(language: Language) -> None:
    written = {formats.day(date(2026, month, 2), language) for month in range(1, 13)}
    assert len(written) == 12
