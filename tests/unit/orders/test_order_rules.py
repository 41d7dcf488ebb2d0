"""Pricing and splitting: any portfolio, any mass, and the contract's examples to the digit."""

import random
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldfare.catalog.model import Portfolio, PortfolioPart
from fieldfare.kernel.mass import MAX_ORDER_MG, MG_PER_TONNE
from fieldfare.kernel.money import MICRO_PER_CENT, PPM, cents_from_micro
from fieldfare.orders.rules import price_cents, split_offset
from tests.support.catalog_rows import part
from tests.unit.orders.quoting import (
    WORKED,
    bounded,
    fifty_fifty,
    masses,
    portfolio_of,
    portfolios,
    quote,
    quote_any,
)

# ------------------------------------------------------------------------------------------ any


@bounded
@given(portfolios(), masses)
def test_the_shares_add_up_exactly(portfolio: Portfolio, mass_mg: int) -> None:
    quoted = quote_any(portfolio, mass_mg)
    amount_micro = quoted.amount_cents * MICRO_PER_CENT
    assert sum(share.amount_micro for share in quoted.shares) == amount_micro
    assert sum(share.billed_micro for share in quoted.shares) == amount_micro
    assert sum(share.mass_mg for share in quoted.shares) == mass_mg == quoted.mass_mg
    assert sum(share.weight_ppm for share in quoted.shares) == PPM
    assert all(
        min(s.amount_micro, s.billed_micro, s.mass_mg, s.partner_micro, s.margin_micro) >= 0
        for s in quoted.shares
    )


@bounded
@given(portfolios(), masses)
def test_the_charge_is_never_short_and_never_a_cent_over(
    portfolio: Portfolio, mass_mg: int
) -> None:
    quoted = quote_any(portfolio, mass_mg)
    exact_cents = Fraction(mass_mg, MG_PER_TONNE) * portfolio.cost_per_ton_cents
    assert exact_cents <= quoted.amount_cents < exact_cents + 1
    assert quoted.charge_minor == quoted.amount_cents
    assert quoted.unit_price_cents == portfolio.cost_per_ton_cents
    assert quoted.price_revision == 7


@bounded
@given(portfolios(), masses)
def test_each_share_is_within_one_unit_of_its_proportion(
    portfolio: Portfolio, mass_mg: int
) -> None:
    amount_cents = price_cents(mass_mg, portfolio.cost_per_ton_cents)
    bought = [
        Fraction(one.weight_ppm, one.project.unit_price_micro or 1)
        if one.project.unit_price_micro
        else Fraction(0)
        for one in portfolio.parts
    ]
    shares = split_offset(portfolio, mass_mg=mass_mg, amount_cents=amount_cents)
    for share, tonnes in zip(shares, bought, strict=True):
        money = Fraction(share.weight_ppm, PPM) * amount_cents * MICRO_PER_CENT
        assert abs(share.amount_micro - money) < 1
        assert abs(share.billed_micro - money) < MICRO_PER_CENT
        assert abs(share.mass_mg - mass_mg * tonnes / sum(bought)) < 1
        assert share.mass_mg == 0 or tonnes > 0


@bounded
@given(portfolios(), masses)
def test_partner_and_margin_add_up_and_the_partner_is_rounded_down(
    portfolio: Portfolio, mass_mg: int
) -> None:
    for share in quote_any(portfolio, mass_mg).shares:
        exact = Fraction(share.project.partner_share_ppm, PPM) * share.amount_micro
        assert share.partner_micro + share.margin_micro == share.amount_micro
        assert exact - 1 < share.partner_micro <= exact


@bounded
@given(portfolios(), masses, st.randoms(use_true_random=False))
def test_other_ids_change_the_order_of_the_rows_and_who_wins_a_tie_but_nothing_else(
    portfolio: Portfolio, mass_mg: int, rng: random.Random
) -> None:
    places = list(range(len(portfolio.parts)))
    rng.shuffle(places)
    # The part at a place takes the id of another one, and with it its row.
    ids = [one.project.id for one in portfolio.parts]
    renamed = portfolio_of(
        [
            PortfolioPart(msgspec.structs.replace(one.project, id=ids[places[i]]), one.weight_ppm)
            for i, one in enumerate(portfolio.parts)
        ]
    )
    assert renamed.cost_per_ton_cents == portfolio.cost_per_ton_cents
    before, after = quote_any(portfolio, mass_mg), quote(renamed, mass_mg)
    assert after.amount_cents == before.amount_cents
    assert [share.project.id for share in after.shares] == ids
    moved = [after.shares[place] for place in places]
    assert [share.weight_ppm for share in moved] == [share.weight_ppm for share in before.shares]
    money, mass = portfolio.money_weights, portfolio.mass_weights
    amount_micro = before.amount_cents * MICRO_PER_CENT
    assert_tied(
        [s.amount_micro for s in before.shares],
        [s.amount_micro for s in moved],
        amount_micro,
        money,
    )
    assert_tied([s.mass_mg for s in before.shares], [s.mass_mg for s in moved], mass_mg, mass)
    if before.amount_cents >= 100:
        assert_tied(
            [s.billed_micro // MICRO_PER_CENT for s in before.shares],
            [s.billed_micro // MICRO_PER_CENT for s in moved],
            before.amount_cents,
            money,
        )


def assert_tied(before: list[int], after: list[int], total: int, weights: Sequence[int]) -> None:
    """Two splits are the same but where remainders are equal: there one unit may change hands."""
    remainders = [total * weight % sum(weights) for weight in weights]
    differing = [i for i in range(len(weights)) if before[i] != after[i]]
    assert len({remainders[i] for i in differing}) <= 1
    assert all(abs(before[i] - after[i]) == 1 for i in differing)


@bounded
@given(portfolios(), masses)
def test_rows_are_billed_in_whole_cents_from_one_dollar_up(
    portfolio: Portfolio, mass_mg: int
) -> None:
    quoted = quote_any(portfolio, mass_mg)
    if quoted.amount_cents >= 100:
        assert all(share.billed_micro % MICRO_PER_CENT == 0 for share in quoted.shares)
    else:
        assert all(share.billed_micro == share.amount_micro for share in quoted.shares)


# ------------------------------------------------------------------------------------- by hand


def test_the_worked_example_of_the_contract() -> None:
    quoted = quote(WORKED, 450_000_000, "stripe")
    assert WORKED.cost_per_ton_cents == 2398
    assert (quoted.amount_cents, quoted.charge_minor) == (1080, 1080)
    assert [cents_from_micro(s.billed_micro) for s in quoted.shares] == [432, 270, 162, 130, 86]
    # 1080 × .15 = 162, × .12 = 129.6, × .08 = 86.4: in the books as they are.
    assert [cents_from_micro(s.amount_micro) for s in quoted.shares] == [
        432, 270, 162, Decimal("129.6"), Decimal("86.4"),
    ]  # fmt: skip


def test_the_worked_example_below_one_dollar() -> None:
    quoted = quote(WORKED, 1_000_000)
    assert quoted.amount_cents == 3
    expected = [Decimal(text) for text in ("1.2", ".75", ".45", ".36", ".24")]
    assert [cents_from_micro(s.billed_micro) for s in quoted.shares] == expected
    assert [s.amount_micro for s in quoted.shares] == [s.billed_micro for s in quoted.shares]


def test_the_tonnes_of_the_worked_example() -> None:
    # p/c: .02559181 .00801282 .00061764 .00615385 .00133333, in all .04170945; of 450 kg.
    shares = quote(WORKED, 450_000_000).shares
    shown = [round(share.mass_mg / 1_000_000, 3) for share in shares]
    assert shown == [276.108, 86.45, 6.664, 66.393, 14.385]


@pytest.mark.parametrize(("cents", "tonne_cents"), [(40_171, 40_171), (1563, 1563)])
def test_the_price_of_a_single_project_is_exact(cents: int, tonne_cents: int) -> None:
    alone = portfolio_of([part(1, PPM, cents * MICRO_PER_CENT)])
    assert quote(alone, MG_PER_TONNE).amount_cents == tonne_cents
    assert quote(alone, MAX_ORDER_MG).amount_cents == tonne_cents * 1_000_000
    assert [s.mass_mg for s in quote(alone, MAX_ORDER_MG).shares] == [MAX_ORDER_MG]


def test_a_tie_goes_to_the_lower_project_id() -> None:
    def split(portfolio: Portfolio) -> list[tuple[int, int, int]]:
        shares = split_offset(portfolio, mass_mg=1, amount_cents=101)
        return [(s.project.id, s.mass_mg, s.billed_micro // MICRO_PER_CENT) for s in shares]

    assert split(fifty_fifty()) == [(3, 1, 51), (8, 0, 50)]
    backwards = portfolio_of(list(reversed(fifty_fifty().parts)))
    assert split(backwards) == split(fifty_fifty())


def test_one_dollar_is_the_first_price_in_whole_cents() -> None:
    thirds = portfolio_of(
        [part(1, 333_334, 10**9), part(2, 333_333, 10**9), part(3, 333_333, 10**9)]
    )
    below, from_there = (
        [s.billed_micro for s in split_offset(thirds, mass_mg=9, amount_cents=cents)]
        for cents in (99, 100)
    )
    assert below == [33_000_066, 32_999_967, 32_999_967]
    assert from_there == [34_000_000, 33_000_000, 33_000_000]


def test_a_project_without_a_unit_gets_money_and_no_mass() -> None:
    priced, donated = quote(fifty_fifty(None), MG_PER_TONNE).shares
    # A tonne costs twice the first project's price, because half of the money buys it.
    assert (priced.kind, priced.mass_mg, priced.amount_micro) == (
        "offset", MG_PER_TONNE, 2000 * MICRO_PER_CENT,
    )  # fmt: skip
    assert (donated.kind, donated.mass_mg, donated.amount_micro) == (
        "donation", 0, 2000 * MICRO_PER_CENT,
    )  # fmt: skip


def test_mass_of_uncertified_projects_is_not_counted() -> None:
    certified, other = fifty_fifty().parts
    uncertified = msgspec.structs.replace(other.project, standing="uncertified")
    external = msgspec.structs.replace(certified.project, standing="external_standard")
    mixed = portfolio_of([PortfolioPart(external, 500_000), PortfolioPart(uncertified, 500_000)])
    assert quote(mixed, 10).certified_mg == 5
    assert quote(fifty_fifty(), 10).certified_mg == 10
