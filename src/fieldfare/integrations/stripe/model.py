"""What an answer of the processor proves about a payment, and nothing more than that."""

from datetime import datetime
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
