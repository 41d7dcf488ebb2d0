"""What a restore leaves unsettled, and what must not be sent again after it.

A request that was under way when the backup was taken may have been answered since, and its client
told that nothing was charged: sent again, it would charge. So it counts as sent too long ago to be
sent again; the processor's list settles it, or 25 hours later its absence there does.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.payments import rules, store
from fieldfare.payments.service.exceptions import open_exception_once

SLACK = timedelta(days=1)
"""Before the newest payment that is on record, for clocks and for what commits late."""
BEFORE_EVERYTHING = datetime(2010, 1, 1, tzinfo=UTC)


async def forbid_sending_again(conn: Connection) -> None:
    """In the caller's transaction: nothing that is under way now is ever sent once more."""
    await store.forbid_sending_again(conn, rules.RESEND_WITHIN)


async def list_pending_subjects(conn: Connection) -> list[UUID]:
    """Every order and top-up whose payment is not settled, oldest first."""
    return await store.list_pending_subjects(conn)


async def list_pending_refunds(conn: Connection) -> list[tuple[UUID, str]]:
    """Every refund that is not settled, oldest first, with what it is of."""
    return await store.list_pending_refunds(conn)


async def has_charged_cards(conn: Connection) -> bool:
    """Whether a card was ever charged, or asked to be."""
    return await store.find_newest_payment_at(conn) is not None


async def look_from(conn: Connection) -> datetime:
    """From when on the processor may know of charges that these books do not."""
    newest_at = await store.find_newest_payment_at(conn)
    return BEFORE_EVERYTHING if newest_at is None else newest_at - SLACK


async def open_stray_refund(conn: Connection, refund_id: str, charge_id: str) -> None:
    """Put a refund whose charge is not on record on the list of exceptions, once."""
    detail = f"a refund of charge {charge_id}, which paid for nothing here"
    await open_exception_once(conn, "unknown_transaction", refund_id, detail)
