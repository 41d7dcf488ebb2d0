"""Currencies: a charge is never under its price, nor a whole step over, and can be charged."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fieldfare.kernel.currency import (
    RATE_DIGITS,
    Currency,
    RateRefused,
    UnknownCurrency,
    charge_minor,
    get_currency,
    list_currencies,
    minor_to_major,
    round_rate,
    smallest_charge_minor,
)

bounded = settings(max_examples=300, deadline=None)

EVERY = list_currencies()
currencies = st.one_of(
    st.sampled_from(["USD", "EUR", "JPY", "KWD", "ISK"]).map(get_currency), st.sampled_from(EVERY)
)
prices = st.integers(0, 99_999_999)
rates = st.fractions(Fraction(1, 10**6), 10**6).map(round_rate)
USD, EUR, JPY, KWD, ISK = map(get_currency, ("USD", "EUR", "JPY", "KWD", "ISK"))


@bounded
@given(prices, rates, currencies)
def test_a_charge_covers_its_price_by_less_than_a_step(
    usd_cents: int, rate: Decimal, currency: Currency
) -> None:
    charge = charge_minor(usd_cents, rate, currency)
    price = Fraction(usd_cents, 100) * Fraction(rate) * 10**currency.decimals
    assert price <= charge < price + currency.step
    assert charge % currency.step == 0


@bounded
@given(prices)
def test_dollars_are_charged_as_they_are(usd_cents: int) -> None:
    assert charge_minor(usd_cents, Decimal(1), USD) == usd_cents


@bounded
@given(prices, prices, rates, currencies)
def test_a_dearer_price_is_never_a_smaller_charge(
    one: int, other: int, rate: Decimal, currency: Currency
) -> None:
    low, high = sorted((one, other))
    assert charge_minor(low, rate, currency) <= charge_minor(high, rate, currency)


@pytest.mark.parametrize(
    ("usd_cents", "rate", "currency", "charge"),
    [
        (1080, "1", USD, 1080),
        (1080, "0.9216589862", EUR, 996),  # 995.3917...
        (1000, "0.92", EUR, 920),  # to the cent: nothing is added
        (1080, "150.2345678", JPY, 1623),  # 1622.533...
        (100, "150", JPY, 150),
        (1, "150.0000001", JPY, 2),
        (1080, "0.3071", KWD, 3320),  # 3316.68 thousandths
        (1000, "0.307", KWD, 3070),
        (1, "0.0000001", KWD, 10),
        (1080, "137.45", ISK, 148_500),  # 1484.46 whole króna
        (100, "137", ISK, 13_700),
        (0, "137.45", ISK, 0),
    ],
)
def test_charges_worked_by_hand(usd_cents: int, rate: str, currency: Currency, charge: int) -> None:
    assert charge_minor(usd_cents, Decimal(rate), currency) == charge


@pytest.mark.parametrize("rate", ["0", "-1", "-0.0", "NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_charge_at_no_rate_is_refused(rate: str) -> None:
    with pytest.raises(RateRefused, match="above zero"):
        charge_minor(1080, Decimal(rate), EUR)


@bounded
@given(st.fractions(Fraction(1, 10**12), 10**12))
@example(Fraction(99999999995, 10**10))
@example(Fraction(12345678905, 10**10))
@example(Fraction(12345678915, 10**10))
@example(Fraction(1, 3))
def test_a_rate_is_the_nearest_of_ten_digits_and_halves_go_up(value: Fraction) -> None:
    rate = round_rate(value)
    digits = rate.normalize().as_tuple().digits
    unit = Fraction(10) ** (rate.adjusted() - RATE_DIGITS + 1)
    assert len(digits) <= RATE_DIGITS
    assert -unit / 2 < Fraction(rate) - value <= unit / 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1), "1"),
        (Fraction(10850, 10000), "1.085"),
        (Fraction(1, 3), "0.3333333333"),
        (Fraction(2, 3) * 100, "66.66666667"),
        (Fraction(12345678905, 10**10), "1.234567891"),
        (Fraction(12345678885, 10**10), "1.234567889"),
        (Fraction(99999999995, 10**10), "10"),
        (Fraction(1234567890449, 10), "123456789000"),
    ],
)
def test_rates_worked_by_hand(value: Fraction, text: str) -> None:
    assert str(round_rate(value)) == text


@bounded
@given(rates)
def test_a_rounded_rate_stays_as_it_is(rate: Decimal) -> None:
    assert str(round_rate(Fraction(rate))) == str(rate)


@pytest.mark.parametrize("value", [Fraction(0), Fraction(-1, 3)])
def test_a_rate_that_is_not_above_zero_is_refused(value: Fraction) -> None:
    with pytest.raises(RateRefused, match="above zero"):
        round_rate(value)


@pytest.mark.parametrize("currency", EVERY, ids=lambda currency: currency.code)
def test_each_limit_can_be_charged_and_each_code_is_found(currency: Currency) -> None:
    assert get_currency(currency.code) is currency
    assert get_currency(currency.code.lower()) is currency
    assert currency.decimals in (0, 2, 3)
    assert currency.max_minor % currency.step == 0
    assert currency.max_minor >= 99_999_900
    if currency.min_minor is not None:
        assert 0 < currency.min_minor < currency.max_minor
        assert currency.min_minor % currency.step == 0


def test_the_list_is_in_order_and_names_each_once() -> None:
    codes = [currency.code for currency in EVERY]
    assert codes == sorted(set(codes))
    assert {len(code) for code in codes} == {3}
    assert len(codes) >= 135


@pytest.mark.parametrize(
    ("code", "decimals", "step", "max_minor", "min_minor"),
    [
        ("USD", 2, 1, 99_999_999, 50),
        ("EUR", 2, 1, 99_999_999, 50),
        ("GBP", 2, 1, 99_999_999, 30),
        ("JPY", 0, 1, 9_999_999_999, 50),
        ("KRW", 0, 1, 99_999_999, 50),
        ("VND", 0, 1, 99_999_999, None),
        ("KWD", 3, 10, 99_999_990, None),
        ("TND", 3, 10, 99_999_990, None),
        ("ISK", 2, 100, 99_999_900, None),
        ("UGX", 2, 100, 99_999_900, None),
        ("HUF", 2, 1, 9_999_999_999, 17_500),
        ("TWD", 2, 1, 99_999_999, None),
        ("IDR", 2, 1, 999_999_999_999, 50),
        ("INR", 2, 1, 999_999_999, 50),
        ("CZK", 2, 1, 99_999_999, 1_500),
    ],
)
def test_what_the_processor_documents(
    code: str, decimals: int, step: int, max_minor: int, min_minor: int | None
) -> None:
    assert get_currency(code) == Currency(
        code=code, decimals=decimals, step=step, max_minor=max_minor, min_minor=min_minor
    )


@pytest.mark.parametrize("code", ["", "US", "USDX", "XXX", "BTC", "HRK", " USD", "USD\n", "uſd"])
def test_an_unknown_code_is_refused_with_what_to_send(code: str) -> None:
    with pytest.raises(UnknownCurrency, match="such as USD"):
        get_currency(code)


def test_a_refusal_never_repeats_a_long_code() -> None:
    with pytest.raises(UnknownCurrency) as refusal:
        get_currency("U" * 100_000)
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize(
    ("code", "rate", "smallest"),
    [
        ("USD", "1", 50),
        ("GBP", "0.78", 30),
        ("JPY", "150", 50),
        ("KWD", "0.3071", 160),  # 153.55 thousandths
        ("ISK", "137.45", 6_900),  # 68.725 króna
        ("TWD", "32.105", 1_606),  # 1605.25 hundredths
    ],
)
def test_the_smallest_charge_is_the_documented_one_or_fifty_cents(
    code: str, rate: str, smallest: int
) -> None:
    assert smallest_charge_minor(Decimal(rate), get_currency(code)) == smallest


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [
        (250, USD, "2.5"),
        (1080, EUR, "10.8"),
        (1623, JPY, "1623"),
        (3320, KWD, "3.32"),
        (148_500, ISK, "1485"),
        (0, USD, "0"),
    ],
)
def test_whole_units_have_the_currency_s_decimals(
    amount_minor: int, currency: Currency, text: str
) -> None:
    assert str(minor_to_major(amount_minor, currency)) == text
