"""Money that a bank took back, until it is decided whose it is."""

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.payments.model import Dispute, DisputeState, OpenDispute

_queries = load_queries(__file__)


async def find_dispute(conn: Connection, dispute_id: str) -> Dispute | None:
    """A dispute that took money from us; who changes it has locked what it is about."""
    row = await _queries.find_dispute(conn, dispute_id=dispute_id)
    return None if row is None else Dispute(**row)


async def insert_dispute(conn: Connection, dispute: Dispute, reason: str) -> None:
    """A dispute that has just taken money from us: it is open."""
    await _queries.insert_dispute(
        conn,
        dispute_id=dispute.dispute_id,
        payment_id=dispute.payment_id,
        amount_minor=dispute.amount_minor,
        currency=dispute.currency,
        reason=reason,
        opened_at=dispute.opened_at,
    )


async def update_dispute_closed(conn: Connection, dispute_id: str, state: DisputeState) -> None:
    """An open dispute is decided; its effect is in this transaction."""
    await _queries.update_dispute_closed(conn, dispute_id=dispute_id, state=state)


async def update_dispute_open(conn: Connection, dispute_id: str) -> None:
    """A dispute that was won goes on."""
    await _queries.update_dispute_open(conn, dispute_id=dispute_id)


async def update_dispute_credits(conn: Connection, dispute_id: str, credits_cents: int) -> None:
    """The credits that a lost dispute of a top-up took back or left owed."""
    await _queries.update_dispute_credits(conn, dispute_id=dispute_id, credits_cents=credits_cents)


async def list_open_disputes(conn: Connection, *, after_id: str, at_most: int) -> list[OpenDispute]:
    """A page of the disputes that are not decided yet, by id."""
    rows = _queries.list_open_disputes(conn, after_id=after_id, at_most=at_most)
    return [OpenDispute(**row) async for row in rows]
