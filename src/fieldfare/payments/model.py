"""A payment by card and what is known of it."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from fieldfare.kernel.currency import Currency, Rate

Subject = Literal["purchase", "top_up"]
PaymentState = Literal["pending", "succeeded", "failed"]
RateSource = Literal["ecb", "operator"]
ExceptionKind = Literal["outcome_unknown", "charge_without_order", "mismatch"]


class NewPayment(msgspec.Struct, frozen=True, kw_only=True):
    """What is about to be asked of a card."""

    id: UUID
    subject: Subject
    subject_id: UUID
    account_id: int
    amount_minor: int
    currency: str
    amount_cents: int
    rate: Decimal
    rate_on: date
    customer: str
    request: bytes
    """What is sent to the processor, to the byte; a repeat sends the same."""
    processor_key: str
    """Our idempotency key there; a client's key never gets that far."""


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment as recorded."""

    id: UUID
    subject: Subject
    subject_id: UUID
    account_id: int
    amount_minor: int
    currency: str
    amount_cents: int
    customer: str
    request: bytes
    processor_key: str
    first_sent_at: datetime
    last_sent_at: datetime
    leased_until: datetime | None
    intent_id: str | None
    charge_id: str | None
    state: PaymentState
    failure_code: str | None
    created_at: datetime


class InboxEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the processor, waiting or done."""

    id: UUID
    event_id: str
    kind: str
    payload: bytes
    done_at: datetime | None


class OpenException(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person has to look at."""

    id: UUID
    kind: ExceptionKind
    subject: str
    detail: str
    opened_at: datetime


class ExchangeRate(msgspec.Struct, frozen=True, kw_only=True):
    """What a dollar costs in a currency."""

    currency: str
    """ISO 4217."""
    rate: Rate
    """Units for one US dollar, ten significant digits."""
    rate_on: date
    """The day that it is the rate of."""


class RecordedRate(ExchangeRate, frozen=True, kw_only=True):
    """A rate that was taken over."""

    source: RateSource
    recorded_at: datetime


class RefusedRate(ExchangeRate, frozen=True, kw_only=True):
    """A rate that was not taken over."""

    reason: str
    """In whole sentences, the next step among them."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What became of some rates; those that bring nothing new are in neither."""

    written: tuple[ExchangeRate, ...]
    refused: tuple[RefusedRate, ...]


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What an order is charged in, and at which rate."""

    currency: Currency
    rate: Decimal
    """Units of the currency for one US dollar."""
    rate_on: date | None = None
    """The date of the rate; none for US dollars."""
