"""The relay: it makes jobs of what is due in the outbox.

What must hold: a row leaves the outbox in the transaction that queues its job, so nothing is lost
or doubled wherever a relay dies, and any number of them may run. A topic that this program does not
know stays where it is, for a newer one, and is told of.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence

import structlog

from fieldfare.db.job_queue import JobQueries, NewJob
from fieldfare.db.pool import Database, connection, transaction
from fieldfare.notifications.service import outbox
from fieldfare.telemetry.families import RELAYED

ROWS_AT_ONCE = 500
TELL_STRANDED_S = 60.0

_log = structlog.get_logger(__name__)


async def run_relay(
    db: Database, topics: Sequence[str], queries: JobQueries, stop: asyncio.Event, poll_s: float
) -> None:
    """Relay until `stop` is set; raises what the database does."""
    look_at = time.monotonic()
    while not stop.is_set():
        if time.monotonic() >= look_at:
            await tell_stranded(db, topics)
            look_at = time.monotonic() + TELL_STRANDED_S
        moved = await relay_due(db, topics, queries)
        if moved < ROWS_AT_ONCE:
            await _rest(stop, poll_s)


async def relay_due(db: Database, topics: Sequence[str], queries: JobQueries) -> int:
    """Make jobs of up to `ROWS_AT_ONCE` rows that are due; gives how many."""
    async with transaction(db) as conn:
        rows = await outbox.take_due(conn, topics, at_most=ROWS_AT_ONCE)
        if rows:
            jobs = [NewJob(key=r.id, topic=r.topic, subject_id=r.subject_id) for r in rows]
            await queries.insert_jobs(conn, jobs)
    if rows:
        RELAYED.add(by=len(rows))
        await queries.wake()
    return len(rows)


async def tell_stranded(db: Database, topics: Sequence[str]) -> None:
    """Log every topic of rows that are due and that nobody here takes."""
    async with connection(db) as conn:
        stranded = await outbox.list_stranded(conn, topics)
    for topic in stranded:
        _log.warning(
            "outbox_unknown_topic",
            topic=topic.topic,
            rows=topic.rows,
            oldest_due_at=topic.oldest_due_at.isoformat(),
        )


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
