"""What cards are asked for: a payment's request, and what became of it."""

from datetime import timedelta
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.payments.model import Payment, UnknownOutcomes

_queries = load_queries(__file__)


async def find_payment(conn: Connection, payment_id: UUID) -> Payment | None:
    """A payment by its own id."""
    row = await _queries.find_payment(conn, payment_id=payment_id)
    return None if row is None else Payment(**row)


async def find_payment_of(conn: Connection, subject_id: UUID) -> Payment | None:
    """The newest payment for a purchase or a top-up."""
    row = await _queries.find_payment_of(conn, subject_id=subject_id)
    return None if row is None else Payment(**row)


async def lease_payment(
    conn: Connection, payment_id: UUID, *, lease: timedelta, resend_within: timedelta
) -> bool:
    """Note that the request goes out once more.

    False if it must not: the payment is settled, somebody else waits for its answer, or it first
    went out longer ago than `resend_within`.
    """
    leased = await _queries.lease_payment(
        conn, payment_id=payment_id, lease=lease, resend_within=resend_within
    )
    return bool(leased)


async def lock_sent_again(conn: Connection, payment_id: UUID) -> bool:
    """Whether the request went out more than once; until the transaction ends it cannot again."""
    return bool(await _queries.lock_sent_again(conn, payment_id=payment_id))


async def update_payment_released(conn: Connection, payment_id: UUID) -> None:
    """Note that nobody waits for its answer any longer."""
    await _queries.update_payment_released(conn, payment_id=payment_id)


async def update_payment_succeeded(
    conn: Connection, payment_id: UUID, *, intent_id: str, charge_id: str
) -> None:
    """A pending payment was charged."""
    await _queries.update_payment_succeeded(
        conn, payment_id=payment_id, intent_id=intent_id, charge_id=charge_id
    )


async def update_payment_failed(conn: Connection, payment_id: UUID, failure_code: str) -> None:
    """A pending payment was certainly not charged."""
    await _queries.update_payment_failed(conn, payment_id=payment_id, failure_code=failure_code)


async def measure_unknown(conn: Connection, at_most: int) -> list[UnknownOutcomes]:
    """What has been pending for over a minute, by kind; each counted up to `at_most`."""
    rows = _queries.measure_unknown(conn, at_most=at_most)
    return [UnknownOutcomes(**row) async for row in rows]
