"""The timer of a top-up's refund: settle it, or look again later, less and less often."""

from datetime import UTC, datetime
from uuid import UUID

from fieldfare.db.pool import Database, connection, transaction
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.notifications.service.outbox import tell
from fieldfare.payments.rules import look_again_in
from fieldfare.payments.service.refunds import get_refund, watch_refund
from fieldfare.payments.service.top_ups.refund_ends import (
    UNSETTLED_TOP_UP_REFUND_TOPIC,
    settle_top_up_refund,
)


async def settle_unsettled_top_up_refund(
    db: Database, gateway: StripeGateway, refund_id: UUID
) -> str:
    """The timer of a top-up's refund: settle it, or look again later, less and less often."""
    async with connection(db) as conn:
        refund = await get_refund(conn, refund_id)
    if refund.state != "pending":
        return "settled before"
    if await settle_top_up_refund(db, gateway, refund_id):
        return "settled"
    now = datetime.now(UTC)
    await watch_refund(db, refund, now)
    async with transaction(db) as conn:
        wait = look_again_in(now - refund.created_at)
        await tell(conn, UNSETTLED_TOP_UP_REFUND_TOPIC, refund_id, wait)
    return "still unknown"
