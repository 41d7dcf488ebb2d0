"""When a refill is due, and what speaks against it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldfare.accounts.model import Refill
from fieldfare.ledger.model import Wallet
from fieldfare.payments.model import RecentRefill
from fieldfare.payments.rules import PUT_OFF, REST, was_put_off, why_no_refill

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
REFILL = Refill(
    account_id=1002,
    below_cents=5_000,
    amount_cents=20_000,
    failures=0,
    is_on=True,
    changed_at=NOW - timedelta(days=9),
)
PENDING = RecentRefill(state="pending", settled_at=None, failure_code=None)
PAID = RecentRefill(state="paid", settled_at=NOW - REST, failure_code=None)
DECLINED = RecentRefill(state="failed", settled_at=NOW - REST, failure_code="insufficient_funds")
BUSY = RecentRefill(state="failed", settled_at=NOW - PUT_OFF, failure_code="busy: rate_limit")


def why(refill: Refill = REFILL, balance_cents: int = 4_999, **changes: Any) -> str | None:
    """What speaks against a refill, which is due unless `changes` say otherwise."""
    recent = changes.pop("recent", [])
    failed_at = changes.pop("failed_at", None)
    return why_no_refill(
        refill,
        Wallet(
            account_id=1002, balance_cents=balance_cents, owed_cents=changes.pop("owed_cents", 0)
        ),
        recent,
        failed_at,
        **{"per_day": 5, "now": NOW, **changes},
    )


def test_a_refill_is_due_below_the_bound_and_not_at_it() -> None:
    assert why(balance_cents=4_999) is None
    assert why(balance_cents=0) is None
    assert why(balance_cents=5_000) == "not needed"


def test_none_is_due_while_something_is_owed() -> None:
    assert why(owed_cents=1) == "it owes for a lost dispute"


def test_none_is_due_while_refills_are_off() -> None:
    assert why(msgspec.structs.replace(REFILL, is_on=False)) == "switched off"


@pytest.mark.parametrize("balance_cents", [0, 4_999, 5_000])
def test_one_that_is_under_way_holds_back_the_next(balance_cents: int) -> None:
    assert why(balance_cents=balance_cents, recent=[PAID, PENDING]) == "one is under way"


def test_a_failure_is_followed_by_an_hour_of_rest() -> None:
    assert why(failed_at=NOW - REST + SECOND) == "resting after a failure"
    assert why(failed_at=NOW - REST) is None


def test_a_failure_that_is_not_counted_yet_is_rested_after_too() -> None:
    just_now = msgspec.structs.replace(DECLINED, settled_at=NOW - REST + SECOND)
    assert why(recent=[just_now]) == "resting after a failure"
    assert why(recent=[DECLINED, PAID]) is None


def test_a_new_setting_ends_the_rest() -> None:
    anew = msgspec.structs.replace(REFILL, changed_at=NOW - SECOND)
    assert why(anew, failed_at=NOW - 2 * SECOND) is None
    assert why(anew, failed_at=NOW) == "resting after a failure"


def test_what_the_processor_did_not_begin_is_put_off_for_a_while() -> None:
    busy = msgspec.structs.replace(BUSY, settled_at=NOW - PUT_OFF + SECOND)
    assert why(recent=[busy]) == "put off by the processor"
    assert why(recent=[BUSY] * 9) is None


def test_a_day_has_its_number_of_refills_paid_or_declined() -> None:
    assert why(recent=[PAID, DECLINED], per_day=3) is None
    assert why(recent=[PAID, DECLINED, BUSY], per_day=3) is None
    assert why(recent=[PAID, DECLINED, PAID], per_day=3) == "as often as a day allows"


@given(
    st.lists(st.sampled_from([PENDING, PAID, DECLINED, BUSY]), max_size=12),
    st.integers(min_value=0, max_value=10_000),
    st.integers(min_value=1, max_value=6),
)
def test_no_refill_is_ever_a_second_one_at_once_or_one_too_many(
    recent: list[RecentRefill], balance_cents: int, per_day: int
) -> None:
    if why(balance_cents=balance_cents, recent=recent, per_day=per_day) is None:
        assert balance_cents < REFILL.below_cents
        assert PENDING not in recent
        assert recent.count(PAID) + recent.count(DECLINED) < per_day


@pytest.mark.parametrize(
    ("code", "put_off"),
    [
        ("busy: rate_limit", True),
        ("unauthorized: api_key_expired", True),
        ("refused: parameter_missing", False),
        ("insufficient_funds", False),
        ("busybody", False),
        (None, False),
    ],
)
def test_what_was_not_begun_is_told_from_what_was_declined(code: str | None, put_off: bool) -> None:
    assert was_put_off(code) is put_off
