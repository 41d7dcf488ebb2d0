"""Numbers: the bounded grammar is read exactly, and whole parts add up to what was split."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fieldfare.kernel.numbers import (
    MAX_NUMBER_CHARACTERS,
    NotANumber,
    ceil_div,
    half_up,
    largest_remainder,
    parse_integer,
    parse_number,
)

bounded = settings(max_examples=200, deadline=None)

mantissas = st.one_of(
    st.from_regex(r"[0-9]{1,20}(\.[0-9]{0,5})?", fullmatch=True),
    st.from_regex(r"\.[0-9]{1,20}", fullmatch=True),
)
signs = st.sampled_from(["", "+", "-"])
exponents = st.one_of(st.just(""), st.from_regex(r"[eE][+-]?[0-9]{1,2}", fullmatch=True))
grammatical = st.builds("{}{}{}".format, signs, mantissas, exponents).filter(
    lambda text: len(text) <= MAX_NUMBER_CHARACTERS
)
near_misses = st.text(alphabet="0123456789+-.eE_ \t\n/,xNaInfٱ٣²", max_size=34)
weight_lists = st.lists(st.integers(0, 10**9), min_size=1, max_size=12).filter(any)
totals = st.integers(0, 10**18)


@bounded
@given(grammatical)
@example("0.1")
@example("12.")
@example(".5e-9")
@example("-0")
@example("9" * 26 + "e+99")
def test_a_number_is_read_as_decimal_reads_it(text: str) -> None:
    assert parse_number(text) == Fraction(Decimal(text))


@bounded
@given(near_misses)
def test_nothing_is_read_but_the_grammar(text: str) -> None:
    try:
        value = parse_number(text)
    except NotANumber:
        return
    assert text.isascii()
    assert not set(text) - set("0123456789+-.eE")
    assert 0 < len(text) <= MAX_NUMBER_CHARACTERS
    assert value == Fraction(Decimal(text))


REFUSED = [
    "", " ", "1 ", " 1", "1\n", "\t1", "1 000", "1,5", "1_000", "1e1_0",
    "NaN", "nan", "-nan", "sNaN", "Infinity", "-Infinity", "inf", "true", "null",
    "1e400", "1e100", "1e-100", "1e", "e5", ".", "+", "-", "--1", "+-1", "1..2", ".e1",
    "0x10", "1/2", "1+1", "1j", "²", "½", "１", "٣", "१२", "1e٣", "−1", "1\x00",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(NotANumber):
        parse_number(text)


def test_thirty_characters_are_read_and_thirty_one_are_not() -> None:
    assert parse_number("9" * 30) == 10**30 - 1
    with pytest.raises(NotANumber):
        parse_number("0" * 30 + "1")


def test_a_refusal_never_repeats_a_long_text() -> None:
    with pytest.raises(NotANumber) as refusal:
        parse_number("9" * 100_000)
    assert len(str(refusal.value)) == MAX_NUMBER_CHARACTERS


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("1.0", 1), ("1e3", 1000), ("-2.50e1", -25), ("+7", 7), ("0e99", 0), ("100e-2", 1)],
)
def test_a_whole_number_is_read_in_any_writing(text: str, value: int) -> None:
    assert parse_integer(text) == value


@pytest.mark.parametrize("text", ["1.5", "1e-1", "0.999999999999999999999", "NaN", ""])
def test_what_is_not_whole_is_refused(text: str) -> None:
    with pytest.raises(NotANumber):
        parse_integer(text)


@bounded
@given(st.integers(-(10**30), 10**30), st.integers(1, 10**15))
def test_ceil_div_is_the_least_whole_number_not_below(numerator: int, denominator: int) -> None:
    assert (ceil_div(numerator, denominator) - 1) * denominator < numerator
    assert ceil_div(numerator, denominator) * denominator >= numerator


@bounded
@given(st.fractions(min_value=0))
@example(Fraction(1, 2))
@example(Fraction(5, 2))
def test_half_up_is_the_nearest_and_halves_go_up(value: Fraction) -> None:
    assert -Fraction(1, 2) < half_up(value) - value <= Fraction(1, 2)


@bounded
@given(totals, weight_lists)
def test_parts_add_up_and_lie_within_one_of_their_share(total: int, weights: list[int]) -> None:
    parts = largest_remainder(total, tuple(weights))
    assert len(parts) == len(weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1
        assert part >= 0
        assert weight or part == 0


@bounded
@given(totals, weight_lists, st.data())
def test_permuting_weights_permutes_parts_but_for_ties(
    total: int, weights: list[int], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(weights))))
    parts = largest_remainder(total, tuple(weights))
    shuffled = largest_remainder(total, tuple(weights[i] for i in order))
    back = dict(zip(order, shuffled, strict=True))
    whole = sum(weights)
    remainders = [total * weight % whole for weight in weights]
    for i, part in enumerate(parts):
        assert back[i] == part or remainders.count(remainders[i]) > 1
        assert abs(back[i] - part) <= 1


@bounded
@given(totals, st.integers(1, 10**9), st.integers(1, 12))
def test_ties_go_to_the_lower_position(total: int, weight: int, count: int) -> None:
    parts = largest_remainder(total, (weight,) * count)
    assert list(parts) == sorted(parts, reverse=True)
    assert max(parts) - min(parts) <= 1


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (1080, (40, 25, 15, 12, 8), (432, 270, 162, 130, 86)),  # 129.6 and 86.4
        (3_000_000, (40, 25, 15, 12, 8), (1_200_000, 750_000, 450_000, 360_000, 240_000)),
        (100, (1, 1, 1), (34, 33, 33)),
        (2, (1, 1, 1), (1, 1, 0)),
        (1, (0, 1, 1), (0, 1, 0)),
        (5, (0, 7, 0), (0, 5, 0)),
        (0, (3, 4), (0, 0)),
        (7, (2, 1), (5, 2)),  # 4.67 and 2.33
        (10, (6, 3, 1), (6, 3, 1)),
    ],
)
def test_splits_worked_by_hand(
    total: int, weights: tuple[int, ...], parts: tuple[int, ...]
) -> None:
    assert largest_remainder(total, weights) == parts
