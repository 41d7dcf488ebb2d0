"""What an order must cost at least and may at most, in the unit of its charge, to the cent."""

import re
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fieldfare.catalog.model import MAX_UNIT_PRICE_MICRO, Portfolio
from fieldfare.kernel.currency import get_currency
from fieldfare.kernel.mass import MAX_ORDER_MG, MG_PER_TONNE, mg_from_tonnes
from fieldfare.kernel.money import MICRO_PER_CENT, PPM
from fieldfare.orders.errors import PriceAboveMaximum
from fieldfare.orders.model import PaymentMethod
from fieldfare.orders.rules import MAX_PRICE_CENTS, price_cents, smallest_mass_mg
from fieldfare.payments.errors import AboveMaximum, BelowMinimum
from fieldfare.payments.model import Exchange
from fieldfare.payments.rules import IN_DOLLARS
from tests.support.catalog_rows import part
from tests.unit.orders.quoting import (
    JPY,
    KWD,
    RATE_ON,
    WORKED,
    bounded,
    fifty_fifty,
    portfolio_of,
    portfolios,
    quote,
)


@bounded
@given(portfolios())
def test_the_smallest_mass_that_a_refusal_names_is_tight(portfolio: Portfolio) -> None:
    # With next to nothing per tonne in it, even a milligram can cost a dollar.
    assume(price_cents(1, portfolio.cost_per_ton_cents) < 100)
    with pytest.raises(BelowMinimum, match="credits") as refused:
        quote(portfolio, 1, "stripe")
    assert (refused.value.code, refused.value.param) == ("below_minimum", "tons")
    named = re.search(r"tons (\d+(?:\.\d+)?) or more", refused.value.message)
    assert named is not None
    smallest_mg = mg_from_tonnes(Fraction(named[1]))
    assert quote(portfolio, smallest_mg, "stripe").amount_cents >= 100
    with pytest.raises(BelowMinimum):
        quote(portfolio, smallest_mg - 1, "stripe")


@given(st.integers(1, 10**8), st.integers(1, 1000))
def test_the_smallest_mass_for_any_minimum(cost_cents: int, minimum_cents: int) -> None:
    smallest = smallest_mass_mg(cost_cents, minimum_cents)
    assert smallest >= 1
    assert price_cents(smallest, cost_cents) >= minimum_cents
    assert smallest == 1 or price_cents(smallest - 1, cost_cents) < minimum_cents


def test_a_small_mass_is_named_without_an_exponent() -> None:
    # $10,000 a tonne for 100 ppm of the money: ten cents for a milligram.
    dear = portfolio_of([part(1, 100, MAX_UNIT_PRICE_MICRO), part(2, PPM - 100, None)])
    with pytest.raises(BelowMinimum, match=r"tons 0\.00000001 or more"):
        quote(dear, 9, "stripe")
    assert quote(dear, 10, "stripe").amount_cents == 100


def test_what_is_dearer_than_the_books_hold_is_refused_and_nothing_overflows() -> None:
    # Of $10,000 a tonne for a millionth of the money, a tonne costs ten thousand million dollars.
    dear = portfolio_of([part(1, 1, MAX_UNIT_PRICE_MICRO), part(2, PPM - 1, None)])
    assert quote(dear, MG_PER_TONNE).amount_cents == MAX_PRICE_CENTS
    for method, mass_mg in (("credits", MG_PER_TONNE + 1), ("stripe", MAX_ORDER_MG)):
        with pytest.raises(AboveMaximum, match=r"\$10,000,000,000\.00") as refused:
            quote(dear, mass_mg, msgspec.convert(method, PaymentMethod))
        assert (refused.value.code, refused.value.param) == ("above_maximum", "tons")


def test_credits_have_no_minimum() -> None:
    assert quote(fifty_fifty(), 1).amount_cents == 1


def test_a_card_takes_its_maximum_and_not_a_cent_more() -> None:
    dollar = portfolio_of([part(1, PPM, 100 * MICRO_PER_CENT)])
    most = 999_999_990_000_000
    assert quote(dollar, most, "stripe").charge_minor == 99_999_999
    with pytest.raises(AboveMaximum, match=r"99999999 .* comes to 100000000") as refused:
        quote(dollar, most + 1, "stripe")
    assert (refused.value.code, refused.value.param) == ("above_maximum", "tons")
    assert quote(dollar, most + 1, "credits").charge_minor == 100_000_000


def test_the_maximum_is_that_of_the_charge_and_not_of_the_price() -> None:
    weak = Exchange(currency=get_currency("KRW"), rate=Decimal(1400), rate_on=RATE_ON)
    # $71,428.57 are 99,999,998 won; one cent more makes 100,000,012.
    cent = portfolio_of([part(1, PPM, MICRO_PER_CENT)])
    mass_mg = 7_142_857 * MG_PER_TONNE
    assert quote(cent, mass_mg, "stripe", exchange=weak).charge_minor == 99_999_998
    with pytest.raises(AboveMaximum, match="KRW"):
        quote(cent, mass_mg + 1, "stripe", exchange=weak)


@pytest.mark.parametrize("method", ["stripe", "credits"])
def test_the_price_cap_holds_to_the_cent(method: PaymentMethod) -> None:
    assert quote(WORKED, 450_000_000, method, cap=1080).charge_minor == 1080
    with pytest.raises(PriceAboveMaximum, match=r"costs 1080 .* of 1079") as refused:
        quote(WORKED, 450_000_000, method, cap=1079)
    assert (refused.value.code, refused.value.param) == (
        "price_above_maximum", "maxAmountCharged",
    )  # fmt: skip
    with pytest.raises(PriceAboveMaximum):
        quote(WORKED, 1, method="credits", cap=0)


def test_the_price_cap_is_in_the_unit_of_the_charge() -> None:
    assert quote(WORKED, 450_000_000, "stripe", exchange=JPY, cap=1614).charge_minor == 1614
    with pytest.raises(PriceAboveMaximum, match="JPY"):
        quote(WORKED, 450_000_000, "stripe", exchange=JPY, cap=1613)


@pytest.mark.parametrize(
    ("exchange", "charge"),
    [
        # 10.80 × 149.37 = 1613.196 yen.
        pytest.param(JPY, 1614, id="JPY"),
        # 10.80 × 0.3071 = 3.31668 dinars: 3316.68 thousandths, of which the last digit must be 0.
        pytest.param(KWD, 3320, id="KWD"),
    ],
)
def test_a_card_is_charged_in_its_currency_and_credits_in_dollars(
    exchange: Exchange, charge: int
) -> None:
    by_card = quote(WORKED, 450_000_000, "stripe", exchange=exchange)
    on_credit = quote(WORKED, 450_000_000, "credits")
    assert (by_card.amount_cents, by_card.charge_minor) == (1080, charge)
    assert (on_credit.amount_cents, on_credit.charge_minor) == (1080, 1080)
    assert by_card.exchange == exchange
    assert on_credit.exchange == IN_DOLLARS
    assert by_card.shares == on_credit.shares
