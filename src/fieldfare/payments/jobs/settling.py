"""The timer of a top-up: settle it, or look again later, less and less often."""

from datetime import UTC, datetime
from uuid import UUID

from fieldfare.db.pool import Database, connection, transaction
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.notifications.service.outbox import tell
from fieldfare.payments.rules import look_again_in
from fieldfare.payments.service.settling import settle, watch
from fieldfare.payments.service.top_ups import TOP_UPS, find_top_up

UNSETTLED_TOP_UP_TOPIC = "top_up_unsettled"


async def settle_unsettled_top_up(db: Database, gateway: StripeGateway, top_up_id: UUID) -> str:
    """The timer of a top-up: settle it, or look again later, less and less often."""
    async with connection(db) as conn:
        top_up = await find_top_up(conn, top_up_id)
    if top_up is None or top_up.state != "pending":
        return "settled before"
    if await settle(db, gateway, TOP_UPS, top_up_id) is not None:
        return "settled"
    age = datetime.now(UTC) - top_up.created_at
    await watch(db, TOP_UPS, top_up_id, age)
    async with transaction(db) as conn:
        await tell(conn, UNSETTLED_TOP_UP_TOPIC, top_up_id, look_again_in(age))
    return "still unknown"
