"""Money on its way back to a card, and what of a payment is gone."""

from datetime import timedelta
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.payments.model import Payment, Refund, Remains, Returned

_queries = load_queries(__file__)


async def insert_refund(
    conn: Connection,
    refund_id: UUID,
    payment: Payment,
    *,
    amount_minor: int,
    reason: str,
    request: bytes,
    processor_key: str,
    lease: timedelta,
) -> Refund:
    """Record money that is to be given back; it counts as sent from now on."""
    row = await _queries.insert_refund(
        conn,
        id=refund_id,
        payment_id=payment.id,
        amount_minor=amount_minor,
        currency=payment.currency,
        reason=reason,
        request=request,
        processor_key=processor_key,
        lease=lease,
    )
    return Refund(**row)


async def insert_foreign_refund(
    conn: Connection,
    identifier: UUID,
    payment: Payment,
    *,
    refund_id: str,
    amount_minor: int,
    currency: str,
    reason: str,
) -> Refund | None:
    """Record a refund that was made at the processor; None if it is on record."""
    row = await _queries.insert_foreign_refund(
        conn,
        id=identifier,
        payment_id=payment.id,
        amount_minor=amount_minor,
        currency=currency,
        reason=reason,
        refund_id=refund_id,
    )
    return None if row is None else Refund(**row)


async def find_refund(conn: Connection, identifier: UUID) -> Refund | None:
    """A refund by our own id."""
    row = await _queries.find_refund(conn, id=identifier)
    return None if row is None else Refund(**row)


async def lock_refund(conn: Connection, identifier: UUID) -> Refund | None:
    """A refund, locked until the transaction ends: it is not sent again meanwhile."""
    row = await _queries.lock_refund(conn, id=identifier)
    return None if row is None else Refund(**row)


async def list_refunds_of_payment(conn: Connection, payment_id: UUID) -> list[Refund]:
    """Every refund of a payment, oldest first."""
    rows = _queries.list_refunds_of_payment(conn, payment_id=payment_id)
    return [Refund(**row) async for row in rows]


async def find_returned(conn: Connection, payment_id: UUID) -> Returned:
    """What refunds and disputes have made of a payment; who acts on it has locked its subject."""
    row = await _queries.find_returned(conn, payment_id=payment_id)
    return Returned(
        gone_minor=row["gone_minor"],
        pending=Remains(minor=row["pending_minor"], cents=row["pending_cents"]),
        pending_refunds=row["pending_refunds"],
        open_disputes=row["open_disputes"],
    )


async def lease_refund(
    conn: Connection, identifier: UUID, *, lease: timedelta, resend_within: timedelta
) -> bool:
    """Note that the request of a refund goes out once more; False if it must not, as a payment's.

    See `lease_payment`.
    """
    leased = await _queries.lease_refund(
        conn, id=identifier, lease=lease, resend_within=resend_within
    )
    return bool(leased)


async def update_refund_released(conn: Connection, identifier: UUID) -> None:
    """Note that nobody waits for its answer any longer."""
    await _queries.update_refund_released(conn, id=identifier)


async def update_refund_known(conn: Connection, identifier: UUID, refund_id: str) -> None:
    """Note what the processor calls a pending refund."""
    await _queries.update_refund_known(conn, id=identifier, refund_id=refund_id)


async def update_refund_succeeded(conn: Connection, identifier: UUID, refund_id: str) -> None:
    """The money was given back."""
    await _queries.update_refund_succeeded(conn, id=identifier, refund_id=refund_id)


async def update_refund_failed(
    conn: Connection, identifier: UUID, failure_code: str, refund_id: str | None
) -> None:
    """A pending refund certainly came to nothing."""
    await _queries.update_refund_failed(
        conn, id=identifier, failure_code=failure_code, refund_id=refund_id
    )


async def update_refund_returned(conn: Connection, identifier: UUID, failure_code: str) -> bool:
    """The money of a refund that had succeeded is with us again; True the first time."""
    returned = await _queries.update_refund_returned(conn, id=identifier, failure_code=failure_code)
    return bool(returned)


async def find_refund_credits(conn: Connection, refund_id: UUID) -> int | None:
    """Of a top-up's refund, the credits that go with it; None if that is not known yet."""
    found: int | None = await _queries.find_refund_credits(conn, refund_id=refund_id)
    return found


async def update_refund_credits(conn: Connection, refund_id: UUID, credits_cents: int) -> None:
    """The credits that go with a refund of a top-up."""
    await _queries.update_refund_credits(conn, refund_id=refund_id, credits_cents=credits_cents)


async def list_returned_unheard(conn: Connection, at_most: int) -> list[str]:
    """Charges of refunds that came back to us by the processor's balance, and not by our rows."""
    rows = _queries.list_returned_unheard(conn, at_most=at_most)
    return [row["charge_id"] async for row in rows]
