"""An order took an account's credits below the bound at which they are to be refilled."""

from uuid import UUID

from fieldfare.db.pool import Database, connection
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.orders import store
from fieldfare.payments.service.refills import refill_if_due


async def refill_after(
    db: Database, gateway: StripeGateway, purchase_id: UUID, *, per_day: int
) -> str:
    """Refill the account that placed an order, if that is still due; gives what was done."""
    async with connection(db) as conn:
        purchase = await store.find_any_purchase(conn, purchase_id)
    if purchase is None:
        return "there is no such order"
    return await refill_if_due(db, gateway, purchase.account_id, per_day=per_day)
