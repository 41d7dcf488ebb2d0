"""Repair from the processor's own list whatever events were lost."""

from datetime import UTC, datetime, timedelta

from fieldfare.db.pool import Database, connection, transaction
from fieldfare.integrations.stripe.gateway import StripeGateway, list_charged
from fieldfare.kernel.ids import parse_id
from fieldfare.orders import store
from fieldfare.orders.jobs.events import is_settled_by, open_stray
from fieldfare.orders.service.settle import settle


async def reconcile(db: Database, gateway: StripeGateway, *, back: timedelta) -> dict[str, int]:
    """Hold every charge of the last while against its order: settle, or put it on the list.

    So whatever events were lost is repaired from the processor's own list.
    """
    now = datetime.now(UTC)
    counts = {"charges": 0, "settled": 0, "without_order": 0}
    charges = [
        charged
        async for charged in list_charged(
            gateway, created_from=now - back, created_to=now + timedelta(minutes=5)
        )
    ]
    for charged in charges:
        counts["charges"] += 1
        purchase_id = parse_id(charged.subject_id or "")
        async with connection(db) as conn:
            purchase = await store.find_any_purchase(conn, purchase_id) if purchase_id else None
        if purchase is not None and purchase.state == "pending":
            counts["settled"] += await settle(db, gateway, purchase.id) is not None
        elif not is_settled_by(purchase, charged):
            async with transaction(db) as conn:
                await open_stray(conn, charged)
            counts["without_order"] += 1
    return counts
