"""Disputes, from the processor's events and from its list: each is brought to what it says now.

The dispute is looked up, so events in any order, twice, or lost, come to the same end. What must
hold: an event is done in the transaction of its effect.
"""

from datetime import datetime
from uuid import UUID

from fieldfare.db.pool import Connection, Database, connection, retry_deadlocks, transaction
from fieldfare.integrations.stripe.disputes import list_disputes, look_up_dispute
from fieldfare.integrations.stripe.errors import ProcessorAway
from fieldfare.integrations.stripe.gateway import StripeGateway, look_up_intent
from fieldfare.integrations.stripe.model import Charged, Event, SeenDispute, Unknown
from fieldfare.kernel.ids import parse_id
from fieldfare.orders.jobs.bought import Bought, find_bought, find_bought_by_charge, settle_bought
from fieldfare.orders.service.disputing import follow_dispute_of_order
from fieldfare.payments.rules import Step, next_steps
from fieldfare.payments.service.disputes import all_open_disputes, say_unclear
from fieldfare.payments.service.inbox import mark_done
from fieldfare.payments.service.outcomes import find_payment_of
from fieldfare.payments.service.top_ups.disputing import follow_dispute_of_top_up

DISPUTE_EVENTS = (
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)


async def work_dispute_event(
    db: Database, gateway: StripeGateway, event: Event, event_row: UUID
) -> str:
    """An event about a dispute: only its id is taken from it; raises `ProcessorAway`."""
    seen = await look_up_dispute(gateway, str(event.subject.get("id")))
    if seen is not None:
        return await follow_dispute(db, gateway, seen, event_row=event_row)
    async with transaction(db) as conn:
        await mark_done(conn, event_row)
    return "noted"


async def follow_dispute(
    db: Database, gateway: StripeGateway, seen: SeenDispute, *, event_row: UUID | None = None
) -> str:
    """Bring our books to a dispute as it was looked up; gives what was done, in a word.

    Raises `ProcessorAway` if it is not known yet what was paid for.
    """
    bought = await _find_disputed(db, gateway, seen)

    async def follow() -> tuple[Step, ...]:
        async with transaction(db) as conn:
            steps = await _follow(conn, bought, seen)
            if event_row is not None:
                await mark_done(conn, event_row)
            return steps

    steps = await retry_deadlocks(follow)
    return {"open": "disputed", "win": "won", "lose": "lost"}[steps[-1]] if steps else "noted"


async def _follow(conn: Connection, bought: Bought | None, seen: SeenDispute) -> tuple[Step, ...]:
    payment = None if bought is None else await find_payment_of(conn, bought.id)
    if bought is None or payment is None:
        if next_steps(None, seen.status) != ():
            await say_unclear(
                conn, seen, f"of charge {seen.charge_id}, which paid for nothing here"
            )
        return ()
    if bought.kind == "purchase":
        return await follow_dispute_of_order(conn, bought.id, payment, seen)
    return await follow_dispute_of_top_up(conn, bought.id, payment, seen)


async def _find_disputed(db: Database, gateway: StripeGateway, seen: SeenDispute) -> Bought | None:
    """What the disputed charge has paid for; if that is still pending, it is settled first."""
    async with connection(db) as conn:
        bought = await find_bought_by_charge(conn, seen.charge_id)
    if bought is not None or not seen.intent_id:
        return bought
    outcome = await look_up_intent(gateway, seen.intent_id)
    if isinstance(outcome, Unknown):
        raise ProcessorAway(
            f"The card processor does not say what a disputed charge is for ({outcome.reason}). "
            "It is asked again later."
        )
    subject_id = parse_id(outcome.subject_id or "") if isinstance(outcome, Charged) else None
    if subject_id is None:
        return None
    async with connection(db) as conn:
        pending = await find_bought(conn, subject_id)
    if pending is None or not pending.is_pending:
        return None
    await settle_bought(db, gateway, pending)
    async with connection(db) as conn:
        return await find_bought_by_charge(conn, seen.charge_id)


async def reconcile_disputes(
    db: Database, gateway: StripeGateway, *, created_from: datetime
) -> dict[str, int]:
    """Hold the processor's list since an instant, and all that is open here, against our books.

    Disputes are open for months, so those are looked up one by one. Raises `ProcessorAway`.
    """
    counts = {"disputes": 0, "disputes_moved": 0}
    listed = [seen async for seen in list_disputes(gateway, created_from=created_from)]
    known = {seen.dispute_id for seen in listed}
    async with connection(db) as conn:
        waiting = [one.dispute_id async for one in all_open_disputes(conn)]
    for dispute_id in waiting:
        seen = None if dispute_id in known else await look_up_dispute(gateway, dispute_id)
        if seen is not None:
            listed.append(seen)
    for seen in listed:
        said = await follow_dispute(db, gateway, seen)
        counts["disputes"] += 1
        counts["disputes_moved"] += said != "noted"
    return counts
