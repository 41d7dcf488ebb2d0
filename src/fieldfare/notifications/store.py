"""The rows of notifications: one typed function for each query."""

from collections.abc import Sequence
from datetime import timedelta

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.notifications.model import OutboxRow, StrandedTopic

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
