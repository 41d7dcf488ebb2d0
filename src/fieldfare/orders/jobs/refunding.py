"""What the outbox, the processor's events and its lists bring of refunds, ours and others'.

What an event tells of is looked up, never taken from it: the refunds of its charge are read, and
those on record are brought to that. So the order in which events come, and whether they come at
all, makes no difference.
"""

from datetime import UTC, datetime
from uuid import UUID

from fieldfare.db.pool import Connection, Database, connection, retry_deadlocks, transaction
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import Event, SeenRefund
from fieldfare.integrations.stripe.refunds import list_recent_refunds, list_refunds
from fieldfare.kernel.ids import parse_id
from fieldfare.notifications.service.outbox import tell
from fieldfare.orders import store
from fieldfare.orders.jobs.bought import find_bought, settle_bought
from fieldfare.orders.service.refund_settling import follow_refund_of_order, settle_refund
from fieldfare.payments.model import Payment
from fieldfare.payments.rules import look_again_in
from fieldfare.payments.service.inbox import mark_done
from fieldfare.payments.service.outcomes import find_payment_of
from fieldfare.payments.service.refunds import (
    REFUND_TOPIC,
    get_refund,
    list_returned_unheard,
    watch_refund,
)
from fieldfare.payments.service.top_ups.refund_ends import follow_refund_of_top_up
from fieldfare.payments.service.top_ups.refunding import find_top_up_id

REFUND_EVENTS = (
    "charge.refunded",
    "charge.refund.updated",
    "refund.created",
    "refund.updated",
    "refund.failed",
)


async def settle_unsettled_refund(db: Database, gateway: StripeGateway, refund_id: UUID) -> str:
    """The timer of an order's refund: settle it, or look again later, less and less often."""
    async with connection(db) as conn:
        refund = await get_refund(conn, refund_id)
    if refund.state != "pending":
        return "settled before"
    if await settle_refund(db, gateway, refund_id):
        return "settled"
    now = datetime.now(UTC)
    await watch_refund(db, refund, now)
    async with transaction(db) as conn:
        await tell(conn, REFUND_TOPIC, refund_id, look_again_in(now - refund.created_at))
    return "still unknown"


async def work_refund_event(
    db: Database, gateway: StripeGateway, event: Event, event_row: UUID
) -> str:
    """An event about a refund, or about a charge that has one."""
    is_charge = event.kind == "charge.refunded"
    charge_id = str(event.subject.get("id" if is_charge else "charge") or "")
    if is_charge:
        await _settle_first(db, gateway, event)
    if await bring_refunds(db, gateway, charge_id, event_row=event_row):
        return "refunds brought in"
    async with transaction(db) as conn:
        await mark_done(conn, event_row)
    return "noted"


async def _settle_first(db: Database, gateway: StripeGateway, event: Event) -> None:
    """What was paid for may not be known to be paid yet: it is settled before it is refunded."""
    metadata = event.subject.get("metadata")
    tags = metadata if isinstance(metadata, dict) else {}
    subject_id = parse_id(str(tags.get("subject_id") or ""))
    async with connection(db) as conn:
        bought = await find_bought(conn, subject_id) if subject_id else None
    if bought is not None and bought.is_pending:
        await settle_bought(db, gateway, bought)


async def bring_refunds(
    db: Database, gateway: StripeGateway, charge_id: str, *, event_row: UUID | None = None
) -> bool:
    """Bring the refunds of a charge to what the processor's list says; False if it is not ours.

    `event_row` is the inbox row that led here: it is marked done in the transaction of its effect.
    Raises `ProcessorAway`.
    """
    async with connection(db) as conn:
        payment = await _find_payment(conn, charge_id)
    if payment is None:
        return False
    # Oldest first: the order in which they took effect there.
    listed = (await list_refunds(gateway, charge_id))[::-1]

    async def bring() -> None:
        async with transaction(db) as conn:
            for seen in listed:
                await _follow(conn, payment, seen)
            if event_row is not None:
                await mark_done(conn, event_row)

    await retry_deadlocks(bring)
    return True


async def _find_payment(conn: Connection, charge_id: str) -> Payment | None:
    subject_id = await store.find_purchase_of_charge(conn, charge_id)
    if subject_id is None:
        subject_id = await find_top_up_id(conn, charge_id)
    return None if subject_id is None else await find_payment_of(conn, subject_id)


async def _follow(conn: Connection, payment: Payment, seen: SeenRefund) -> None:
    if payment.subject == "purchase":
        await follow_refund_of_order(conn, payment, seen)
    else:
        await follow_refund_of_top_up(conn, payment, seen)


async def reconcile_refunds(
    db: Database, gateway: StripeGateway, *, created_from: datetime
) -> dict[str, int]:
    """Bring the refunds of every charge that has one since an instant to the processor's list.

    And those that came back later, as the processor's balance shows. Raises `ProcessorAway`.
    """
    counts = {"refunds": 0}
    async with connection(db) as conn:
        charges = set(await list_returned_unheard(conn))
    async for seen in list_recent_refunds(gateway, created_from=created_from):
        counts["refunds"] += 1
        if seen.charge_id:
            charges.add(seen.charge_id)
    for charge_id in sorted(charges):
        await bring_refunds(db, gateway, charge_id)
    return counts
