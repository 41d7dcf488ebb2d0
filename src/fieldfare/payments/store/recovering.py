"""What was under way when the books that were restored were written."""

from datetime import datetime, timedelta
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries

_queries = load_queries(__file__)


async def forbid_sending_again(conn: Connection, resend_within: timedelta) -> None:
    """Let every request that is under way count as sent longer ago than it may be sent again."""
    await _queries.forbid_sending_again(conn, resend_within=resend_within)
    await _queries.forbid_refunding_again(conn, resend_within=resend_within)


async def list_pending_subjects(conn: Connection) -> list[UUID]:
    """Every order and top-up whose payment is not settled."""
    rows = _queries.list_pending_subjects(conn)
    return [row["subject_id"] async for row in rows]


async def list_pending_refunds(conn: Connection) -> list[tuple[UUID, str]]:
    """Every refund that is not settled, and what it is of: a purchase or a top-up."""
    rows = _queries.list_pending_refunds(conn)
    return [(row["id"], row["subject"]) async for row in rows]


async def find_newest_payment_at(conn: Connection) -> datetime | None:
    """When the newest payment was recorded; None if no card was ever charged."""
    found: datetime | None = await _queries.find_newest_payment_at(conn)
    return found
