"""Credits bought by card, those that refill themselves among them."""

from datetime import timedelta
from uuid import UUID

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.http.idempotency import KeyVerdict, RequestKey, read_verdict
from fieldfare.payments.model import NewTopUp, RecentRefill, TopUp
from fieldfare.payments.rules import REQUEST_LEASE

_queries = load_queries(__file__)


async def open_top_up(
    conn: Connection, opening: NewTopUp, key: RequestKey | None, *, settle_after: timedelta
) -> KeyVerdict:
    """Record credits that a card is to be charged for, unless the client's key says otherwise.

    Raises `asyncpg.UniqueViolationError` if another refill of the account is under way.
    """
    payment = opening.payment
    row = await _queries.open_top_up(
        conn,
        key_hash=key.key_hash if key else None,
        fingerprint=key.fingerprint if key else None,
        id=payment.subject_id,
        account_id=payment.account_id,
        origin=opening.origin,
        amount_cents=payment.amount_cents,
        payment_id=payment.id,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        rate=payment.rate,
        rate_on=payment.rate_on,
        customer=payment.customer,
        request=payment.request,
        processor_key=payment.processor_key,
        lease=REQUEST_LEASE,
        outbox_id=new_id(),
        settle_after=settle_after,
    )
    return read_verdict(row)


async def find_top_up(conn: Connection, top_up_id: UUID) -> TopUp | None:
    """Credits bought by card, whatever became of them."""
    row = await _queries.find_top_up(conn, top_up_id=top_up_id)
    return None if row is None else TopUp(**row)


async def find_top_up_of_charge(conn: Connection, charge_id: str) -> UUID | None:
    """The top-up that a processor's charge paid for."""
    found: UUID | None = await _queries.find_top_up_of_charge(conn, charge_id=charge_id)
    return found


async def lock_top_up(conn: Connection, top_up_id: UUID) -> TopUp | None:
    """A top-up in whichever state, locked until the transaction ends."""
    row = await _queries.lock_top_up(conn, top_up_id=top_up_id)
    return None if row is None else TopUp(**row)


async def lock_pending_top_up(conn: Connection, top_up_id: UUID) -> TopUp | None:
    """A top-up that is not settled yet, locked; None if it is."""
    row = await _queries.lock_pending_top_up(conn, top_up_id=top_up_id)
    return None if row is None else TopUp(**row)


async def update_top_up_paid(
    conn: Connection, top_up_id: UUID, *, charge_id: str, entry_id: UUID
) -> None:
    """A pending top-up was charged, and its credits are in the wallet."""
    await _queries.update_top_up_paid(
        conn, top_up_id=top_up_id, charge_id=charge_id, entry_id=entry_id
    )


async def update_top_up_failed(conn: Connection, top_up_id: UUID) -> None:
    """A pending top-up was certainly not charged."""
    await _queries.update_top_up_failed(conn, top_up_id=top_up_id)


async def update_top_up_returned(conn: Connection, top_up_id: UUID, change_cents: int) -> None:
    """More of its credits went back, or came again; the top-up is locked by the caller."""
    await _queries.update_top_up_returned(conn, top_up_id=top_up_id, change_cents=change_cents)


async def list_recent_refills(conn: Connection, account_id: int) -> list[RecentRefill]:
    """An account's refills of the last 24 hours, and one that is under way, newest first."""
    rows = _queries.list_recent_refills(conn, account_id=account_id)
    return [RecentRefill(**row) async for row in rows]


async def has_newer_refill(conn: Connection, top_up: TopUp) -> bool:
    """Whether a refill that was begun after this one is paid."""
    return bool(
        await _queries.has_newer_refill(
            conn, account_id=top_up.account_id, created_at=top_up.created_at
        )
    )
