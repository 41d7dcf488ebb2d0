"""What a top-up costs, what a charge moves in the books, and when the timer looks again."""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldfare.kernel.currency import (
    Currency,
    UnknownCurrency,
    charge_minor,
    get_currency,
    list_currencies,
    micro_from_minor,
)
from fieldfare.kernel.money import micro_from_cents
from fieldfare.ledger.model import Leg
from fieldfare.payments import errors, rules
from fieldfare.payments.errors import AboveMaximum, BelowMinimum
from fieldfare.payments.model import Exchange
from fieldfare.payments.rules import IN_DOLLARS

CURRENCIES = st.sampled_from(list_currencies())
CENTS = st.integers(100, 99_999_999)
RATES = st.decimals("0.1", "99999", places=6)


def exchange(code: str, rate: str) -> Exchange:
    """A currency at a rate."""
    return Exchange(currency=get_currency(code), rate=Decimal(rate))


@pytest.mark.parametrize(
    ("code", "rate", "cents", "minor"),
    [
        ("USD", "1", 5_000, 5_000),
        # 50 × 0.9137 = 45.685 euros.
        ("EUR", "0.9137", 5_000, 4_569),
        # 50 × 149.1234 = 7456.17 yen.
        ("JPY", "149.1234", 5_000, 7_457),
        # 50 × 0.3071 = 15.355 dinars, whose last of three digits has to be 0.
        ("KWD", "0.3071", 5_000, 15_360),
        # 50 × 137.25 = 6862.5 krónur, written with two decimals that have to be 0.
        ("ISK", "137.25", 5_000, 686_300),
    ],
)
def test_a_top_up_is_charged_at_its_rate_and_rounded_up(
    code: str, rate: str, cents: int, minor: int
) -> None:
    quote = rules.quote_top_up(cents, exchange(code, rate))
    assert (quote.amount_cents, quote.charge_minor) == (cents, minor)
    assert quote.exchange.currency.code == code


@pytest.mark.parametrize(
    ("cents", "refusal"),
    [(99, BelowMinimum), (0, BelowMinimum), (-5, BelowMinimum), (100_000_000, AboveMaximum)],
)
def test_credits_are_bought_between_a_dollar_and_a_million(
    cents: int, refusal: type[Exception]
) -> None:
    for allowed in (100, 99_999_999):
        assert rules.quote_top_up(allowed, IN_DOLLARS).charge_minor == allowed
    with pytest.raises(refusal, match="amountInUsdCents must be"):
        rules.quote_top_up(cents, IN_DOLLARS)


def test_a_charge_may_not_be_larger_than_the_processor_takes() -> None:
    # 99,999.99 × 10 is 999,999.90 pesos.
    pesos = exchange("ARS", "10")
    assert rules.quote_top_up(9_999_999, pesos).charge_minor == 99_999_990
    with pytest.raises(AboveMaximum, match="comes to 100000000"):
        rules.quote_top_up(10_000_000, pesos)


@given(cents=CENTS, rate=RATES, currency=CURRENCIES)
def test_what_is_charged_never_falls_short_of_what_it_buys(
    cents: int, rate: Decimal, currency: Currency
) -> None:
    chosen = Exchange(currency=currency, rate=rate)
    due = charge_minor(cents, rate, chosen.currency)
    if due > chosen.currency.max_minor:
        with pytest.raises(AboveMaximum):
            rules.quote_top_up(cents, chosen)
        return
    quote = rules.quote_top_up(cents, chosen)
    per_unit = 10**chosen.currency.decimals
    price = Decimal(cents) / 100 * rate * per_unit
    assert price <= quote.charge_minor < price + chosen.currency.step
    assert quote.charge_minor % chosen.currency.step == 0


def sums(legs: list[Leg]) -> dict[str, int]:
    """What legs come to in each currency."""
    found: dict[str, int] = defaultdict(int)
    for leg in legs:
        found[leg.currency] += leg.amount_micro
    return dict(found)


def test_the_legs_of_a_charge_by_hand() -> None:
    assert rules.card_legs(currency="USD", amount_minor=5_000, amount_cents=5_000) == [
        Leg(book="processor", currency="USD", amount_micro=-5_000_000_000)
    ]
    assert rules.card_legs(currency="JPY", amount_minor=7_457, amount_cents=5_000) == [
        Leg(book="processor", currency="JPY", amount_micro=-745_700_000_000),
        Leg(book="exchange", currency="JPY", amount_micro=745_700_000_000),
        Leg(book="exchange", currency="USD", amount_micro=-5_000_000_000),
    ]
    assert rules.card_legs(currency="KWD", amount_minor=15_360, amount_cents=5_000, sign=-1) == [
        Leg(book="processor", currency="KWD", amount_micro=1_536_000_000),
        Leg(book="exchange", currency="KWD", amount_micro=-1_536_000_000),
        Leg(book="exchange", currency="USD", amount_micro=5_000_000_000),
    ]


@given(minor=st.integers(1, 10**12), cents=st.integers(1, 10**12), currency=CURRENCIES)
def test_with_its_other_side_a_charge_sums_to_zero_in_each_currency(
    minor: int, cents: int, currency: Currency
) -> None:
    code = currency.code
    amount_minor = cents if code == "USD" else minor
    charged = rules.card_legs(currency=code, amount_minor=amount_minor, amount_cents=cents)
    bought = Leg(book="credits", currency="USD", amount_micro=micro_from_cents(cents))
    assert set(sums([*charged, bought]).values()) == {0}
    # What we hold at the processor is ours, so it stands there negative.
    held = micro_from_minor(amount_minor, get_currency(code))
    assert [leg.amount_micro for leg in charged if leg.book == "processor"] == [-held]

    returned = rules.card_legs(
        currency=code, amount_minor=amount_minor, amount_cents=cents, sign=-1
    )
    assert set(sums([*charged, *returned]).values()) == {0}
    assert [leg.book for leg in returned] == [leg.book for leg in charged]


def test_a_charge_in_no_currency_has_no_legs() -> None:
    with pytest.raises(UnknownCurrency):
        rules.card_legs(currency="XXX", amount_minor=1, amount_cents=1)


@pytest.mark.parametrize("test", [False, True])
def test_the_answer_has_its_fields_in_order(test: bool) -> None:
    answer = rules.top_up_answer(
        charge_minor=4_569, currency="EUR", charge_id="ch_1", balance_cents=12_345, test=test
    )
    mark = ',"test":true' if test else ""
    assert answer.decode() == (
        f'{{"amountCharged":4569,"currency":"EUR","id":"ch_1","creditBalance":12345{mark}}}'
    )
    assert msgspec.json.decode(answer)["creditBalance"] == 12_345


@pytest.mark.parametrize(
    ("age_s", "wait_s"),
    [(0, 60), (59, 60), (61, 61), (1_800, 1_800), (3_600, 3_600), (86_400, 3_600)],
)
def test_the_timer_looks_again_later_and_later(age_s: int, wait_s: int) -> None:
    assert rules.look_again_in(timedelta(seconds=age_s)) == timedelta(seconds=wait_s)


@pytest.mark.parametrize(
    ("order", "top_up"),
    [
        (errors.NoPaymentMethod(), errors.NoPaymentMethod(by_card_only=True)),
        (errors.CardDeclined("lost_card"), errors.CardDeclined("lost_card", by_card_only=True)),
        (errors.ProcessorRefused("No."), errors.ProcessorRefused("No.", by_card_only=True)),
        (errors.NoExchangeRate("XPF"), errors.NoExchangeRate("XPF", by_card_only=True)),
    ],
    ids=lambda refusal: refusal.code,
)
def test_only_an_order_is_told_of_another_way_to_pay(
    order: errors.CardDeclined, top_up: errors.CardDeclined
) -> None:
    assert order.message.endswith(', or pay with paymentMethod "credits".')
    assert order.param == "paymentMethod"
    assert "paymentMethod" not in top_up.message
    assert (top_up.message[-1], top_up.param, top_up.code) == (".", None, order.code)
    assert top_up.status == order.status


def test_a_way_out_is_a_whole_sentence() -> None:
    declined = errors.CardDeclined("insufficient_funds", by_card_only=True)
    assert declined.message == (
        "The card was not charged (insufficient funds). "
        "Use another card, or ask the bank that issued it."
    )
    assert errors.CardDeclined("lost_card").message.endswith(
        'Use another card, ask the bank that issued it, or pay with paymentMethod "credits".'
    )
