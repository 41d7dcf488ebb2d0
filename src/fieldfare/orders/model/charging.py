"""An order that a card is to be charged for: frozen until that is known."""

from datetime import datetime
from uuid import UUID

import msgspec

from fieldfare.catalog.model import Standing
from fieldfare.orders.model.kinds import LineKind, OrderKind
from fieldfare.orders.model.quoting import Order
from fieldfare.payments.model import NewPayment


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
