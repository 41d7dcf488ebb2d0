"""The queue of jobs: PgQueuer's, with what of its ways we change so that no job is lost.

What must hold: no job is lost by a worker that is cut off, by one that dies, or because the
database is away when a job has failed; and a job that kills its workers is held like any other that
fails. The tables are PgQueuer's, so the statements stand here rather than among our queries.
Only the worker imports this module.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias
from uuid import UUID

import msgspec
import structlog
from pgqueuer.adapters.persistence.qb import (
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job, TracebackRecord
from pgqueuer.domain.types import JOB_STATUS, QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter

from fieldfare.db.pool import DATABASE_DOWN, Connection, Database
from fieldfare.db.queue import SCHEMA, PollingDriver, TableNames

JobEnd: TypeAlias = tuple[Job, JOB_STATUS, TracebackRecord | None]

_log = structlog.get_logger(__name__)

_POSTPONE = """
with postponed as (
    update pgqueuer.pgqueuer
    set status = 'queued', execute_after = now() + $2::interval, updated = now(),
        queue_manager_id = null
    where id = $1 and status = 'picked'
    returning id, entrypoint, priority
)
insert into pgqueuer.pgqueuer_log (job_id, status, entrypoint, priority)
select id, 'queued', entrypoint, priority from postponed
"""

# PgQueuer notes each time that a job is queued and each time that it is picked. One that was picked
# more often than queued was under way when its worker died, fell silent, or lost the database.
_COUNT_CRASHES = """
with crashed as (
    select job_id, count(*) filter (where status = 'picked')
        - count(*) filter (where status = 'queued') as crashes
    from pgqueuer.pgqueuer_log
    where job_id = any($1::bigint[]) and status in ('picked', 'queued')
    group by job_id
), counted as (
    update pgqueuer.pgqueuer j
    set attempts = j.attempts + c.crashes,
        status = case when j.attempts + c.crashes < t.tries then j.status else 'failed' end,
        queue_manager_id =
            case when j.attempts + c.crashes < t.tries then j.queue_manager_id end,
        updated = now()
    from crashed c, unnest($2::text[], $3::int[]) as t (entrypoint, tries)
    where j.id = c.job_id and c.crashes > 0 and t.entrypoint = j.entrypoint
        and j.status = 'picked'
    returning j.id, j.entrypoint, j.priority, j.status, j.attempts, c.crashes
), noted as (
    insert into pgqueuer.pgqueuer_log (job_id, status, entrypoint, priority, traceback)
    select id, case status when 'failed' then status else 'queued' end, entrypoint, priority,
        jsonb_build_object(
            'job_id', id, 'timestamp', now(), 'exception_type', 'WorkerLost',
            'exception_message', 'WorkerLost: its worker ended or fell silent in the middle of it',
            'traceback', '', 'additional_context', null
        )
    from counted cross join generate_series(1, crashes)
)
select id, attempts, status::text from counted
"""


class Postponed(RetryRequested):
    """A job is put off, or handed back by a worker that stops: it did not fail."""


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job to be queued; of two with one `key` that wait or run, the second is left out."""

    key: UUID
    topic: str
    subject_id: UUID


@dataclasses.dataclass
class JobQueries(Queries):
    """What the queue of one worker asks of the database; `tries` is per topic."""

    tries: Mapping[str, int] = dataclasses.field(default_factory=dict)

    async def dequeue(
        self,
        batch_size: int,
        entrypoints: dict[QueueEntrypoint, EntrypointExecutionParameter],
        queue_manager_id: QueueManagerId,
        global_concurrency_limit: int | None,
        heartbeat_timeout: timedelta,
    ) -> list[Job]:
        """Jobs to run now. A worker lost with a job counts as a failure of the job.

        Otherwise one that kills its worker would be tried for ever.
        """
        jobs = await super().dequeue(
            batch_size, entrypoints, queue_manager_id, global_concurrency_limit, heartbeat_timeout
        )
        return await self._count_crashes(jobs) if jobs else jobs

    async def _count_crashes(self, jobs: list[Job]) -> list[Job]:
        rows = await self.driver.fetch(
            _COUNT_CRASHES,
            [job.id for job in jobs],
            list(self.tries),
            list(self.tries.values()),
        )
        crashed = {row["id"]: row for row in rows}
        for row in rows:
            _log.warning("job_abandoned", job_id=row["id"], failures=row["attempts"])
        held = {job_id for job_id, row in crashed.items() if row["status"] == "failed"}
        return [
            job.model_copy(update={"attempts": crashed[job.id]["attempts"]})
            if job.id in crashed
            else job
            for job in jobs
            if job.id not in held
        ]

    async def retry_job(
        self, job: Job, delay: timedelta, traceback_record: TracebackRecord | None
    ) -> None:
        """Queue a job again; that it was put off does not count as a failure.

        If that cannot be done, the job falls free when its lease ends. It raises nothing, for to
        PgQueuer an error here would mean that the job has failed for good.
        """
        noted = None if traceback_record is None else traceback_record.model_dump(mode="json")
        is_failure = noted is None or noted["exception_type"] != Postponed.__name__
        try:
            if is_failure:
                await self.driver.execute(self.qbq.build_retry_job_query(), job.id, delay, noted)
            else:
                await self.driver.execute(_POSTPONE, job.id, delay)
        except Exception as error:  # noqa: BLE001  # a connection that is cut raises many things
            trace = None if isinstance(error, DATABASE_DOWN) else error
            _log.warning("job_not_requeued", job_id=job.id, job=job.entrypoint, exc_info=trace)
        else:
            await self.wake()

    async def log_jobs(self, job_status: list[JobEnd]) -> None:
        """Write down how jobs ended, and look for more.

        PgQueuer would delete a job whose task is cancelled; it did not run to its end, so it stays.
        """
        ended = [end for end in job_status if end[1] != "canceled"]
        await self.driver.execute(
            self.qbq.build_log_job_query(),
            [job.id for job, _, _ in ended],
            [status for _, status, _ in ended],
            # Our connections encode JSON themselves.
            [None if noted is None else noted.model_dump(mode="json") for _, _, noted in ended],
        )
        await self.wake()

    async def wake(self) -> None:
        """Have the queue of this process look for jobs now."""
        assert isinstance(self.driver, PollingDriver)
        await self.driver.wake()

    async def insert_jobs(self, conn: Connection, jobs: Sequence[NewJob]) -> None:
        """Queue jobs in the transaction of `conn`."""
        await conn.fetch(
            self.qbq.build_enqueue_query("skip"),
            [0] * len(jobs),
            [job.topic for job in jobs],
            [str(job.subject_id).encode() for job in jobs],
            [timedelta(0)] * len(jobs),
            [str(job.key) for job in jobs],
            [None] * len(jobs),
        )


def job_queries(db: Database, tries: Mapping[str, int]) -> JobQueries:
    """What a worker's queue needs; `tries` says after how many failures a topic's job is held."""
    names = TableNames(db_schema=SCHEMA)
    return JobQueries(
        PollingDriver(db.pool),
        qbe=QueryBuilderEnvironment(names),
        qbq=QueryQueueBuilder(names),
        qbs=QuerySchedulerBuilder(names),
        tries=tries,
    )
