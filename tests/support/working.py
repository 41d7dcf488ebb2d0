"""A worker inside the test's own process, and what a test tells it and reads of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from fieldfare.cli.runner import Pace
from fieldfare.cli.scheduler import work
from fieldfare.db.pool import Database, connection, transaction
from fieldfare.jobs import JobContext, Retry, Schedule, Topic
from fieldfare.notifications.service.outbox import tell
from fieldfare.settings import Settings
from tests.support.waiting import until

STOP_PATIENCE_S = 9.0
QUICK = Pace(poll_s=0.05, look_s=0.2, lease_s=2.0, drain_s=3.0)
"""A pace at which a test need not wait long."""
IMPATIENT = Retry(tries=3, first_s=0.05, longest_s=0.1)


def context(db: Database) -> JobContext:
    """What the jobs of a test work with."""
    return JobContext(db=db, settings=Settings())


@contextlib.asynccontextmanager
async def working(
    db: Database,
    *,
    schedules: Sequence[Schedule] = (),
    topics: Sequence[Topic] = (),
    pace: Pace = QUICK,
) -> AsyncIterator[asyncio.Event]:
    """A worker that runs within the block, and is then asked to stop; gives its `stop`."""
    stop = asyncio.Event()
    task = asyncio.create_task(
        work(context(db), stop, schedules=schedules, topics=topics, pace=pace)
    )
    try:
        yield stop
        assert stop.is_set() or not task.done(), "the worker ended by itself"
    finally:
        stop.set()
        async with asyncio.timeout(STOP_PATIENCE_S):
            await task


async def tell_of(
    db: Database, topic: str, subject_id: UUID | None = None, delay: timedelta = timedelta(0)
) -> UUID:
    """A committed row of the outbox; gives its subject."""
    subject_id = subject_id or uuid4()
    async with transaction(db) as conn:
        await tell(conn, topic, subject_id, delay)
    return subject_id


async def fetchval(db: Database, query: str, *args: object) -> object:
    """One value."""
    async with connection(db) as conn:
        return await conn.fetchval(query, *args)


async def until_idle(db: Database, within_s: float = 20.0) -> None:
    """Return when nothing is due, waits or runs; held jobs may be left."""

    async def idle() -> bool:
        return not await fetchval(
            db,
            "select exists (select from notifications.outbox) or exists ("
            " select from pgqueuer.pgqueuer where status in ('queued', 'picked'))",
        )

    await until(idle, within_s)
