"""The rows of mail: one typed function for each query."""

from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.notifications.model import MailKind, SentMail

_queries = load_queries(__file__)


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
