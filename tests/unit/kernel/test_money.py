"""Money: integers inside, exact decimals without trailing zeros on the wire."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldfare.kernel.money import (
    CENTS_PER_DOLLAR,
    MICRO_PER_CENT,
    PPM,
    cents_from_micro,
    dollars_from_cents,
    dollars_from_micro,
    fraction_from_ppm,
    micro_from_cents,
)

bounded = settings(max_examples=200, deadline=None)

WIRE_FORMS = [
    (cents_from_micro, MICRO_PER_CENT),
    (dollars_from_cents, CENTS_PER_DOLLAR),
    (dollars_from_micro, MICRO_PER_CENT * CENTS_PER_DOLLAR),
    (fraction_from_ppm, PPM),
]


@pytest.mark.parametrize(("wire", "unit"), WIRE_FORMS)
@bounded
@given(st.integers())
def test_a_wire_amount_is_exact_and_plain(
    wire: Callable[[int], Decimal], unit: int, amount: int
) -> None:
    text = format(wire(amount), "f")
    assert Fraction(text) * unit == amount
    assert "." not in text or not text.endswith(("0", "."))


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (cents_from_micro(1_200_000), "1.2"),
        (cents_from_micro(432_000_000), "432"),
        (cents_from_micro(1), "0.000001"),
        (cents_from_micro(-750_000), "-0.75"),
        (dollars_from_cents(2398), "23.98"),
        (dollars_from_cents(6000), "60"),
        (dollars_from_cents(5), "0.05"),
        (dollars_from_micro(1_563_000_000), "15.63"),
        (dollars_from_micro(40_171_000_000), "401.71"),
        (fraction_from_ppm(400_000), "0.4"),
        (fraction_from_ppm(1_000_000), "1"),
        (fraction_from_ppm(0), "0"),
    ],
)
def test_wire_amounts_worked_by_hand(shown: Decimal, text: str) -> None:
    assert str(shown) == text


@bounded
@given(st.integers())
def test_cents_survive_the_books(cents: int) -> None:
    assert cents_from_micro(micro_from_cents(cents)) == cents
