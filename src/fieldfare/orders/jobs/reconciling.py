"""Repair from the processor's own list whatever events were lost."""

from datetime import UTC, datetime, timedelta

from fieldfare.db.pool import Database, connection, transaction
from fieldfare.integrations.stripe.gateway import StripeGateway, list_charged
from fieldfare.kernel.ids import parse_id
from fieldfare.orders.jobs.bought import find_bought, settle_bought
from fieldfare.orders.jobs.disputing import reconcile_disputes
from fieldfare.orders.jobs.events import is_settled_by, open_stray
from fieldfare.orders.jobs.refunding import reconcile_refunds


async def reconcile(db: Database, gateway: StripeGateway, *, back: timedelta) -> dict[str, int]:
    """Hold every charge of the last while against what it is for: settle, or put it on the list.

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
        subject_id = parse_id(charged.subject_id or "")
        async with connection(db) as conn:
            bought = await find_bought(conn, subject_id) if subject_id else None
        if bought is not None and bought.is_pending:
            counts["settled"] += await settle_bought(db, gateway, bought)
        elif not is_settled_by(bought, charged):
            async with transaction(db) as conn:
                await open_stray(conn, charged)
            counts["without_order"] += 1
    # Once the charges are known: a refund is brought to what it is of, and then what is disputed.
    counts |= await reconcile_refunds(db, gateway, created_from=now - back)
    return counts | await reconcile_disputes(db, gateway, created_from=now - back)
