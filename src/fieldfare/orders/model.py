"""An order on its way from what was asked to what is recorded."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from fieldfare.catalog.model import Portfolio, Project, Standing
from fieldfare.kernel.ids import floor_id
from fieldfare.payments.model import Exchange, NewPayment

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
ID_SLACK = timedelta(minutes=1)

OrderKind = Literal["offset", "tree", "project"]
LineKind = Literal["offset", "tree", "donation"]
PaymentMethod = Literal["stripe", "credits"]
PurchaseState = Literal["pending", "paid", "partly_refunded", "refunded", "disputed", "failed"]


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """What an order says of persons, kept apart so that it can be erased."""

    on_behalf_of_name: str | None = None
    on_behalf_of_email: str | None = None
    note: str | None = None
    metadata: dict[str, str] | None = None

    @property
    def is_empty(self) -> bool:
        """True if there is nothing to keep."""
        return self == Party()


class OffsetRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asked for, decoded; also what an idempotency key is bound to."""

    mass_mg: int
    portfolio_id: int | None
    payment_method: PaymentMethod
    dry_run: bool
    send_receipt: bool
    max_amount_minor: int | None
    """The dearest charge that is accepted, in the charge's own unit."""
    party: Party


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """One project's part of an order: a line to be."""

    project: Project
    kind: LineKind
    weight_ppm: int
    mass_mg: int
    trees: int
    amount_micro: int
    """The part in the books."""
    billed_micro: int
    """The part as shown: whole cents where the order is a dollar or more."""
    partner_micro: int
    margin_micro: int


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """An order priced and split; nothing about it changes any more."""

    kind: OrderKind
    portfolio: Portfolio | None
    project_id: int | None
    mass_mg: int
    trees: int
    unit_price_cents: int | None
    """The portfolio's cost per ton as shown and charged."""
    price_revision: int
    payment_method: PaymentMethod
    amount_cents: int
    """The price in US cents; what the shares sum to."""
    charge_minor: int
    exchange: Exchange
    shares: tuple[Share, ...]

    @property
    def certified_mg(self) -> int:
        """The mass that counts towards the account's total."""
        return sum(s.mass_mg for s in self.shares if s.project.standing != "uncertified")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A quote with the ids under which it is to be recorded."""

    id: UUID
    certificate_slug: UUID
    account_id: int
    source: str
    send_receipt: bool
    quote: Quote
    party: Party


class AnswerParts(msgspec.Struct, frozen=True):
    """The bytes of an answer before and after the balance, which only the database knows."""

    head: bytes
    tail: bytes

    def with_balance(self, balance_cents: int) -> bytes:
        """The whole answer."""
        return b"%b%d%b" % (self.head, balance_cents, self.tail)


class FrozenLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an order that is not paid yet, as it will be written."""

    project_id: int
    partner_id: int
    kind: LineKind
    standing: Standing
    certification_status: str
    weight_ppm: int
    unit_price_micro: int | None
    mass_mg: int
    trees: int
    amount_micro: int
    billed_micro: int
    partner_share_ppm: int
    partner_micro: int


class FrozenQuote(msgspec.Struct, frozen=True, kw_only=True):
    """What an order that a card is being charged for will become: nothing is priced again."""

    lines: list[FrozenLine]
    answer: str
    """What will be said once it is paid, with an empty id: the charge is not known yet."""

    @property
    def certified_mg(self) -> int:
        """The mass that will count towards the account's total."""
        return sum(line.mass_mg for line in self.lines if line.standing != "uncertified")


class PendingPurchase(msgspec.Struct, frozen=True, kw_only=True):
    """An order that is not settled yet."""

    id: UUID
    account_id: int
    kind: OrderKind
    mass_mg: int
    trees: int
    amount_cents: int
    send_receipt: bool
    quote: FrozenQuote
    created_at: datetime


class CardOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order about to be charged to a card, with the payment that will ask for it."""

    order: Order
    payment: NewPayment
    quote: FrozenQuote


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded order."""

    id: UUID
    account_id: int
    kind: OrderKind
    state: PurchaseState
    payment_method: PaymentMethod
    portfolio_id: int | None
    project_id: int | None
    mass_mg: int
    trees: int
    amount_cents: int
    charge_minor: int
    currency: str
    charge_id: str | None
    certificate_slug: UUID
    created_at: datetime
    paid_at: datetime | None
    refunded_at: datetime | None

    @property
    def group_id(self) -> str:
        """The order group id: the processor's charge, else the purchase's own id."""
        return self.charge_id or str(self.id)


class LineRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line as lists show it, with what they show of its purchase."""

    id: UUID
    purchase_id: UUID
    charge_id: str | None
    created_at: datetime
    mass_mg: int
    trees: int
    billed_micro: int
    currency: str
    portfolio_id: int | None
    project_id: int
    certification_status: str
    standing: str
    source: str
    payment_method: PaymentMethod
    certificate_slug: UUID
    refunded_at: datetime | None
    note: str | None
    on_behalf_of_name: str | None
    on_behalf_of_email: str | None
    metadata: dict[str, str] | None

    @property
    def group_id(self) -> str:
        """The order group id: the processor's charge, else the purchase's own id."""
        return self.charge_id or str(self.purchase_id)


class LinesWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which of an account's lines a list is to show."""

    kind: LineKind
    created_after: datetime = EARLIEST
    """Inclusive."""
    created_before: datetime = LATEST
    """Exclusive."""
    metadata: dict[str, str] | None = None
    """Pairs that the purchase must carry, all of them."""

    @property
    def from_id(self) -> UUID:
        """A bound on ids that lets whole partitions be passed over.

        An id is drawn a little before its row's instant, hence the slack.
        """
        return floor_id(max(self.created_after - ID_SLACK, EARLIEST))


class RecentPurchase(msgspec.Struct, frozen=True, kw_only=True):
    """A paid offset order of anybody, with what of it stands; it names no person."""

    id: UUID
    account_id: int
    portfolio_id: int
    charge_id: str | None
    certificate_slug: UUID
    mass_mg: int
    """Without what was refunded."""
    created_at: datetime

    @property
    def group_id(self) -> str:
        """The order group id: the processor's charge, else the purchase's own id."""
        return self.charge_id or str(self.id)


class BilledLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line as a receipt shows it."""

    project_id: int
    kind: LineKind
    mass_mg: int
    trees: int
    billed_micro: int


class ReceiptFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a receipt says of a purchase beside its lines."""

    id: UUID
    account_id: int
    state: PurchaseState
    payment_method: PaymentMethod
    mass_mg: int
    trees: int
    amount_cents: int
    charge_minor: int
    currency: str
    rate: Decimal
    rate_on: date | None
    tax_rate_ppm: int
    tax_minor: int
    seller_tax_id: str | None
    seller_address: str | None
    buyer_tax_id: str | None
    buyer_address: str | None
    charge_id: str | None
    certificate_slug: UUID
    paid_at: datetime | None

    @property
    def group_id(self) -> str:
        """The order group id: the processor's charge, else the purchase's own id."""
        return self.charge_id or str(self.id)
