"""A payment by card and what is known of it."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from fieldfare.kernel.currency import Currency, Rate

Subject = Literal["purchase", "top_up"]
PaymentState = Literal["pending", "succeeded", "failed"]
TopUpOrigin = Literal["request", "refill"]
TopUpState = Literal["pending", "paid", "failed"]
RefundOrigin = Literal["operator", "processor"]
RateSource = Literal["ecb", "operator"]
DisputeState = Literal["open", "won", "lost"]
ExceptionKind = Literal[
    "outcome_unknown",
    "charge_without_order",
    "mismatch",
    "dispute_unclear",
    "refund_failed",
    "refund_unknown",
    "unknown_transaction",
]
BalanceRole = Literal[
    "charge",
    "refund",
    "refund_failure",
    "dispute",
    "dispute_reversal",
    "fee",
    "bank",
    "other",
]
"""What a movement of our balance at the processor is to us."""


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


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Money given back to a card, or on its way there.

    One of origin `processor` was made in the processor's own dashboard: it was never sent by us.
    One that succeeded and has a `failure_code` was given back and returned to us later.
    """

    id: UUID
    payment_id: UUID
    amount_minor: int
    currency: str
    reason: str
    origin: RefundOrigin
    request: bytes | None
    """What is sent to the processor, to the byte; a repeat sends the same."""
    processor_key: str | None
    first_sent_at: datetime | None
    last_sent_at: datetime | None
    leased_until: datetime | None
    refund_id: str | None
    """The processor's id, once it is known."""
    state: PaymentState
    failure_code: str | None
    created_at: datetime
    settled_at: datetime | None


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


class UnknownOutcomes(msgspec.Struct, frozen=True, kw_only=True):
    """What was begun over a minute ago, of one kind, and nobody knows the end of."""

    kind: Literal["purchase", "top_up", "refund"]
    pending: int
    oldest_s: float
    """Since the oldest was begun."""


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


class TopUpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asked for, decoded; also what an idempotency key is bound to."""

    amount_cents: int


class TopUpQuote(msgspec.Struct, frozen=True, kw_only=True):
    """Credits with what a card is charged for them; nothing about it changes any more."""

    amount_cents: int
    charge_minor: int
    exchange: Exchange


class NewTopUp(msgspec.Struct, frozen=True, kw_only=True):
    """Credits that a card is about to be asked for, with the payment that asks."""

    origin: TopUpOrigin
    payment: NewPayment
    """Its subject is the top-up; account and amount are the same."""


class TopUp(msgspec.Struct, frozen=True, kw_only=True):
    """Credits bought by card, as recorded."""

    id: UUID
    account_id: int
    origin: TopUpOrigin
    amount_cents: int
    state: TopUpState
    charge_id: str | None
    entry_id: UUID | None
    """The entry of the ledger that added the credits."""
    returned_cents: int
    created_at: datetime
    settled_at: datetime | None


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute that took money from us, as recorded."""

    dispute_id: str
    payment_id: UUID
    amount_minor: int
    currency: str
    state: DisputeState
    opened_at: datetime


class OpenDispute(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute that is not decided yet, with what it is about."""

    dispute_id: str
    amount_minor: int
    currency: str
    reason: str
    """In the processor's words, for instance `fraudulent`."""
    opened_at: datetime
    subject: Subject
    subject_id: UUID
    account_id: int
    charge_id: str


class Remains(msgspec.Struct, frozen=True, kw_only=True):
    """Of a top-up, what was not given back yet: the card's money, and the credits it bought."""

    minor: int
    cents: int


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """What refunds and disputes have made of a payment."""

    gone_minor: int
    """Refunded, or lost in a dispute."""
    pending: Remains
    """What a refund under way asks for, and the credits that it holds."""
    pending_refunds: int
    open_disputes: int


class BookedTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """A movement of our balance at the processor as it is on record; amounts are signed."""

    transaction_id: str
    role: BalanceRole
    source_id: str | None
    amount_minor: int
    fee_minor: int
    currency: str
    """In which it settled: the amount's and the fee's."""
    source_minor: int | None
    """What our payment, refund or dispute says that moved; None while none is known."""
    source_currency: str | None
    movement_id: UUID


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """How much of an account's money is still under way at the processor."""

    payments: int
    refunds: int
    disputes: int
    """Those that are open, or whose end has not taken effect."""


class RecentRefill(msgspec.Struct, frozen=True, kw_only=True):
    """How a refill of an account went, or goes."""

    state: TopUpState
    settled_at: datetime | None
    failure_code: str | None
    """Of its payment."""
