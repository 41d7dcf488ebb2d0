"""What of an order goes back, asked for, split and recorded."""

from datetime import datetime
from uuid import UUID

import msgspec

from fieldfare.catalog.model import Standing
from fieldfare.orders.model.kinds import RefundOrigin, RefundState


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


class RefundUse(msgspec.Struct, frozen=True, kw_only=True):
    """What the money of a refund to a card is for, in the charge's unit; the parts make it up."""

    applied_minor: int
    """The order gives up as much."""
    owed_minor: int
    """In place of an earlier refund, whose money came back to us."""
    beyond_minor: int
    """More than there was to go back."""
