"""What an answer of the processor proves about a payment, and nothing more than that."""

from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec


class Charged(msgspec.Struct, frozen=True, kw_only=True):
    """The card was charged."""

    intent_id: str
    charge_id: str
    amount_minor: int
    currency: str
    customer: str
    subject_id: str | None
    """What our metadata says it is for."""


class Declined(msgspec.Struct, frozen=True, kw_only=True):
    """The card was not charged, and the intent cannot be any more unless somebody confirms it."""

    code: str
    """The issuer's or the processor's reason, for instance `insufficient_funds`."""
    intent_id: str | None
    """An intent that is still open and should be cancelled."""


class NeedsAuthentication(msgspec.Struct, frozen=True, kw_only=True):
    """The bank wants its customer to confirm, which nobody can do here."""

    intent_id: str


class NotExecuted(msgspec.Struct, frozen=True, kw_only=True):
    """The processor did not begin: too busy (429), key refused (401, 403), or bad request (400)."""

    reason: str
    """`busy`, `unauthorized` or `refused`."""
    code: str
    message: str


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is proven: no answer, half an answer, a 5xx, or the same request still running."""

    reason: str


Outcome: TypeAlias = Charged | Declined | NeedsAuthentication | NotExecuted | Unknown


class _Refund(msgspec.Struct, frozen=True, kw_only=True):
    refund_id: str
    charge_id: str
    amount_minor: int
    currency: str
    our_id: str | None
    """What our metadata calls it; None for a refund that somebody made at the processor."""


class Refunded(_Refund, frozen=True, kw_only=True):
    """Money of a charge was given back."""


class RefundPending(_Refund, frozen=True, kw_only=True):
    """The refund is known there, and its money is not gone yet."""


class RefundRefused(msgspec.Struct, frozen=True, kw_only=True):
    """The refund came to nothing: its money stays with us, or came back."""

    code: str
    """Why, for instance `expired_or_canceled_card`."""
    refund_id: str | None = None
    charge_id: str | None = None
    our_id: str | None = None


SeenRefund: TypeAlias = Refunded | RefundPending | RefundRefused
RefundOutcome: TypeAlias = SeenRefund | NotExecuted | Unknown


class SeenDispute(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute as the processor tells of it: a card's owner wants money back from their bank."""

    dispute_id: str
    charge_id: str
    intent_id: str
    """The intent that made the charge; empty if there was none."""
    amount_minor: int
    currency: str
    status: str
    """In the processor's words, for instance `needs_response`, `won`, `warning_closed`."""
    reason: str
    created_at: datetime


class BalanceTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """A movement of our balance at the processor; what it added is `net_minor`, signed."""

    transaction_id: str
    kind: str
    """In the processor's words, for instance `charge` or `payout`."""
    category: str
    """A coarser word for it; tells a dispute's withdrawal from what is given back."""
    source_id: str | None
    amount_minor: int
    fee_minor: int
    net_minor: int
    currency: str
    exchange_rate: Decimal | None
    """Units of `currency` for one of the source's, where it settled in another one."""
    created_at: datetime


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A signed message of the processor, after its signature was checked."""

    event_id: str
    kind: str
    """For instance `payment_intent.succeeded`."""
    created_at: datetime
    subject: dict[str, Any]
    """The object that it tells about, as of some moment: look the object up before acting."""


class EventRefused(ValueError):
    """The message is not signed by the processor, or not for now."""


class Card(msgspec.Struct, frozen=True):
    """A customer of the processor with the card that it charges."""

    customer: str
    payment_method: str
