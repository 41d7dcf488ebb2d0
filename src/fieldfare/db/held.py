"""What lies in PgQueuer's tables, as an operator and the house-keeping see it.

The tables are PgQueuer's own (the schema `pgqueuer`), so the statements stand here rather than
among our queries; `db.queue` runs the jobs. What must hold: nothing but a decision with a reason
takes a held job off the list, and that decision stays in PgQueuer's log.
"""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from fieldfare.db.pool import Connection

MOST_LISTED = 1_000

_LIST_HELD = """
select j.id, j.entrypoint as topic, convert_from(j.payload, 'utf8')::uuid as subject_id,
    (select count(*) from pgqueuer.pgqueuer_log l
        where l.job_id = j.id and l.traceback is not null) as failures,
    coalesce((select l.traceback ->> 'exception_message' from pgqueuer.pgqueuer_log l
        where l.job_id = j.id and l.traceback is not null
        order by l.created desc, l.id desc limit 1), '') as last_error,
    j.created as created_at, j.updated as held_at
from pgqueuer.pgqueuer j
where j.status = 'failed'
order by j.id
limit $1
"""

_LIST_WAITING = """
select entrypoint as topic, count(*) filter (where status = 'queued') as waiting,
    count(*) filter (where status = 'queued' and attempts > 0) as failing,
    count(*) filter (where status = 'picked') as running, min(created) as oldest_at
from pgqueuer.pgqueuer
where status in ('queued', 'picked')
group by entrypoint
order by entrypoint
"""

_COUNT_HELD = """
select entrypoint as topic, count(*) as held
from pgqueuer.pgqueuer
where status = 'failed'
group by entrypoint
"""

_RETRY_HELD = """
with freed as (
    update pgqueuer.pgqueuer
    set status = 'queued', attempts = 0, execute_after = now(), updated = now(),
        queue_manager_id = null
    where id = $1 and status = 'failed'
    returning id, entrypoint, priority
), noted as (
    insert into pgqueuer.pgqueuer_log (job_id, status, entrypoint, priority)
    select id, 'queued', entrypoint, priority from freed
)
select count(*) from freed
"""

_DROP_HELD = """
with dropped as (
    delete from pgqueuer.pgqueuer where id = $1 and status = 'failed'
    returning id, entrypoint, priority, convert_from(payload, 'utf8') as subject_id
), noted as (
    insert into pgqueuer.pgqueuer_log (job_id, status, entrypoint, priority, traceback)
    select id, 'deleted', entrypoint, priority, jsonb_build_object(
        'job_id', id, 'timestamp', now(), 'exception_type', 'Dropped',
        'exception_message', $2::text, 'traceback', '',
        'additional_context', jsonb_build_object('subject_id', subject_id)
    )
    from dropped
)
select count(*) from dropped
"""

# What was noted of a job that is still there is needed: its failures are counted by it.
_TRIM_LOG = """
with old as (
    select l.id from pgqueuer.pgqueuer_log l
    where l.created < now() - $1::interval and l.status <> 'deleted'
        and not exists (select from pgqueuer.pgqueuer j where j.id = l.job_id)
    order by l.created
    limit $2
), trimmed as (
    delete from pgqueuer.pgqueuer_log l using old where l.id = old.id returning 1
)
select count(*) from trimmed
"""


class HeldJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that failed too often, and waits for an operator."""

    id: int
    topic: str
    subject_id: UUID
    failures: int
    last_error: str
    created_at: datetime
    held_at: datetime


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """How many jobs of one topic there are."""

    topic: str
    waiting: int
    failing: int
    """Those among the waiting that failed before."""
    running: int
    oldest_at: datetime


async def list_held(conn: Connection, *, at_most: int = MOST_LISTED) -> list[HeldJob]:
    """Jobs that are held, oldest first."""
    return [HeldJob(**row) for row in await conn.fetch(_LIST_HELD, at_most)]


async def list_waiting(conn: Connection) -> list[Waiting]:
    """Every topic that has jobs which wait or run."""
    return [Waiting(**row) for row in await conn.fetch(_LIST_WAITING)]


async def retry_held(conn: Connection, job_id: int) -> bool:
    """Let a held job run again, with all its tries before it; False if no such job is held."""
    return bool(await conn.fetchval(_RETRY_HELD, job_id))


async def drop_held(conn: Connection, job_id: int, *, reason: str) -> bool:
    """Take a held job off the list for good; False if no such job is held."""
    return bool(await conn.fetchval(_DROP_HELD, job_id, reason))


async def trim_log(conn: Connection, *, older_than: timedelta, at_most: int) -> int:
    """Delete what was noted of jobs that are gone; gives the rows deleted.

    Why an operator dropped a job is kept.
    """
    trimmed: int = await conn.fetchval(_TRIM_LOG, older_than, at_most)
    return trimmed


async def count_held(conn: Connection) -> dict[str, int]:
    """How many jobs of each topic are held; those that have none are left out."""
    return {row["topic"]: row["held"] for row in await conn.fetch(_COUNT_HELD)}
