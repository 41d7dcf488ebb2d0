"""A paid order as its certificate is made of it."""

from datetime import datetime
from uuid import UUID

import msgspec

from fieldfare.catalog.model import Standing
from fieldfare.orders.model.kinds import PurchaseState


class CertifiedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A project's part of a paid order: as bought, and what of it was refunded."""

    project_id: int
    standing: Standing
    certification_status: str
    mass_mg: int
    trees: int
    refunded_mg: int
    refunded_trees: int


class CertifiedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A paid order with its lines by project, all read at one instant."""

    purchase_id: UUID
    account_id: int
    state: PurchaseState
    charge_id: str | None
    certificate_slug: UUID
    paid_at: datetime
    on_behalf_of_name: str | None
    lines: tuple[CertifiedLine, ...]

    @property
    def group_id(self) -> str:
        """The order group id: the processor's charge, else the purchase's own id."""
        return self.charge_id or str(self.purchase_id)
