"""What notifications are made of: frozen values, without behaviour.

Whoever sells fills in a `Receipt`; nothing here looks anything up. Amounts are exact: cents may be
fractions of one in a small order's lines.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from fieldfare.kernel.currency import Currency, Rate
from fieldfare.kernel.languages import Language

LineKind = Literal["offset", "tree", "donation"]
PaymentMethod = Literal["stripe", "credits"]
MailKind = Literal["receipt", "refill_failed"]


class OutboxRow(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is due: what happened (`topic`), and to which purchase, payment or event."""

    id: UUID
    topic: str
    subject_id: UUID


class StrandedTopic(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of the outbox that are due, but of a topic that nobody who asked knows."""

    topic: str
    rows: int
    oldest_due_at: datetime


class OutboxSize(msgspec.Struct, frozen=True, kw_only=True):
    """How much lies in the outbox."""

    due: int
    later: int
    """Rows, each counted up to a bound."""
    oldest_due_s: float
    """For how long the oldest has been due; 0 if none is."""


class ReceiptLine(msgspec.Struct, frozen=True, kw_only=True):
    """One project's part of the order."""

    project_name: str
    kind: LineKind
    tons: Decimal | None = None
    """Tonnes of CO₂e, for an offset."""
    trees: int | None = None
    """For trees."""
    billed_cents: Decimal
    """US cents of the price; with a fraction where the whole order is under a dollar."""


class ReceiptTax(msgspec.Struct, frozen=True, kw_only=True):
    """The tax that the charge includes, and who both parties are to the tax office."""

    label: str
    """What it is called where it is due: `VAT`, `USt.`, `TVA`."""
    rate_ppm: int
    amount_minor: int
    """Its part of the charge, in the charge's minor units."""
    seller_id: str | None = None
    seller_address: str | None = None
    buyer_id: str | None = None
    buyer_address: str | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the mail about a paid order says."""

    message_id: str
    """From `receipt_message_id`: it must come out the same whenever the job runs."""
    to: str
    """The account's billing address."""
    language: Language
    purchaser_name: str
    receipt_number: int
    order_group_id: str
    """The processor's charge, or for credits the purchase's UUID."""
    paid_at: datetime
    lines: tuple[ReceiptLine, ...]
    tons: Decimal | None
    """Tonnes of CO₂e in all."""
    trees: int | None
    """Trees in all. Without either the order was a donation."""
    amount_cents: int
    """The price, in US cents."""
    charge_minor: int
    """What was charged, in minor units of `currency`."""
    currency: Currency
    rate: Rate | None = None
    """Units of the currency for one US dollar; None in USD."""
    rate_on: date | None = None
    """The day of the rate."""
    tax: ReceiptTax | None = None
    payment_method: PaymentMethod
    certificate_url: str
    seller_name: str


class RefillFailed(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the mail about a refill of credits that came to nothing says."""

    message_id: str
    """From `mail_message_id`: it must come out the same whenever the job runs."""
    to: str
    """The account's billing address, or its owner's."""
    language: Language
    account_id: int
    account_name: str
    amount_cents: int
    """US cents of credits that the card was to be charged for."""
    code: str
    """Why: the bank's or the processor's word, or the code of a refusal of ours."""
    failed_at: datetime
    number: int
    """Which failure in a row it was, from 1."""
    tries: int
    """How many in a row switch refills off."""
    left_on: bool
    """Whether it is tried again."""
    seller_name: str


class SentMail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail that was taken up."""

    message_id: str
    kind: MailKind
    subject_id: UUID
    """What it is about: the purchase of a receipt, the refill that failed."""
    attempt: int
    """How many times it was taken up, from 1."""
    claimed_until: datetime | None
    """Until then it is in the hands of one worker."""
    sent_at: datetime | None
    refused_at: datetime | None
    refusal_code: int | None
    """The SMTP reply code; None if it was refused on this side."""
