"""What one operator may change alone, and what is kept as a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldfare.ledger.errors import ReasonRefused
from fieldfare.ledger.rules import REASON_CHARACTERS, clean_reason, needs_two

CENTS = st.integers(-(10**12), 10**12)
LIMITS = st.integers(0, 10**8)


@given(CENTS, LIMITS)
def test_it_takes_two_above_the_amount_in_either_direction(cents: int, limit: int) -> None:
    assert needs_two(cents, limit) is needs_two(-cents, limit)
    assert needs_two(cents, limit) is (cents > limit or cents < -limit)


@pytest.mark.parametrize(
    ("cents", "two"), [(10_000, False), (-10_000, False), (10_001, True), (-10_001, True)]
)
def test_the_amount_itself_takes_one(cents: int, two: bool) -> None:
    assert needs_two(cents, 10_000) is two


@given(st.text())
def test_a_reason_is_one_line_or_refused(text: str) -> None:
    try:
        cleaned = clean_reason(text)
    except ReasonRefused:
        return
    assert 1 <= len(cleaned) <= REASON_CHARACTERS
    assert cleaned == " ".join(cleaned.split())
    assert clean_reason(cleaned) == cleaned


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("Goodwill, ticket 4711", "Goodwill, ticket 4711"),
        ("  two\n lines\t ", "two lines"),
        ("e\N{COMBINING ACUTE ACCENT}", "é"),
        ("x" * REASON_CHARACTERS, "x" * REASON_CHARACTERS),
    ],
)
def test_what_is_kept(reason: str, kept: str) -> None:
    assert clean_reason(reason) == kept


@pytest.mark.parametrize("reason", ["", " \n", "x" * (REASON_CHARACTERS + 1), "a\x00", "\u202eno"])
def test_what_is_refused(reason: str) -> None:
    with pytest.raises(ReasonRefused) as refusal:
        clean_reason(reason)
    assert refusal.value.param == "reason"
