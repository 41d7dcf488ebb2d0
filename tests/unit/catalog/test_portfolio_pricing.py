"""What a tonne of a portfolio costs: the weighted harmonic mean, exact and rounded up once."""

import math
import random
from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldfare.catalog import rules
from fieldfare.catalog.errors import WeightsRefused
from fieldfare.catalog.model import (
    MAX_UNIT_PRICE_MICRO,
    MIN_UNIT_PRICE_MICRO,
    PortfolioPart,
    PriceRow,
    Rows,
    WeightRow,
)
from fieldfare.kernel.money import MICRO_PER_CENT, PPM
from fieldfare.kernel.numbers import largest_remainder
from tests.support.catalog_rows import (
    BEGINNING,
    part,
    portfolio_row,
    price_row,
    project_row,
    small_rows,
)

bounded = settings(max_examples=150, deadline=None)
unit_prices = st.integers(MIN_UNIT_PRICE_MICRO, MAX_UNIT_PRICE_MICRO)

WORKED = [
    part(1, 400_000, 1_563_000_000),
    part(2, 250_000, 3_120_000_000),
    part(3, 150_000, 24_286_000_000),
    part(4, 120_000, 1_950_000_000),
    part(5, 80_000, 6_000_000_000),
]


@st.composite
def priced_parts(draw: st.DrawFn) -> list[PortfolioPart]:
    """Parts that all have a price, with any weights that sum to 1."""
    prices = draw(st.lists(unit_prices, min_size=1, max_size=8))
    return _weighted(draw, list(prices))


@st.composite
def any_parts(draw: st.DrawFn) -> list[PortfolioPart]:
    """Parts of which the first has a price and any other may have no unit."""
    others = draw(st.lists(st.none() | unit_prices, max_size=7))
    return _weighted(draw, [draw(unit_prices), *others])


def _weighted(draw: st.DrawFn, prices: Sequence[int | None]) -> list[PortfolioPart]:
    wishes = draw(st.lists(st.integers(1, 99), min_size=len(prices), max_size=len(prices)))
    weights = largest_remainder(PPM, tuple(wishes))
    return [part(i + 1, weights[i], price) for i, price in enumerate(prices)]


def exact_cost_cents(parts: Sequence[PortfolioPart]) -> Fraction:
    """1 / Σ(pᵢ/cᵢ) by the book: shares as fractions of one, prices in dollars, then cents."""
    bought = Fraction(0)
    for one in parts:
        if one.project.unit_price_micro is not None:
            price_dollars = Fraction(one.project.unit_price_micro, 100 * MICRO_PER_CENT)
            bought += Fraction(one.weight_ppm, PPM) / price_dollars
    return 100 / bought


def test_the_worked_example_of_the_contract() -> None:
    assert math.floor(exact_cost_cents(WORKED) * 1000) == 2_397_538
    assert rules.cost_per_ton_cents(WORKED) == 2398


@pytest.mark.parametrize("cents", [40_171, 1563, 24_286, 1, 1_000_000])
def test_a_portfolio_of_one_project_costs_what_the_project_costs(cents: int) -> None:
    assert rules.cost_per_ton_cents([part(1, PPM, cents * MICRO_PER_CENT)]) == cents


@bounded
@given(st.integers(1, MAX_UNIT_PRICE_MICRO // MICRO_PER_CENT), st.integers(1, 12))
def test_projects_of_one_price_cost_that_price(cents: int, count: int) -> None:
    weights = largest_remainder(PPM, (1,) * count)
    parts = [part(i, weight, cents * MICRO_PER_CENT) for i, weight in enumerate(weights)]
    assert rules.cost_per_ton_cents(parts) == cents


@bounded
@given(any_parts())
def test_the_cost_is_the_exact_mean_rounded_up_once(parts: list[PortfolioPart]) -> None:
    exact = exact_cost_cents(parts)
    assert exact <= rules.cost_per_ton_cents(parts) < exact + 1


@bounded
@given(priced_parts())
def test_the_cost_lies_between_the_cheapest_and_the_dearest(parts: list[PortfolioPart]) -> None:
    prices = [one.project.unit_price_micro or 0 for one in parts]
    low, high = min(prices) / Fraction(MICRO_PER_CENT), max(prices) / Fraction(MICRO_PER_CENT)
    assert low <= rules.cost_per_ton_cents(parts) <= math.ceil(high)


@bounded
@given(any_parts(), st.randoms(use_true_random=False))
def test_the_order_of_the_parts_changes_nothing_but_the_order(
    parts: list[PortfolioPart], rng: random.Random
) -> None:
    places = list(range(len(parts)))
    rng.shuffle(places)
    shuffled = [parts[place] for place in places]
    weights = rules.mass_weights(parts)
    assert rules.cost_per_ton_cents(shuffled) == rules.cost_per_ton_cents(parts)
    assert rules.mass_weights(shuffled) == tuple(weights[place] for place in places)


@bounded
@given(any_parts())
def test_mass_weights_are_exactly_in_proportion(parts: list[PortfolioPart]) -> None:
    weights = rules.mass_weights(parts)
    total = sum(weights)
    share_of_all = exact_cost_cents(parts) / 100
    for one, weight in zip(parts, weights, strict=True):
        price_micro = one.project.unit_price_micro
        if price_micro is None:
            assert weight == 0
            continue
        bought = Fraction(one.weight_ppm, PPM) / Fraction(price_micro, 100 * MICRO_PER_CENT)
        assert Fraction(weight, total) == bought * share_of_all
    assert math.gcd(*weights) == 1


def test_a_project_without_a_unit_takes_money_and_makes_the_tonne_dearer() -> None:
    parts = [part(1, 900_000, 2_000_000_000), part(2, 100_000, None)]
    assert rules.cost_per_ton_cents(parts) == 2223
    assert rules.mass_weights(parts) == (1, 0)


def weight_rows(*weights: tuple[int, int]) -> list[WeightRow]:
    """Weights in ppm by project."""
    return [WeightRow(project_id=project, weight_ppm=weight) for project, weight in weights]


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        (((1, 500_000), (2, 499_999)), "sum to 0.999999"),
        (((1, 500_000), (2, 500_001)), "sum to 1.000001"),
        ((), "sum to 0"),
        (((1, 500_000), (1, 500_000)), "named twice"),
        (((1, 1_000_000), (2, 0)), "not above zero"),
        (((1, 2_000_000), (2, -1_000_000)), "not above zero"),
        (((1, 500_000), (99, 500_000)), "no project 99"),
        (((1, 500_000), (3, 500_000)), "priced per tree"),
        (((4, 1_000_000),), "priced per tonne"),
    ],
)
def test_weights_that_cannot_be_sold_are_refused(
    weights: tuple[tuple[int, int], ...], reason: str
) -> None:
    projects = {row.id: row for row in small_rows().projects}
    with pytest.raises(WeightsRefused, match=reason):
        rules.check_weights(weight_rows(*weights), projects)


def test_weights_over_projects_with_and_without_a_unit_are_fine() -> None:
    projects = {row.id: row for row in small_rows().projects}
    rules.check_weights(weight_rows((1, 300_000), (2, 600_000), (4, 100_000)), projects)


@bounded
@given(st.lists(st.integers(-1000, 1000), unique=True, max_size=10))
def test_the_newest_price_that_is_not_in_the_future_holds(offsets_s: list[int]) -> None:
    prices = [
        price_row(1, MIN_UNIT_PRICE_MICRO + i, BEGINNING + timedelta(seconds=offset))
        for i, offset in enumerate(offsets_s)
    ]
    held = rules.price_at(prices, BEGINNING)
    past = [offset for offset in offsets_s if offset <= 0]
    future = [offset for offset in offsets_s if offset > 0]
    assert held == (prices[offsets_s.index(max(past))] if past else None)
    expected = BEGINNING + timedelta(seconds=min(future)) if future else None
    assert rules.next_change(prices, BEGINNING) == expected


def with_price(rows: Rows, price: PriceRow) -> Rows:
    """The rows with one price more."""
    return msgspec.structs.replace(rows, prices=(*rows.prices, price))


def test_a_catalogue_has_the_prices_of_its_instant() -> None:
    change_at = BEGINNING + timedelta(days=1)
    rows = with_price(small_rows(), price_row(1, 3_000_000_000, change_at))
    before = rules.build_catalogue(rows, 5, change_at - timedelta(microseconds=1))
    after = rules.build_catalogue(rows, 5, change_at)
    assert (before.valid_until, after.valid_until) == (change_at, None)
    assert before.projects[1].unit_price_micro == 2_000_000_000
    assert after.projects[1].unit_price_micro == 3_000_000_000
    assert before.portfolios[12].cost_per_ton_cents == 2667
    assert after.portfolios[12].cost_per_ton_cents == 3429
    assert (before.revision, before.default_portfolio_id, before.tree_provider_id) == (5, 12, 3)


def test_a_portfolio_is_ready_to_be_split() -> None:
    portfolio = rules.build_catalogue(small_rows(), 1, BEGINNING).portfolios[12]
    assert [one.project.id for one in portfolio.parts] == [1, 2]
    assert portfolio.money_weights == (500_000, 500_000)
    assert portfolio.mass_weights == (2, 1)
    assert portfolio.parts[0].project.partner_name == "Growers"


def test_parts_are_by_project_id_however_they_were_written() -> None:
    portfolio = portfolio_row(9, {2: 250_000, 1: 750_000})
    rows = msgspec.structs.replace(small_rows(), portfolios=(portfolio,))
    built = rules.build_catalogue(rows, 1, BEGINNING).portfolios[9]
    assert [one.project.id for one in built.parts] == [1, 2]
    assert built.money_weights == (750_000, 250_000)


def test_the_list_begins_with_the_default_and_custom_ones_are_apart() -> None:
    rows = msgspec.structs.replace(
        small_rows(),
        portfolios=(
            *small_rows().portfolios,
            portfolio_row(1001, {1: PPM}, account_id=50),
            portfolio_row(1000, {2: PPM}, account_id=50),
            portfolio_row(8, {1: PPM}, is_open=False),
        ),
    )
    catalogue = rules.build_catalogue(rows, 1, BEGINNING)
    assert [one.id for one in catalogue.listed] == [12, 7]
    assert {account: [one.id for one in own] for account, own in catalogue.custom.items()} == {
        50: [1000, 1001]
    }
    assert not catalogue.portfolios[8].is_open


def test_a_closed_project_closes_its_portfolios() -> None:
    rows = rules.apply_change(small_rows(), Rows(projects=(project_row(1, is_open=False),)))
    catalogue = rules.build_catalogue(rows, 1, BEGINNING)
    assert [one.id for one in catalogue.listed] == [7]
    assert not catalogue.portfolios[12].is_open


def test_what_has_no_price_yet_is_not_sold_yet() -> None:
    rows = msgspec.structs.replace(
        small_rows(),
        portfolios=(*small_rows().portfolios, portfolio_row(9, {})),
        prices=(price_row(1, 2_000_000_000), price_row(2, 4_000_000_000, BEGINNING)),
    )
    early = rules.build_catalogue(rows, 1, BEGINNING - timedelta(seconds=1))
    assert (early.portfolios, early.listed, early.default_portfolio_id) == ({}, (), None)
    assert early.valid_until == BEGINNING
    assert rules.build_catalogue(rows, 1, BEGINNING).portfolios.keys() == {7, 12}


def test_an_empty_catalogue_sells_nothing() -> None:
    catalogue = rules.build_catalogue(Rows(), 0, BEGINNING)
    assert (catalogue.listed, catalogue.custom, catalogue.tree_provider_id) == ((), {}, None)
