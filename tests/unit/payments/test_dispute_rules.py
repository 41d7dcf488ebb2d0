"""How disputes go on, and how many credits go with a part of a top-up's money."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldfare.payments.model import Dispute, DisputeState, Payment, Remains
from fieldfare.payments.rules import (
    Step,
    dispute_mismatches,
    dispute_movement,
    dispute_refund,
    dispute_return,
    less,
    moved,
    next_steps,
    part_of,
    part_taken,
)

NOW = datetime(2026, 11, 21, tzinfo=UTC)
STATUSES = (
    "needs_response", "under_review", "won", "lost", "warning_needs_response",
    "warning_under_review", "warning_closed", "prevented", "appeal_needs_response",
    "appeal_under_review",
)  # fmt: skip
AFTER: dict[Step, DisputeState] = {"open": "open", "win": "won", "lose": "lost"}


def go_on(kept: DisputeState | None, *statuses: str) -> tuple[DisputeState | None, list[Step]]:
    """Where a dispute comes to that is seen in these states, and by which steps."""
    taken: list[Step] = []
    for status in statuses:
        for step in next_steps(kept, status) or ():
            taken.append(step)
            kept = AFTER[step]
    return kept, taken


@pytest.mark.parametrize(
    ("statuses", "steps"),
    [
        (["needs_response", "under_review", "won"], ["open", "win"]),
        (["needs_response", "lost", "needs_response", "lost"], ["open", "lose"]),
        (["lost"], ["open", "lose"]),
        (["won", "needs_response", "under_review", "won"], ["open", "win"]),
        (["warning_needs_response", "warning_closed"], []),
        (["warning_needs_response", "needs_response", "warning_under_review"], ["open"]),
        (["prevented"], []),
        (["won", "appeal_under_review", "lost"], ["open", "win", "open", "lose"]),
        (["won", "lost"], ["open", "win", "open", "lose"]),
        (["lost", "appeal_needs_response", "lost"], ["open", "lose"]),
        (["appeal_under_review", "won"], ["open", "win"]),
    ],
)
def test_a_dispute_goes_on(statuses: list[str], steps: list[Step]) -> None:
    assert go_on(None, *statuses)[1] == steps


@pytest.mark.parametrize(
    ("kept", "status"),
    [("lost", "won"), ("open", "prevented"), ("won", "prevented"), (None, "new"), ("open", "new")],
)
def test_what_cannot_be_is_for_a_person(kept: DisputeState | None, status: str) -> None:
    assert next_steps(kept, status) is None


@given(st.lists(st.sampled_from(STATUSES), max_size=12))
def test_money_goes_out_once_before_it_comes_back_or_is_lost(statuses: list[str]) -> None:
    _, steps = go_on(None, *statuses)
    assert steps[::2] == ["open"] * len(steps[::2])
    assert "open" not in steps[1::2]
    assert "lose" not in steps[:-1], "what is lost stays lost"


@given(st.sampled_from(STATUSES), st.sampled_from(STATUSES))
def test_the_same_again_does_nothing(first: str, second: str) -> None:
    state, _ = go_on(None, first, second)
    assert not next_steps(state, second)


def test_each_movement_has_an_id_of_its_own() -> None:
    ids = {
        make(dispute)
        for make in (dispute_movement, dispute_return, dispute_refund)
        for dispute in ("dp_1", "dp_2")
    }
    assert len(ids) == 6
    assert dispute_movement("dp_1") == dispute_movement("dp_1")


def payment_of(**fields: Any) -> Payment:
    """A payment of $7.04."""
    facts: dict[str, Any] = {
        "id": UUID(int=1), "subject": "purchase", "subject_id": UUID(int=2), "account_id": 1,
        "amount_minor": 704, "currency": "USD", "amount_cents": 704, "customer": "cus_1",
        "request": b"{}", "processor_key": "k", "first_sent_at": NOW, "last_sent_at": NOW,
        "leased_until": None, "intent_id": "pi_1", "charge_id": "ch_1", "state": "succeeded",
        "failure_code": None, "created_at": NOW,
    }  # fmt: skip
    return Payment(**facts | fields)


def kept_of(**fields: Any) -> Dispute:
    """A dispute of all of it."""
    facts: dict[str, Any] = {
        "dispute_id": "dp_1", "payment_id": UUID(int=1), "amount_minor": 704, "currency": "USD",
        "state": "open", "opened_at": NOW,
    }  # fmt: skip
    return Dispute(**facts | fields)


@pytest.mark.parametrize(
    ("kept", "amount_minor", "currency", "faults"),
    [
        (None, 704, "USD", []),
        (None, 100, "USD", []),
        (kept_of(), 704, "USD", []),
        (None, 704, "EUR", ["currency is EUR, expected USD"]),
        (kept_of(), 703, "USD", ["amount is 703, expected 704"]),
        (None, 0, "USD", ["amount is 0"]),
        (
            kept_of(payment_id=UUID(int=3)), 704, "USD",
            [f"payment is {UUID(int=1)}, expected {UUID(int=3)}"],
        ),
    ],
)  # fmt: skip
def test_a_dispute_fits_its_payment_and_itself(
    kept: Dispute | None, amount_minor: int, currency: str, faults: list[str]
) -> None:
    found = dispute_mismatches(payment_of(), kept, amount_minor=amount_minor, currency=currency)
    assert found == faults


@pytest.mark.parametrize(
    ("currency", "amount_minor", "micro"),
    [("USD", 704, 704_000_000), ("JPY", 1, 100_000_000), ("KWD", 10, 1_000_000)],
)
def test_money_lies_in_another_book(currency: str, amount_minor: int, micro: int) -> None:
    legs = moved(currency, amount_minor, into="disputes", out_of="processor")
    assert [(leg.book, leg.currency, leg.amount_micro) for leg in legs] == [
        ("processor", currency, micro),
        ("disputes", currency, -micro),
    ]


# ------------------------------------------------------------------------------ parts of a top-up


amounts = st.integers(1, 10**9)


@given(amounts, amounts, st.lists(st.integers(1, 10**9), max_size=8))
def test_parts_of_all_of_it_take_exactly_all_credits(
    minor: int, cents: int, parts: list[int]
) -> None:
    remains = Remains(minor=minor, cents=cents)
    taken = Remains(minor=0, cents=0)
    for amount in [*parts, minor]:
        part = part_of(amount, remains)
        assert 0 <= part.minor <= amount
        assert part.cents >= 0
        remains = less(remains, part)
        taken = Remains(minor=taken.minor + part.minor, cents=taken.cents + part.cents)
    assert (taken.minor, taken.cents) == (minor, cents)
    assert remains == Remains(minor=0, cents=0)


@given(amounts, amounts, amounts)
def test_a_part_is_rounded_up_to_less_than_a_cent_more(minor: int, cents: int, amount: int) -> None:
    part = part_of(amount, Remains(minor=minor, cents=cents))
    if amount < minor:
        assert 0 <= part.cents * minor - cents * amount < minor
    else:
        assert part == Remains(minor=minor, cents=cents)


@given(amounts, amounts, amounts, amounts)
def test_what_was_taken_and_a_refund_under_way_never_take_too_much(
    minor: int, cents: int, asked: int, lost: int
) -> None:
    remains = Remains(minor=minor, cents=cents)
    pending = part_of(asked, remains)
    part = part_taken(lost, remains, pending)
    if lost <= minor - pending.minor:
        assert part.cents + pending.cents <= cents
        assert part.minor == lost
        rest = less(less(remains, pending), part)
        assert part.cents + pending.cents + rest.cents == cents
    else:
        # There is no room for both: the refund will fail, and its credits come back.
        assert part == part_of(lost, remains)


def test_less_than_nothing_is_nothing() -> None:
    small, large = Remains(minor=1, cents=2), Remains(minor=3, cents=4)
    assert less(small, large) == Remains(minor=0, cents=0)
