"""What may be sent again, what counts as lost, and what a charge must match."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from fieldfare.payments import rules
from fieldfare.payments.model import Payment

SENT_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
ID = UUID("01a1ff8b-3e1c-77ae-9f54-4d545870ccfb")
PURCHASE = UUID("01a1ff8b-3e1c-77ae-9f54-000000000001")
MS = timedelta(milliseconds=1)


def payment(**fields: Any) -> Payment:
    """A payment of 704 US cents, sent once at noon."""
    facts: dict[str, Any] = {
        "id": ID, "subject": "purchase", "subject_id": PURCHASE, "account_id": 7,
        "amount_minor": 704, "currency": "USD", "amount_cents": 704, "customer": "cus_1",
        "request": b"{}", "processor_key": "key", "first_sent_at": SENT_AT,
        "last_sent_at": SENT_AT, "leased_until": None, "intent_id": None, "charge_id": None,
        "state": "pending", "failure_code": None, "created_at": SENT_AT,
    }  # fmt: skip
    return Payment(**facts | fields)


def frozen(**fields: Any) -> bytes:
    """The request of that payment."""
    facts: dict[str, Any] = {
        "amount_minor": 704, "currency": "USD", "customer": "cus_1", "payment_method": "pm_1",
        "subject": "purchase", "subject_id": PURCHASE,
    }  # fmt: skip
    return rules.frozen_request(**facts | fields)


def test_the_key_at_the_processor_is_made_of_the_payment_alone() -> None:
    assert rules.processor_key(ID) == f"fieldfare-{ID}" == rules.processor_key(UUID(str(ID)))
    assert len(rules.processor_key(ID)) <= 255


def test_a_request_is_off_session_confirmed_at_once_and_names_ids_only() -> None:
    assert msgspec.json.decode(frozen()) == {
        "amount": 704, "currency": "usd", "customer": "cus_1", "payment_method": "pm_1",
        "off_session": "true", "confirm": "true",
        "metadata": {"subject": "purchase", "subject_id": str(PURCHASE)},
    }  # fmt: skip


def test_the_same_request_is_the_same_bytes() -> None:
    assert frozen() == frozen()
    changes: list[dict[str, Any]] = [
        {"amount_minor": 705}, {"currency": "EUR"}, {"customer": "cus_2"},
        {"payment_method": "pm_2"}, {"subject": "top_up"}, {"subject_id": ID},
    ]  # fmt: skip
    assert len({frozen(), *(frozen(**change) for change in changes)}) == len(changes) + 1


def test_it_is_sent_again_only_while_the_processor_knows_its_key() -> None:
    end = SENT_AT + timedelta(hours=23)
    # What counts is when it was first sent: the processor's day begins there.
    late = payment(last_sent_at=end - MS)
    assert rules.may_send_again(late, end - MS)
    assert not rules.may_send_again(late, end)
    assert not rules.may_send_again(late, SENT_AT + timedelta(hours=23, minutes=59))
    assert not rules.may_send_again(late, SENT_AT + timedelta(hours=24, minutes=1))


def test_it_is_lost_only_after_nothing_can_be_under_way() -> None:
    last = SENT_AT + timedelta(hours=22)
    late = payment(last_sent_at=last)
    assert not rules.is_lost(late, SENT_AT + timedelta(hours=46))
    assert not rules.is_lost(late, last + timedelta(hours=25))
    assert rules.is_lost(late, last + timedelta(hours=25) + MS)


def test_no_instant_allows_both() -> None:
    one = payment()
    for minutes in range(0, 60 * 30, 7):
        now = SENT_AT + timedelta(minutes=minutes)
        assert not (rules.may_send_again(one, now) and rules.is_lost(one, now))


def test_a_lease_holds_until_its_end() -> None:
    until = SENT_AT + rules.REQUEST_LEASE
    leased = payment(leased_until=until)
    assert rules.is_leased(leased, until - MS)
    assert not rules.is_leased(leased, until)
    assert not rules.is_leased(payment(), SENT_AT)


SAME: dict[str, Any] = {
    "amount_minor": 704, "currency": "USD", "customer": "cus_1", "subject_id": str(PURCHASE),
}  # fmt: skip


def test_a_charge_that_matches_has_no_difference() -> None:
    assert rules.mismatches(payment(), **SAME) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"amount_minor": 703}, "amount is 703, expected 704"),
        ({"currency": "EUR"}, "currency is EUR, expected USD"),
        ({"customer": "cus_2"}, "customer is cus_2, expected cus_1"),
        ({"subject_id": str(ID)}, f"subject_id is {ID}, expected {PURCHASE}"),
        ({"subject_id": None}, f"subject_id is None, expected {PURCHASE}"),
    ],
)
def test_each_difference_is_told(change: dict[str, Any], message: str) -> None:
    assert rules.mismatches(payment(), **SAME | change) == [message]


def test_all_differences_are_told() -> None:
    assert len(rules.mismatches(payment(), **SAME | {"amount_minor": 1, "customer": ""})) == 2
