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
RECEIPT_TOPIC = "receipt_due"
REFILL_TOPIC = "refill_due"

OrderKind = Literal["offset", "tree", "project"]
LineKind = Literal["offset", "tree", "donation"]
PaymentMethod = Literal["stripe", "credits"]
PurchaseState = Literal["pending", "paid", "partly_refunded", "refunded", "disputed", "failed"]
RefundOrigin = Literal["operator", "processor", "dispute"]
RefundState = Literal["pending", "succeeded", "failed"]


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


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What every order says, decoded; also what an idempotency key is bound to."""

    payment_method: PaymentMethod
    dry_run: bool
    send_receipt: bool
    max_amount_minor: int | None
    """The dearest charge that is accepted, in the charge's own unit."""
    party: Party


class OffsetRequest(OrderRequest, frozen=True, kw_only=True):
    """Tonnes over a portfolio's projects."""

    mass_mg: int
    portfolio_id: int | None


class TreeRequest(OrderRequest, frozen=True, kw_only=True):
    """Trees, planted by whichever provider is the current one."""

    trees: int


class ProjectRequest(OrderRequest, frozen=True, kw_only=True):
    """An amount for one project: tonnes of one that is priced by them, else a donation."""

    project_id: int
    amount_cents: int


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
    """Of an offset order, which alone has one."""
    project_id: int | None
    """Of an order for one project: the one it names, or the trees' provider."""
    mass_mg: int
    trees: int
    unit_price_cents: int | None
    """The portfolio's cost per ton as shown and charged; none without a portfolio."""
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

    @property
    def only_share(self) -> Share:
        """All of an order for one project."""
        (share,) = self.shares
        return share


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A quote with the ids under which it is to be recorded."""

    id: UUID
    certificate_slug: UUID
    account_id: int
    source: str
    send_receipt: bool
    refill_below_cents: int | None = None
    """US cents under which the account's credits are refilled; None if they are not."""
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
    """When all of it was refunded."""
    refunded_minor: int = 0
    """Of the charge, what was given back or lost."""

    @property
    def group_id(self) -> str:
        """The order group id: the processor's charge, else the purchase's own id."""
        return self.charge_id or str(self.id)


class StandingLine(msgspec.Struct, frozen=True, kw_only=True):
    """What of a paid line was not refunded yet."""

    id: UUID
    project_id: int
    partner_id: int
    standing: Standing
    mass_mg: int
    trees: int
    amount_micro: int
    partner_micro: int
    """Of the amount, what is due to the partner."""


class LinePart(msgspec.Struct, frozen=True, kw_only=True):
    """A refund's part of a line."""

    line: StandingLine
    mass_mg: int
    trees: int
    amount_micro: int
    partner_micro: int


class RefundSplit(msgspec.Struct, frozen=True):
    """A refund, split over the lines of its order."""

    parts: tuple[LinePart, ...]

    @property
    def amount_micro(self) -> int:
        """Of the price in US cents, in millionths of a cent."""
        return sum(part.amount_micro for part in self.parts)

    @property
    def partner_micro(self) -> int:
        """Of that, what the partners are not due any more; the rest is margin."""
        return sum(part.partner_micro for part in self.parts)

    @property
    def mass_mg(self) -> int:
        """Of any standing."""
        return sum(part.mass_mg for part in self.parts)

    @property
    def certified_mg(self) -> int:
        """What it takes off the account's total."""
        return sum(part.mass_mg for part in self.parts if part.line.standing != "uncertified")

    @property
    def trees(self) -> int:
        """Of all lines."""
        return sum(part.trees for part in self.parts)


class RefundRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator asks to have given back."""

    amount_minor: int | None
    """In the charge's unit; None for all that is left."""
    reason: str
    request_key: str | None
    """What they call this request, should it be repeated."""


class NewRefund(msgspec.Struct, frozen=True, kw_only=True):
    """What of an order is to go back."""

    id: UUID | None
    """As its row in `payments.refund`, or a dispute's; from credits it is its ledger entry's."""
    origin: RefundOrigin
    amount_minor: int
    """Of the charge, in the charge's unit."""
    reason: str
    request_key: str | None = None


class OrderRefund(msgspec.Struct, frozen=True, kw_only=True):
    """What of an order went back, or is on its way."""

    id: UUID
    purchase_id: UUID
    account_id: int
    origin: RefundOrigin
    state: RefundState
    amount_minor: int
    """In the charge's unit."""
    currency: str
    amount_micro: int
    """Of the price in US cents; this, mass and trees are known once it took effect."""
    mass_mg: int
    trees: int
    reason: str
    request_key: str | None
    failure_code: str | None
    created_at: datetime
    settled_at: datetime | None


class LineRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line as lists show it, with what they show of its purchase."""

    id: UUID
    purchase_id: UUID
    account_id: int
    charge_id: str | None
    created_at: datetime
    mass_mg: int
    trees: int
    billed_micro: int
    charge_minor: int
    """Of the whole purchase."""
    currency: str
    portfolio_id: int | None
    project_id: int
    certification_status: str
    standing: str
    source: str
    payment_method: PaymentMethod
    certificate_slug: UUID
    refunded_at: datetime | None
    """When all of it was refunded."""
    refunded_mg: int
    refunded_trees: int
    refunded_micro: int
    """Of the line's part of the price."""
    note: str | None
    on_behalf_of_name: str | None
    on_behalf_of_email: str | None
    metadata: dict[str, str] | None

    @property
    def group_id(self) -> str:
        """The order group id: the processor's charge, else the purchase's own id."""
        return self.charge_id or str(self.purchase_id)


class PurchaseRow(msgspec.Struct, frozen=True, kw_only=True):
    """A paid order as lists show it, with what its lines add up to."""

    id: UUID
    charge_id: str | None
    state: PurchaseState
    payment_method: PaymentMethod
    amount_cents: int
    charge_minor: int
    currency: str
    certificate_slug: UUID
    created_at: datetime
    refunded_at: datetime | None
    """When all of it was refunded."""
    refunded_minor: int
    """Of the charge."""
    certified_mg: int
    """As bought, of standing `certified` alone."""
    refunded_certified_mg: int
    trees: int
    """As bought."""
    refunded_trees: int
    refunded_micro: int
    """Of the price in US cents."""
    has_offsets: bool
    has_donations: bool
    has_trees: bool

    @property
    def group_id(self) -> str:
        """The order group id: the processor's charge, else the purchase's own id."""
        return self.charge_id or str(self.id)


class RowsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which of an account's rows a list is to show."""

    created_after: datetime = EARLIEST
    """Inclusive."""
    created_before: datetime = LATEST
    """Exclusive."""
    metadata: dict[str, str] | None = None
    """Pairs that the purchase must carry, all of them."""
    group_id: str | None = None
    """The one order whose rows are wanted."""

    @property
    def from_id(self) -> UUID:
        """A bound on ids that lets whole partitions be passed over.

        An id is drawn a little before its row's instant or after, hence the slack.
        """
        return floor_id(max(self.created_after - ID_SLACK, EARLIEST))

    @property
    def to_id(self) -> UUID:
        """The same for what is too new; exclusive."""
        return floor_id(max(self.created_before, EARLIEST) + ID_SLACK)

    def admits(self, created_at: datetime, metadata: dict[str, str] | None) -> bool:
        """Whether a row of this instant, with these pairs, is wanted."""
        pairs = (self.metadata or {}).items()
        return (
            self.created_after <= created_at < self.created_before
            and pairs <= (metadata or {}).items()
        )


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


class ErasedParties(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased of orders, in numbers."""

    parties: int
    """Orders that held a note, metadata, or on whose behalf they were placed."""
    tags: int
    """Pairs of metadata by which they were found."""
