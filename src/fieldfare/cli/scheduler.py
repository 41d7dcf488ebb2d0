"""What keeps the schedules of a worker running, whatever happens to the database.

What must hold: `work` returns only when it is asked to, and then within seconds. PgQueuer's
scheduler gives each time of a schedule to one worker, also after a crash, but ends with the first
statement that fails; here it is begun anew, after a pause that grows up to a bound.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog
from pgqueuer.core.sm import SchedulerManager

from fieldfare.db.pool import DATABASE_DOWN, Database
from fieldfare.db.queue import queue_queries
from fieldfare.jobs import Schedule, reason_of, run_job

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 15.0
DRAIN_S = 5.0

_log = structlog.get_logger(__name__)


async def work(db: Database, schedules: Sequence[Schedule], stop: asyncio.Event) -> None:
    """Run `schedules` until `stop` is set, and what is under way then for `DRAIN_S` at most."""
    _log.info("worker_started", schedules=[schedule.name for schedule in schedules])
    stopping = asyncio.create_task(stop.wait())
    working = asyncio.create_task(_keep_working(db, schedules, stop))
    try:
        await asyncio.wait({stopping, working}, return_when=asyncio.FIRST_COMPLETED)
        _, late = await asyncio.wait({working}, timeout=DRAIN_S)
        if late:
            _log.warning("worker_cut_off", patience_s=DRAIN_S)
            working.cancel()
            # What was cut off takes its leave of the server, which may not answer.
            await asyncio.wait({working}, timeout=1)
        else:
            working.result()
    finally:
        stopping.cancel()
        working.cancel()
    _log.info("worker_stopped")


async def _keep_working(db: Database, schedules: Sequence[Schedule], stop: asyncio.Event) -> None:
    for schedule in schedules:
        if schedule.at_start and not stop.is_set():
            await run_job(db, schedule)
    delay_s = FIRST_DELAY_S
    while not stop.is_set():
        began_at = time.monotonic()
        try:
            await _scheduler(db, schedules, stop).run()
        except Exception as error:  # noqa: BLE001  # the end of a worker is the end of the product
            if time.monotonic() - began_at > LONGEST_DELAY_S:
                delay_s = FIRST_DELAY_S
            _tell(error, delay_s)
            await _pause(db, stop, delay_s)
            delay_s = min(delay_s * 2, LONGEST_DELAY_S)


def _tell(error: Exception, delay_s: float) -> None:
    if isinstance(error, DATABASE_DOWN):
        _log.warning("worker_database_away", reason=reason_of(error), next_try_s=delay_s)
    else:
        _log.error("worker_scheduler_failed", next_try_s=delay_s, exc_info=error)


async def _pause(db: Database, stop: asyncio.Event, delay_s: float) -> None:
    # After a failover, old connections may still lead to a server that takes no writes.
    await db.pool.expire_connections()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), delay_s)


def _scheduler(
    db: Database, schedules: Sequence[Schedule], stop: asyncio.Event
) -> SchedulerManager:
    scheduler = SchedulerManager(queue_queries(db))
    scheduler.shutdown = stop
    for schedule in schedules:
        register = scheduler.schedule(schedule.name, schedule.cron, accepts_context=False)
        register(_crontab(db, schedule))
    return scheduler


def _crontab(db: Database, schedule: Schedule) -> Callable[[object], Awaitable[None]]:
    async def run(_due: object) -> None:
        await run_job(db, schedule)

    return run
