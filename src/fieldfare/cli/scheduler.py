"""What keeps the parts of a worker running, whatever happens to the database.

The parts are what runs at the start, the schedules, the relay of the outbox and the queue of jobs.
What must hold: `work` returns only when it is asked to, and then within its patience. PgQueuer's
scheduler gives each time of a schedule to one worker, also after a crash, but ends with the first
statement that fails, as the other parts do; here each is begun anew, after a pause that grows up to
a bound.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog
from pgqueuer.core.sm import SchedulerManager

from fieldfare.cli.relay import run_relay
from fieldfare.cli.runner import HAND_BACK_S, Pace, run_queue
from fieldfare.db.job_queue import job_queries
from fieldfare.db.pool import DATABASE_DOWN, Database
from fieldfare.db.queue import queue_queries
from fieldfare.jobs import SCHEDULES, TOPICS, JobContext, Schedule, Topic, reason_of, run_job
from fieldfare.kernel.errors import Unavailable

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 15.0
USUAL_PACE = Pace()
DRAIN_S = 5.0
"""For schedules that run and for the relay; queued jobs have a patience of their own."""

_log = structlog.get_logger(__name__)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Something that runs until the worker is asked to stop, and may fail at any time."""

    name: str
    run: Callable[[], Awaitable[None]]
    patience_s: float
    """When asked to stop, it is waited for that long, then cut off."""


async def work(
    ctx: JobContext,
    stop: asyncio.Event,
    *,
    schedules: Sequence[Schedule] = SCHEDULES,
    topics: Sequence[Topic] = TOPICS,
    pace: Pace = USUAL_PACE,
) -> None:
    """Run `schedules` and the jobs of `topics` until `stop` is set."""
    names = [topic.name for topic in topics]
    assert len(set(names)) == len(names), "two topics of one name"
    _log.info("worker_started", schedules=[s.name for s in schedules], topics=names)
    async with asyncio.TaskGroup() as group:
        for part in _parts(ctx, stop, schedules, topics, pace):
            group.create_task(_run_part(part, ctx.db, stop))
    _log.info("worker_stopped")


def _parts(
    ctx: JobContext,
    stop: asyncio.Event,
    schedules: Sequence[Schedule],
    topics: Sequence[Topic],
    pace: Pace,
) -> list[Part]:
    queries = job_queries(ctx.db, {topic.name: topic.retry.tries for topic in topics})
    names = [topic.name for topic in topics]
    return [
        Part(
            name="start",
            run=lambda: _run_at_start(ctx, schedules, stop),
            patience_s=DRAIN_S,
        ),
        Part(
            name="schedules",
            run=lambda: _run_schedules(ctx, schedules, stop),
            patience_s=DRAIN_S,
        ),
        Part(
            name="relay",
            run=lambda: run_relay(ctx.db, names, queries, stop, pace.poll_s),
            patience_s=DRAIN_S,
        ),
        Part(
            name="queue",
            run=lambda: run_queue(ctx, topics, queries, stop, pace),
            patience_s=pace.drain_s + 2 * HAND_BACK_S,
        ),
    ]


async def _run_part(part: Part, db: Database, stop: asyncio.Event) -> None:
    stopping = asyncio.create_task(stop.wait())
    working = asyncio.create_task(_keep_working(part, db, stop))
    try:
        await asyncio.wait({stopping, working}, return_when=asyncio.FIRST_COMPLETED)
        _, late = await asyncio.wait({working}, timeout=part.patience_s)
        if late:
            _log.warning("worker_cut_off", part=part.name, patience_s=part.patience_s)
            working.cancel()
            # What was cut off takes its leave of the server, which may not answer.
            await asyncio.wait({working}, timeout=1)
        else:
            working.result()
    finally:
        stopping.cancel()
        working.cancel()


async def _keep_working(part: Part, db: Database, stop: asyncio.Event) -> None:
    delay_s = FIRST_DELAY_S
    while not stop.is_set():
        began_at = time.monotonic()
        try:
            await part.run()
        except Exception as error:  # noqa: BLE001  # the end of a worker is the end of the product
            if time.monotonic() - began_at > LONGEST_DELAY_S:
                delay_s = FIRST_DELAY_S
            _tell(part, error, delay_s)
            await _pause(db, stop, delay_s)
            delay_s = min(delay_s * 2, LONGEST_DELAY_S)


def _tell(part: Part, error: Exception, delay_s: float) -> None:
    if isinstance(error, (*DATABASE_DOWN, Unavailable)):
        _log.warning(
            "worker_database_away",
            part=part.name,
            reason=reason_of(error),
            next_try_s=delay_s,
        )
    else:
        _log.error("worker_part_failed", part=part.name, next_try_s=delay_s, exc_info=error)


async def _pause(db: Database, stop: asyncio.Event, delay_s: float) -> None:
    # After a failover, old connections may still lead to a server that takes no writes.
    await db.pool.expire_connections()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), delay_s)


async def _run_at_start(
    ctx: JobContext, schedules: Sequence[Schedule], stop: asyncio.Event
) -> None:
    # Beside the other parts: one of these that takes long keeps nothing else waiting.
    await asyncio.gather(*(run_job(ctx, schedule) for schedule in schedules if schedule.at_start))
    await stop.wait()


async def _run_schedules(
    ctx: JobContext, schedules: Sequence[Schedule], stop: asyncio.Event
) -> None:
    scheduler = SchedulerManager(queue_queries(ctx.db))
    scheduler.shutdown = stop
    for schedule in schedules:
        register = scheduler.schedule(schedule.name, schedule.cron, accepts_context=False)
        register(_crontab(ctx, schedule))
    await scheduler.run()


def _crontab(ctx: JobContext, schedule: Schedule) -> Callable[[object], Awaitable[None]]:
    async def run(_due: object) -> None:
        await run_job(ctx, schedule)

    return run
