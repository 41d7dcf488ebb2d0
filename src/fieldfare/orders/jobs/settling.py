"""The timer of a card order: settle it, or look again later, less and less often."""

from datetime import UTC, datetime
from uuid import UUID

from fieldfare.db.pool import Database, connection, transaction
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.notifications.service.outbox import tell
from fieldfare.orders import store
from fieldfare.orders.service.settle import ORDERS
from fieldfare.payments.rules import look_again_in
from fieldfare.payments.service.settling import settle, watch

UNSETTLED_TOPIC = "payment_unsettled"


async def settle_unsettled(db: Database, gateway: StripeGateway, purchase_id: UUID) -> str:
    """The timer of a card order: settle it, or look again later, less and less often."""
    async with connection(db) as conn:
        purchase = await store.find_any_purchase(conn, purchase_id)
    if purchase is None or purchase.state != "pending":
        return "settled before"
    if await settle(db, gateway, ORDERS, purchase_id) is not None:
        return "settled"
    age = datetime.now(UTC) - purchase.created_at
    await watch(db, ORDERS, purchase_id, age)
    async with transaction(db) as conn:
        await tell(conn, UNSETTLED_TOPIC, purchase_id, look_again_in(age))
    return "still unknown"
