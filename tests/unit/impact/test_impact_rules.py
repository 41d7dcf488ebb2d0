"""Everyday equivalents and places, each held against a figure worked out by hand."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldfare.impact.rules import flights_taken, miles_driven, place_of, trees_per_year
from fieldfare.kernel.mass import MAX_ORDER_MG, MG_PER_TONNE
from fieldfare.kernel.numbers import half_up


@pytest.mark.parametrize(
    ("mass_mg", "trees", "miles", "flights"),
    [
        pytest.param(0, "0", "0", "0", id="nothing"),
        # 1 ÷ 0.006 = 166.666…; 1 ÷ 0.000393 = 2544.529…; 1 ÷ 1.11161105 = 0.89959…
        pytest.param(MG_PER_TONNE, "166.67", "2544.53", "0.9", id="a tonne"),
        # 0.45 ÷ 0.006 = 75; ÷ 0.000393 = 1145.038…; ÷ 1.11161105 = 0.40481…
        pytest.param(450_000_000, "75", "1145.04", "0.4", id="0.45 t"),
        # 0.03 kg: exactly 0.005 of a tree, which is rounded up; 0.0763… miles.
        pytest.param(30_000, "0.01", "0.08", "0", id="half a hundredth of a tree"),
        pytest.param(29_999, "0", "0.08", "0", id="a little less"),
        # 393,000 t over 0.000393 t: a thousand million miles.
        pytest.param(393_000 * MG_PER_TONNE, "65500000", "1000000000", "353540.93", id="much"),
    ],
)
def test_equivalents(mass_mg: int, trees: str, miles: str, flights: str) -> None:
    assert trees_per_year(mass_mg) == Decimal(trees)
    assert miles_driven(mass_mg) == Decimal(miles)
    assert flights_taken(mass_mg) == Decimal(flights)


def test_equivalents_are_written_without_exponent_or_trailing_zeros() -> None:
    assert str(trees_per_year(600 * MG_PER_TONNE)) == "100000"
    assert str(miles_driven(393_000 * MG_PER_TONNE)) == "1000000000"
    assert str(flights_taken(0)) == "0"


def test_a_flight_is_the_distance_times_the_factor() -> None:
    # 5,555 km × 0.20011 kg = 1111.61105 kg.
    assert flights_taken(1_111_611_050) == 1


@given(st.integers(0, 1_000 * MAX_ORDER_MG), st.integers(0, 1_000 * MAX_ORDER_MG))
def test_more_mass_is_never_worth_less(one_mg: int, other_mg: int) -> None:
    less, more = sorted((one_mg, other_mg))
    for equivalent in (trees_per_year, miles_driven, flights_taken):
        assert equivalent(less) <= equivalent(more)


@pytest.mark.parametrize(
    ("rank", "accounts", "percentile"),
    [
        pytest.param(1, 1, "100", id="alone"),
        pytest.param(1, 5, "100", id="first of five"),
        pytest.param(2, 5, "80", id="second of five: four have no more"),
        pytest.param(5, 5, "20", id="last of five"),
        pytest.param(2, 3, "66.67", id="two of three, rounded up"),
        pytest.param(3, 3, "33.33", id="one of three, rounded down"),
        # 100 ÷ 800 = 0.125
        pytest.param(800, 800, "0.13", id="halves up"),
        pytest.param(42, 1000, "95.9", id="no trailing zero"),
        pytest.param(10**9, 10**9, "0", id="the last of very many"),
    ],
)
def test_places(rank: int, accounts: int, percentile: str) -> None:
    place = place_of(rank, accounts)
    assert place.rank == rank
    assert str(place.percentile) == percentile


def test_a_rank_beyond_the_accounts_that_were_counted_is_the_last() -> None:
    assert place_of(4, 3) == place_of(4, 4)
    assert place_of(1, 0) == place_of(1, 1)


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_a_place_is_the_share_of_those_with_no_more(rank: int, accounts: int) -> None:
    place = place_of(rank, accounts)
    among = max(rank, accounts)
    assert place.percentile * 100 == half_up(10_000 * Fraction(among - rank + 1, among))
    assert 0 <= place.percentile <= 100
