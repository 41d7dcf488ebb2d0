"""The rows of notifications: one typed function for each query."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.notifications.model import (
    MailKind,
    OutboxRow,
    OutboxSize,
    SentMail,
    StrandedTopic,
)

_queries = load_queries(__file__)


async def insert_outbox_row(conn: Connection, row: OutboxRow, delay: timedelta) -> None:
    """Write a row of the outbox that is due after `delay`, counted from the transaction's start."""
    await _queries.tell(conn, id=row.id, topic=row.topic, subject_id=row.subject_id, delay=delay)


async def take_due(conn: Connection, topics: Sequence[str], *, at_most: int) -> list[OutboxRow]:
    """Take out rows of these topics that are due, but those that another transaction is taking."""
    rows = _queries.take_due(conn, topics=list(topics), at_most=at_most)
    return [OutboxRow(**row) async for row in rows]


async def list_stranded(conn: Connection, topics: Sequence[str]) -> list[StrandedTopic]:
    """What is due and of none of these topics."""
    rows = _queries.list_stranded(conn, topics=list(topics))
    return [StrandedTopic(**row) async for row in rows]


async def claim_mail(
    conn: Connection, *, message_id: str, kind: MailKind, subject_id: UUID, lease_s: float
) -> int | None:
    """Take a mail up for so many seconds; gives the attempt's number, or None if it may not be."""
    attempt: int | None = await _queries.claim_mail(
        conn, message_id=message_id, kind=kind, subject_id=subject_id, lease_s=lease_s
    )
    return attempt


async def find_mail(conn: Connection, message_id: str) -> SentMail | None:
    """What is known of a mail; None if it was never taken up."""
    row = await _queries.find_mail(conn, message_id=message_id)
    return None if row is None else SentMail(**row)


async def update_sent(conn: Connection, message_id: str) -> None:
    """The server has taken it over."""
    await _queries.update_sent(conn, message_id=message_id)


async def update_refused(
    conn: Connection, message_id: str, *, attempt: int, refusal_code: int | None
) -> None:
    """It was refused for good, if this is still the newest attempt."""
    await _queries.update_refused(
        conn, message_id=message_id, attempt=attempt, refusal_code=refusal_code
    )


async def update_released(conn: Connection, message_id: str, *, attempt: int) -> None:
    """It may be taken up again, if this is still the newest attempt."""
    await _queries.update_released(conn, message_id=message_id, attempt=attempt)


async def measure_outbox(conn: Connection, at_most: int) -> OutboxSize:
    """How much lies in the outbox; counted up to `at_most`."""
    return OutboxSize(**await _queries.measure_outbox(conn, at_most=at_most))
