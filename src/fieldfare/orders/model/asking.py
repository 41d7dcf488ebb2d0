"""What an order asks for, decoded."""

import msgspec

from fieldfare.orders.model.kinds import PaymentMethod


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
