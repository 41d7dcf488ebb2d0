"""What is recorded of an order, for whoever asks about it."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from fieldfare.orders.model.kinds import LineKind, OrderKind, PaymentMethod, PurchaseState


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
