"""Every job of the product and when it is due, flat; `fieldfare worker` runs them.

What must hold: a job may run twice, on two machines, or be cut off at any line, and the next run
makes good what is missing. Whatever a job raises is logged and stops nothing else.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import msgspec
import structlog

from fieldfare.db import partitions
from fieldfare.db.pool import DATABASE_DOWN, Database, transaction
from fieldfare.http import idempotency
from fieldfare.impact.jobs import refresh_ranking_once
from fieldfare.kernel import limits
from fieldfare.kernel.errors import Unavailable

KEYS_AT_ONCE = 5_000
KEY_BATCHES = 2_000
FORGET_MARGIN_HOURS = 24
"""A key outlives its promise by this much, so that a retry at the last minute still meets it."""

Outcome: TypeAlias = Mapping[str, int | str]
"""What a job did, as fields for the log."""

_log = structlog.get_logger(__name__)


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A job that comes again and again; among all workers each time is given to one."""

    name: str
    cron: str
    """Minute, hour, day, month, weekday in UTC; a sixth field would be seconds."""
    run: Callable[[Database], Awaitable[Outcome]]
    limit_s: float
    """After this it is cut off; the next run starts where it was."""
    at_start: bool = False
    """Whether every worker also runs it when it starts."""


async def make_partitions(db: Database) -> Outcome:
    """Lay out the partitions of the months to come."""
    async with transaction(db) as conn:
        made = await partitions.make_partitions(conn)
    return {"partitions_made": made}


async def refresh_ranking(db: Database) -> Outcome:
    """Bring the ranking to what the wallets say."""
    changed = await refresh_ranking_once(db)
    return {"skipped": "another worker is at it"} if changed is None else {"rows_changed": changed}


async def forget_old_keys(db: Database) -> Outcome:
    """Delete answered idempotency keys whose time is over, in short transactions."""
    hours = limits.IDEMPOTENCY_KEPT_HOURS + FORGET_MARGIN_HOURS
    forgotten = 0
    for _ in range(KEY_BATCHES):
        async with transaction(db) as conn:
            gone = await idempotency.forget_old_keys(
                conn, older_than_hours=hours, at_most=KEYS_AT_ONCE
            )
        forgotten += gone
        if gone < KEYS_AT_ONCE:
            break
    return {"keys_forgotten": forgotten}


SCHEDULES = (
    Schedule(
        name="make_partitions", cron="7 2 * * *", run=make_partitions, limit_s=60, at_start=True
    ),
    Schedule(
        name="refresh_ranking", cron="* * * * *", run=refresh_ranking, limit_s=30, at_start=True
    ),
    Schedule(name="forget_old_keys", cron="23 * * * *", run=forget_old_keys, limit_s=900),
)


async def run_job(db: Database, schedule: Schedule) -> None:
    """Run a job within its limit and log its name, what it did and how long that took."""
    log = _log.bind(job=schedule.name)
    started_at = time.monotonic()
    try:
        async with asyncio.timeout(schedule.limit_s):
            outcome = await schedule.run(db)
    except (*DATABASE_DOWN, Unavailable) as error:
        # A server that is away is no defect of the job's: its trace would tell nothing.
        log.warning("job_failed", reason=reason_of(error), duration_ms=_ms_since(started_at))
    except Exception:
        log.exception("job_failed", duration_ms=_ms_since(started_at))
    else:
        log.info("job_done", duration_ms=_ms_since(started_at), **outcome)


def reason_of(error: BaseException) -> str:
    """Why the database was of no use, in one line for the log."""
    cause = error.__cause__ if isinstance(error, Unavailable) else error
    return f"{type(cause).__name__}: {' '.join(str(cause).split())}".removesuffix(": ")


def _ms_since(started_at: float) -> int:
    return round((time.monotonic() - started_at) * 1000)
