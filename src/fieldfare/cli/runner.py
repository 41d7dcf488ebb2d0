"""Running queued jobs: each is tried, put off, tried again, or held for an operator.

What must hold: every job that is picked ends in one of these, whatever it raises and whenever the
worker is asked to stop; one that is cut off is handed back. No topic takes more than its share, so
a slow or a failing one holds up no other.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import structlog
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job
from structlog.contextvars import bound_contextvars

from fieldfare.db.job_queue import JobQueries, Postponed
from fieldfare.db.pool import DATABASE_DOWN
from fieldfare.db.queue import CHANNEL
from fieldfare.jobs import JobContext, Topic, TryLater, reason_of, rest_s
from fieldfare.kernel.errors import Unavailable
from fieldfare.telemetry import traces
from fieldfare.telemetry.families import JOB_S, JOB_WAIT_S

JOBS_AT_ONCE = 4
"""Jobs that one statement picks, and whose ends one statement notes. PgQueuer waits a tenth of a
second for fewer ends, so at more than half of a topic's concurrency its places stand empty: with 20
a backlog drains at 80 jobs a second, with 4 at 1,100."""
HAND_BACK_S = 3.0

_log = structlog.get_logger(__name__)

Running = set[asyncio.Task[object]]


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often a worker looks, and how long it waits, in seconds."""

    poll_s: float = 0.2
    """Between two looks into the outbox."""
    look_s: float = 1.0
    """Between two looks into the queue, which what the relay brings does not wait for."""
    lease_s: float = 20.0
    """A job whose worker has not been heard of for so long is picked by another one."""
    drain_s: float = 20.0
    """What runs when the worker is asked to stop may run on for so long."""


class Held(Exception):
    """A job has failed for the last time; the message is the reason."""


async def run_queue(
    ctx: JobContext, topics: Sequence[Topic], queries: JobQueries, stop: asyncio.Event, pace: Pace
) -> None:
    """Run jobs of `topics` until `stop` is set, and what is under way then for `drain_s` at most.

    Raises what the database does, once the jobs under way are done.
    """
    running: Running = set()
    manager = _manager(ctx, topics, queries, stop, running)
    working = asyncio.create_task(
        manager.run(
            dequeue_timeout=timedelta(seconds=pace.look_s),
            batch_size=JOBS_AT_ONCE,
            heartbeat_timeout=timedelta(seconds=pace.lease_s),
            # Its statistics are not used, and would grow by a row for each second and topic.
            log_aggregation_interval=timedelta(0),
        )
    )
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await _let_finish(running, pace.drain_s)
        _, late = await asyncio.wait({working}, timeout=HAND_BACK_S if stop.is_set() else None)
        if late:
            _log.warning("queue_cut_off", patience_s=HAND_BACK_S)
            working.cancel()
            await asyncio.wait({working}, timeout=1)
        else:
            working.result()
    finally:
        stopping.cancel()
        working.cancel()


def _manager(
    ctx: JobContext,
    topics: Sequence[Topic],
    queries: JobQueries,
    stop: asyncio.Event,
    running: Running,
) -> QueueManager:
    manager = QueueManager(queries, channel=CHANNEL)
    manager.shutdown = stop
    for topic in topics:
        register = manager.entrypoint(
            topic.name,
            concurrency_limit=topic.concurrency,
            accepts_context=False,
            on_failure="hold",
        )
        register(_handler(ctx, topic, stop, running))
    return manager


async def _let_finish(running: Running, patience_s: float) -> None:
    """Wait for the jobs that run; those that take too long hand themselves back."""
    deadline = time.monotonic() + patience_s
    while running and (left_s := deadline - time.monotonic()) > 0:
        await asyncio.wait(set(running), timeout=left_s)
    for task in running:
        task.cancel()


def _handler(
    ctx: JobContext, topic: Topic, stop: asyncio.Event, running: Running
) -> Callable[[Job], Awaitable[None]]:
    async def handle(job: Job) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            verdict = await attempt(ctx, topic, job, stop)
        finally:
            running.discard(task)
        # Raised here, where no other error is being handled: PgQueuer keeps the whole chain.
        if verdict is not None:
            raise verdict

    return handle


async def attempt(
    ctx: JobContext, topic: Topic, job: Job, stop: asyncio.Event
) -> RetryRequested | Held | None:
    """Run a job once, and log it; gives what is to become of it, None if it is done."""
    if stop.is_set():
        return Postponed(reason="the worker stops")
    waited = datetime.now(UTC) - max(job.created, job.execute_after)
    JOB_WAIT_S.observe(max(waited.total_seconds(), 0.0), topic.name)
    began = time.monotonic()
    verdict = await _attempt(ctx, topic, job, stop)
    JOB_S.observe(time.monotonic() - began, topic.name, _ended(verdict))
    return verdict


def _ended(verdict: RetryRequested | Held | None) -> str:
    match verdict:
        case None:
            return "done"
        case Postponed():
            return "later"
        case Held():
            return "held"
        case _:
            return "failed"


async def _attempt(
    ctx: JobContext, topic: Topic, job: Job, stop: asyncio.Event
) -> RetryRequested | Held | None:
    subject = (job.payload or b"").decode(errors="replace")
    started_at = time.monotonic()
    with bound_contextvars(job=topic.name, job_id=job.id, subject_id=subject):
        try:
            with traces.span(f"job {topic.name}", subject_id=subject, tries=job.attempts + 1):
                async with _limit(topic.limit_s):
                    await topic.run(ctx, UUID(subject))
        except TryLater as later:
            _log.info("job_later", reason=str(later), next_try_s=later.delay.total_seconds())
            return Postponed(later.delay, reason=str(later))
        except asyncio.CancelledError as error:
            if not stop.is_set():
                return _failed(topic, job, error, started_at)
            _log.warning("job_handed_back", duration_ms=_ms_since(started_at))
            return Postponed(reason="the worker stops")
        except Exception as error:  # noqa: BLE001  # whatever a job raises, it is tried again
            return _failed(topic, job, error, started_at)
        _log.info("job_done", duration_ms=_ms_since(started_at))
        return None


@contextlib.asynccontextmanager
async def _limit(limit_s: float) -> AsyncIterator[None]:
    """Cut off what takes longer, with a message that says so; other time-outs keep their own."""
    try:
        async with asyncio.timeout(limit_s) as limit:
            yield
    except TimeoutError as error:
        if limit.expired():
            raise TimeoutError(f"it took longer than {limit_s:g} s") from error
        raise


def _failed(
    topic: Topic, job: Job, error: BaseException, started_at: float
) -> RetryRequested | Held:
    failures = job.attempts + 1
    reason = reason_of(error)
    told = {"failures": failures, "reason": reason, "duration_ms": _ms_since(started_at)}
    # A server that is away is no defect of the job's: its trace would tell nothing.
    trace = None if isinstance(error, (*DATABASE_DOWN, Unavailable)) else error
    if failures >= topic.retry.tries:
        _log.error("job_held", **told, exc_info=trace)
        return Held(reason)
    chance = random.random()  # noqa: S311  # it spreads tries, and keeps no secret
    next_try_s = rest_s(topic.retry, failures, chance)
    _log.warning("job_failed", **told, next_try_s=round(next_try_s, 1), exc_info=trace)
    return RetryRequested(timedelta(seconds=next_try_s), reason=reason)


def _ms_since(started_at: float) -> int:
    return round((time.monotonic() - started_at) * 1000)
