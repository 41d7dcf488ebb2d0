"""Money on its way back to a card: what is asked, how long it may be asked, what must match."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from fieldfare.kernel.currency import get_currency, micro_from_minor
from fieldfare.ledger.model import Book, Leg
from fieldfare.payments.model import Payment, Refund
from fieldfare.payments.rules.charging import IN_DOLLARS
from fieldfare.payments.rules.sending import LOST_AFTER, RESEND_WITHIN


def frozen_refund(payment: Payment, *, refund_id: UUID, amount_minor: int) -> bytes:
    """The parameters of a refund of a paid charge, as the bytes that are kept."""
    parameters: dict[str, Any] = {
        "amount": amount_minor,
        "charge": payment.charge_id,
        "metadata": {
            "subject": payment.subject,
            "subject_id": str(payment.subject_id),
            "refund_id": str(refund_id),
        },
    }
    return msgspec.json.encode(parameters, order="sorted")


def may_send_refund_again(refund: Refund, now: datetime) -> bool:
    """Whether its frozen request under its key still cannot give money back twice."""
    return refund.first_sent_at is not None and now - refund.first_sent_at < RESEND_WITHIN


def is_refund_lost(refund: Refund, now: datetime) -> bool:
    """Whether a refund that no list shows was certainly never carried out."""
    return refund.last_sent_at is not None and now - refund.last_sent_at > LOST_AFTER


def refund_mismatches(
    refund: Refund, payment: Payment, *, amount_minor: int, currency: str, charge_id: str
) -> list[str]:
    """Where what the processor did differs from what was asked; empty if nowhere."""
    compared = (
        ("amount", refund.amount_minor, amount_minor),
        ("currency", refund.currency, currency),
        ("charge", payment.charge_id, charge_id),
    )
    return [
        f"{name} is {found}, expected {expected}"
        for name, expected, found in compared
        if found != expected
    ]


def money_back_legs(
    *, currency: str, amount_minor: int, amount_micro: int, book: Book = "processor"
) -> list[Leg]:
    """The card's side of money that went back, or was lost, out of `book`.

    Its other side is less of what it had paid for: `amount_micro`, millionths of a US cent. With it
    the legs sum to zero in each currency. Raises `UnknownCurrency`.
    """
    gone_micro = micro_from_minor(amount_minor, get_currency(currency))
    gone = Leg(book=book, currency=currency, amount_micro=gone_micro)
    if currency == IN_DOLLARS.currency.code:
        assert gone_micro == amount_micro, "a dollar is a dollar"
        return [gone]
    return [
        gone,
        Leg(book="exchange", currency=currency, amount_micro=-gone_micro),
        Leg(book="exchange", currency="USD", amount_micro=amount_micro),
    ]
