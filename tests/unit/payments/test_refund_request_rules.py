"""Refunds to cards: what is asked, until when it may be sent again, what must match, what moves."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldfare.ledger.model import Leg
from fieldfare.payments import rules
from fieldfare.payments.model import Payment, Refund

SENT_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
REFUND = UUID("01a1ff8b-3e1c-77ae-9f54-4d545870ccfb")
PURCHASE = UUID("01a1ff8b-3e1c-77ae-9f54-000000000001")
MS = timedelta(milliseconds=1)
PAYMENT = Payment(
    id=UUID(int=1), subject="purchase", subject_id=PURCHASE, account_id=7, amount_minor=704,
    currency="USD", amount_cents=704, customer="cus_1", request=b"{}", processor_key="key",
    first_sent_at=SENT_AT, last_sent_at=SENT_AT, leased_until=None, intent_id="pi_1",
    charge_id="ch_1", state="succeeded", failure_code=None, created_at=SENT_AT,
)  # fmt: skip


def refund(**fields: Any) -> Refund:
    """A refund of 204, sent once at noon."""
    facts: dict[str, Any] = {
        "id": REFUND, "payment_id": PAYMENT.id, "amount_minor": 204, "currency": "USD",
        "reason": "", "origin": "operator", "request": b"{}", "processor_key": "key",
        "first_sent_at": SENT_AT, "last_sent_at": SENT_AT, "leased_until": None,
        "refund_id": None, "state": "pending", "failure_code": None, "created_at": SENT_AT,
        "settled_at": None,
    }  # fmt: skip
    return Refund(**facts | fields)


def test_a_request_names_the_charge_and_ids_only() -> None:
    asked = rules.frozen_refund(PAYMENT, refund_id=REFUND, amount_minor=204)
    assert msgspec.json.decode(asked) == {
        "amount": 204,
        "charge": "ch_1",
        "metadata": {
            "subject": "purchase", "subject_id": str(PURCHASE), "refund_id": str(REFUND),
        },
    }  # fmt: skip
    assert asked == rules.frozen_refund(PAYMENT, refund_id=REFUND, amount_minor=204)


def test_it_may_be_sent_again_for_twenty_three_hours_from_the_first_time() -> None:
    once = refund(last_sent_at=SENT_AT + timedelta(hours=5))
    assert rules.may_send_refund_again(once, SENT_AT + rules.RESEND_WITHIN - MS)
    assert not rules.may_send_refund_again(once, SENT_AT + rules.RESEND_WITHIN)


def test_it_is_lost_twenty_five_hours_after_the_last_time() -> None:
    again = refund(last_sent_at=SENT_AT + timedelta(hours=5))
    lost_at = SENT_AT + timedelta(hours=5) + rules.LOST_AFTER
    assert not rules.is_refund_lost(again, lost_at)
    assert rules.is_refund_lost(again, lost_at + MS)


def test_what_was_made_at_the_processor_is_never_sent_and_never_lost() -> None:
    foreign = refund(origin="processor", first_sent_at=None, last_sent_at=None)
    assert not rules.may_send_refund_again(foreign, SENT_AT)
    assert not rules.is_refund_lost(foreign, SENT_AT + timedelta(days=900))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({"amount_minor": 205}, ["amount is 205, expected 204"]),
        ({"currency": "EUR"}, ["currency is EUR, expected USD"]),
        ({"charge_id": "ch_2"}, ["charge is ch_2, expected ch_1"]),
    ],
)
def test_what_was_done_must_be_what_was_asked(changed: dict[str, Any], said: list[str]) -> None:
    done: dict[str, Any] = {"amount_minor": 204, "currency": "USD", "charge_id": "ch_1"}
    assert rules.refund_mismatches(refund(), PAYMENT, **done | changed) == said


def sums(legs: list[Leg]) -> dict[str, int]:
    """What legs come to in each currency."""
    totals: dict[str, int] = defaultdict(int)
    for leg in legs:
        totals[leg.currency] += leg.amount_micro
    return dict(totals)


@given(
    st.sampled_from([("EUR", 1_000_000), ("JPY", 100_000_000), ("KWD", 100_000)]),
    st.integers(1, 10**11),
    st.integers(0, 10**17),
)
def test_money_back_balances_what_it_had_paid_for(
    currency: tuple[str, int], amount_minor: int, amount_micro: int
) -> None:
    code, scale = currency
    legs = rules.money_back_legs(
        currency=code, amount_minor=amount_minor, amount_micro=amount_micro
    )
    assert legs[0] == Leg(book="processor", currency=code, amount_micro=amount_minor * scale)
    assert sums(legs) == {code: 0, "USD": amount_micro}


def test_dollars_need_no_exchange() -> None:
    (leg,) = rules.money_back_legs(
        currency="USD", amount_minor=5, amount_micro=5_000_000, book="disputes"
    )
    assert leg == Leg(book="disputes", currency="USD", amount_micro=5_000_000)
    with pytest.raises(AssertionError):
        rules.money_back_legs(currency="USD", amount_minor=5, amount_micro=4_000_000)
