"""An order priced and split, and what will be answered."""

from uuid import UUID

import msgspec

from fieldfare.catalog.model import Portfolio, Project
from fieldfare.orders.model.asking import Party
from fieldfare.orders.model.kinds import LineKind, OrderKind, PaymentMethod
from fieldfare.payments.model import Exchange


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
