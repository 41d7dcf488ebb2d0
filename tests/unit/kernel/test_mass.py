"""Mass: whole milligrams, rounded half up on the way in and exact on the way out."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldfare.kernel.mass import (
    MAX_ORDER_MG,
    MAX_ORDER_TONNES,
    mg_from_tonnes,
    plain,
    scaled,
    tonnes_from_mg,
)
from fieldfare.kernel.numbers import parse_number

bounded = settings(max_examples=200, deadline=None)

finite = st.decimals(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("text", "mass_mg"),
    [
        ("0.45", 450_000_000),
        ("0.001", 1_000_000),
        ("1e-9", 1),
        ("0.0000000005", 1),  # half a milligram
        ("0.00000000049999999999999999", 0),
        ("0.0000000015", 2),
        ("0.0000000024999", 2),
        ("1000000", MAX_ORDER_MG),
        ("0", 0),
    ],
)
def test_tonnes_are_rounded_half_up_to_milligrams(text: str, mass_mg: int) -> None:
    assert mg_from_tonnes(parse_number(text)) == mass_mg


@pytest.mark.parametrize(
    ("tonnes", "mass_mg"),
    [(0.1 + 0.2, 300_000_000), (0.1 * 3, 300_000_000), (1.1 * 1.1, 1_210_000_000)],
)
def test_the_noise_of_a_float_client_is_below_a_milligram(tonnes: float, mass_mg: int) -> None:
    assert len(repr(tonnes)) > 15
    assert mg_from_tonnes(parse_number(repr(tonnes))) == mass_mg


@bounded
@given(st.fractions(min_value=0, max_value=MAX_ORDER_TONNES))
def test_milligrams_are_the_nearest(tonnes: Fraction) -> None:
    error = mg_from_tonnes(tonnes) - tonnes * 10**9
    assert -Fraction(1, 2) < error <= Fraction(1, 2)


@bounded
@given(st.integers(0, MAX_ORDER_MG))
def test_milligrams_survive_the_wire(mass_mg: int) -> None:
    text = format(tonnes_from_mg(mass_mg), "f")
    assert mg_from_tonnes(parse_number(text)) == mass_mg


@bounded
@given(st.integers(), st.integers(0, 12))
def test_scaling_is_exact(amount: int, decimals: int) -> None:
    assert Fraction(scaled(amount, decimals)) * 10**decimals == amount


@bounded
@given(finite)
def test_plain_keeps_the_value_and_drops_what_says_nothing(value: Decimal) -> None:
    shown = plain(value)
    text = format(shown, "f")
    assert Fraction(shown) == Fraction(value)
    assert "." not in text or not text.endswith(("0", "."))
    exponent = shown.as_tuple().exponent
    assert isinstance(exponent, int)
    assert exponent <= 0
    assert "E" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [("0.450", "0.45"), ("20.00", "20"), ("2E+1", "20"), ("0.00", "0"), ("1E-6", "0.000001")],
)
def test_plain_worked_by_hand(value: str, text: str) -> None:
    assert str(plain(Decimal(value))) == text


@pytest.mark.parametrize(
    ("mass_mg", "text"),
    [(450_000_000, "0.45"), (10**9, "1"), (20 * 10**9, "20"), (1_000, "0.000001"), (0, "0")],
)
def test_tonnes_worked_by_hand(mass_mg: int, text: str) -> None:
    assert str(tonnes_from_mg(mass_mg)) == text
