"""The payments' rows: one typed function for each query."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.kernel.mass import plain
from fieldfare.payments.model import (
    ExceptionKind,
    ExchangeRate,
    InboxEvent,
    OpenException,
    Payment,
    RateSource,
    RecordedRate,
)

_queries = load_queries(__file__)


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


async def list_payments_of(conn: Connection, subject_ids: Sequence[UUID]) -> list[Any]:
    """The rows of the payments for some purchases or top-ups."""
    return [row async for row in _queries.list_payments_of(conn, subject_ids=subject_ids)]


async def list_payments_from(conn: Connection, *, after_id: UUID, at_most: int) -> list[Any]:
    """A page of all payments, oldest first: id, subject, subject_id."""
    rows = _queries.list_payments_from(conn, after_id=after_id, at_most=at_most)
    return [row async for row in rows]


async def insert_event(
    conn: Connection, identifier: UUID, *, event_id: str, kind: str, payload: bytes
) -> UUID | None:
    """Keep an event; None if it was kept before."""
    kept: UUID | None = await _queries.insert_event(
        conn, id=identifier, event_id=event_id, kind=kind, payload=payload
    )
    return kept


async def find_event(conn: Connection, identifier: UUID) -> InboxEvent | None:
    """An event of the inbox."""
    row = await _queries.find_event(conn, id=identifier)
    return None if row is None else InboxEvent(**row)


async def lock_event(conn: Connection, identifier: UUID) -> InboxEvent | None:
    """An event of the inbox, locked until the transaction ends."""
    row = await _queries.lock_event(conn, id=identifier)
    return None if row is None else InboxEvent(**row)


async def update_event_done(conn: Connection, identifier: UUID) -> None:
    """Its effect is in this transaction."""
    await _queries.update_event_done(conn, id=identifier)


async def open_exception(
    conn: Connection, identifier: UUID, *, kind: ExceptionKind, subject: str, detail: str
) -> None:
    """Put something on the list, once while it is open."""
    await _queries.open_exception(conn, id=identifier, kind=kind, subject=subject, detail=detail)


async def resolve_exceptions(conn: Connection, subject: str, resolution: str) -> None:
    """Whatever is open about a subject is settled."""
    await _queries.resolve_exceptions(conn, subject=subject, resolution=resolution)


async def resolve_exception(conn: Connection, identifier: UUID, resolution: str) -> bool:
    """Close one by hand; False if it is not open."""
    return bool(await _queries.resolve_exception(conn, id=identifier, resolution=resolution))


async def list_open_exceptions(conn: Connection, at_most: int) -> list[OpenException]:
    """What is open, oldest first."""
    rows = _queries.list_open_exceptions(conn, at_most=at_most)
    return [OpenException(**row) async for row in rows]


async def lock_rates(conn: Connection) -> None:
    """Wait until no other transaction changes the rates, then keep others from it."""
    await _queries.lock_rates(conn)


async def list_rates(conn: Connection, currencies: Sequence[str]) -> list[RecordedRate]:
    """The rates that hold of these currencies, by code; none for one that has no rate."""
    rows = _queries.list_rates(conn, currencies=currencies)
    # `plain`, because the column gives every rate ten decimals.
    return [RecordedRate(**{**row, "rate": plain(row["rate"])}) async for row in rows]


async def insert_rates(conn: Connection, rates: Sequence[ExchangeRate], source: RateSource) -> None:
    """Let these rates hold from now on; one for each currency."""
    await _queries.insert_rates(
        conn,
        currencies=[rate.currency for rate in rates],
        rates=[rate.rate for rate in rates],
        rates_on=[rate.rate_on for rate in rates],
        source=source,
    )
