"""A dispute about a top-up: lost, it takes back the credits that the money had bought."""

from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.integrations.stripe.model import SeenDispute
from fieldfare.payments import rules, store
from fieldfare.payments.model import Payment, Remains, TopUp
from fieldfare.payments.rules import Step
from fieldfare.payments.service.disputes import record_dispute, record_excess
from fieldfare.payments.service.top_ups.returning import remains_of, take_credits


async def follow_dispute_of_top_up(
    conn: Connection, top_up_id: UUID, payment: Payment, seen: SeenDispute
) -> tuple[Step, ...]:
    """Bring a dispute about a paid top-up to what the processor says; gives the steps taken now.

    In the caller's transaction, before it has locked anything else of the payments or the wallet.
    """
    top_up = await store.lock_top_up(conn, top_up_id)
    assert top_up is not None, "its charge has led here"
    returned = await store.find_returned(conn, payment.id)
    steps = await record_dispute(conn, payment, seen)
    if "lose" in steps:
        remains = remains_of(top_up, payment, returned)
        part = rules.part_taken(seen.amount_minor, remains, returned.pending)
        await _lose(conn, top_up, payment, seen, part)
    return steps


async def _lose(
    conn: Connection, top_up: TopUp, payment: Payment, seen: SeenDispute, part: Remains
) -> None:
    await take_credits(
        conn,
        top_up,
        payment,
        part,
        book="disputes",
        movement_id=rules.dispute_movement(seen.dispute_id),
        movement="dispute",
        description="Taken back for a top-up that was disputed",
    )
    await store.update_dispute_credits(conn, seen.dispute_id, part.cents)
    await record_excess(conn, seen, part.minor)
