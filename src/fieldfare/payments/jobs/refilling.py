"""The end of a refill: count it, then see whether another one is due."""

from uuid import UUID

from fieldfare.db.pool import Database
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.payments.service.refills import note_end, refill_if_due


async def end_refill(db: Database, gateway: StripeGateway, top_up_id: UUID, *, per_day: int) -> str:
    """Count how a refill ended, once, and refill again if the account still runs low.

    After a failure this comes a second time, when the account has rested.
    """
    account_id = await note_end(db, top_up_id)
    if account_id is None:
        return "nothing has ended"
    return await refill_if_due(db, gateway, account_id, per_day=per_day)
