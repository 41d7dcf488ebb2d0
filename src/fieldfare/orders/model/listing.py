"""Rows as lists show them, and which of them are wanted."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from fieldfare.catalog.model import Standing
from fieldfare.kernel.ids import floor_id
from fieldfare.orders.model.kinds import PaymentMethod, PurchaseState

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
ID_SLACK = timedelta(minutes=1)


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
    standing: Standing
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


class IdRange(msgspec.Struct, frozen=True, kw_only=True):
    """Ids from one up and below another."""

    from_id: UUID
    before_id: UUID


class LineLabels(msgspec.Struct, frozen=True, kw_only=True):
    """What the list shows with lines that does not stand in them, as JSON already."""

    projects: dict[int, str]
    """By project id: `7,"project_name":"Biochar"`, as it is called today."""
    certificates_at: str
    """How the address of every certificate begins; without quotes."""


class OffsetTexts(msgspec.Struct, frozen=True, kw_only=True):
    """A page of offset lines as the list shows them: JSON objects with commas between them."""

    certified: bytes
    """Those that are certified in some way."""
    uncertified: bytes
    ids: IdRange
    """Where the page lies."""


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
