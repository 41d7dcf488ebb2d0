"""What may be sent again, what counts as lost, and what an answer must match."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from fieldfare.payments.model import NewPayment, Payment

RESEND_WITHIN = timedelta(hours=23)
"""The processor forgets a key after 24 hours; an hour is kept for clocks and slow requests."""
LOST_AFTER = timedelta(hours=25)
"""No list shows it this long after it was last sent: it was never carried out."""
LIST_SLACK = timedelta(minutes=5)
"""Their clock may be behind ours by this much."""
REQUEST_LEASE = timedelta(seconds=30)
"""As long as whoever sent the request may still be waiting for its answer."""
EXCEPTION_AFTER = timedelta(hours=1)
SHORTEST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)


def processor_key(payment_id: UUID) -> str:
    """Our idempotency key at the processor: the same on every try."""
    return f"fieldfare-{payment_id}"


def frozen_request(
    *,
    amount_minor: int,
    currency: str,
    customer: str,
    payment_method: str,
    subject: str,
    subject_id: UUID,
) -> bytes:
    """The parameters of a charge off-session, confirmed at once, as the bytes that are kept."""
    parameters: dict[str, Any] = {
        "amount": amount_minor,
        "currency": currency.lower(),
        "customer": customer,
        "payment_method": payment_method,
        "off_session": "true",
        "confirm": "true",
        "metadata": {"subject": subject, "subject_id": str(subject_id)},
    }
    return msgspec.json.encode(parameters, order="sorted")


def may_send_again(payment: Payment, now: datetime) -> bool:
    """Whether the frozen request under its key still cannot charge twice."""
    return now - payment.first_sent_at < RESEND_WITHIN


def is_lost(payment: Payment, now: datetime) -> bool:
    """Whether a payment that no list shows was certainly never carried out."""
    return now - payment.last_sent_at > LOST_AFTER


def is_leased(payment: Payment, now: datetime) -> bool:
    """Whether the request that is under way may still be answered."""
    return payment.leased_until is not None and payment.leased_until > now


def mismatches(
    payment: Payment | NewPayment,
    *,
    amount_minor: int,
    currency: str,
    customer: str,
    subject_id: str | None,
) -> list[str]:
    """Where a charge differs from the payment that it should settle; empty if nowhere."""
    compared = (
        ("amount", payment.amount_minor, amount_minor),
        ("currency", payment.currency, currency),
        ("customer", payment.customer, customer),
        ("subject_id", str(payment.subject_id), subject_id),
    )
    return [
        f"{name} is {found}, expected {expected}"
        for name, expected, found in compared
        if found != expected
    ]


def look_again_in(age: timedelta) -> timedelta:
    """When the timer of something as old as this, and still unknown, looks again: ever later."""
    return min(max(age, SHORTEST_WAIT), LONGEST_WAIT)
