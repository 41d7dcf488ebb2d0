"""The outbox and its relay, statement by statement: nothing is lost, and nothing doubled."""

import asyncio
import contextlib
from collections import Counter
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from fieldfare.cli import relay
from fieldfare.cli.relay import relay_due
from fieldfare.db.ids import new_id
from fieldfare.db.job_queue import JobQueries, NewJob, job_queries
from fieldfare.db.pool import Database, connection, transaction
from fieldfare.notifications.service import outbox
from tests.support.working import fetchval, tell_of

MANY = 4 * relay.ROWS_AT_ONCE


@pytest.fixture
def queries(db: Database) -> JobQueries:
    """A queue that runs nothing."""
    return job_queries(db, {})


async def queued(db: Database) -> Counter[tuple[str, UUID]]:
    """The jobs that wait, by topic and subject."""
    async with connection(db) as conn:
        rows = await conn.fetch(
            "select entrypoint, convert_from(payload, 'utf8') as subject_id"
            " from pgqueuer.pgqueuer where status = 'queued'"
        )
    return Counter((row["entrypoint"], UUID(row["subject_id"])) for row in rows)


async def rows_left(db: Database) -> object:
    """How many rows the outbox has."""
    return await fetchval(db, "select count(*) from notifications.outbox")


async def insert_rows(db: Database, topic: str, rows: int) -> set[UUID]:
    """Many rows that are due; gives their subjects."""
    subjects = [uuid4() for _ in range(rows)]
    async with transaction(db) as conn:
        await conn.execute(
            "select notifications.tell_v1($1::uuid[], array_agg($2::text), $3::uuid[])"
            " from generate_series(1, $4)",
            [new_id() for _ in subjects],
            topic,
            subjects,
            rows,
        )
    return set(subjects)


async def test_what_is_told_is_true_only_with_its_transaction(db: Database) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with transaction(db) as conn:
            await outbox.tell(conn, "seen", uuid4())
            assert await conn.fetchval("select count(*) from notifications.outbox") == 1
            raise ZeroDivisionError
    assert await rows_left(db) == 0
    async with transaction(db) as conn:
        await outbox.tell(conn, "seen", uuid4(), timedelta(minutes=1))
        async with connection(db) as other:
            assert await other.fetchval("select count(*) from notifications.outbox") == 0
    assert await fetchval(
        db, "select due_at - created_at = interval '1 minute' from notifications.outbox"
    )


async def test_what_is_due_and_known_becomes_jobs(db: Database, queries: JobQueries) -> None:
    subject_id = await tell_of(db, "seen")
    also_id = await tell_of(db, "heard")
    await tell_of(db, "seen", delay=timedelta(hours=1))
    await tell_of(db, "unknown")
    assert await relay_due(db, ["seen", "heard"], queries) == 2
    assert await queued(db) == {("seen", subject_id): 1, ("heard", also_id): 1}
    assert await rows_left(db) == 2
    assert await relay_due(db, ["seen", "heard"], queries) == 0


async def test_only_what_is_due_and_unknown_is_stranded(db: Database) -> None:
    await tell_of(db, "unknown")
    await tell_of(db, "unknown")
    await tell_of(db, "unknown_later", delay=timedelta(hours=1))
    await tell_of(db, "seen")
    async with connection(db) as conn:
        (topic,) = await outbox.list_stranded(conn, ["seen"])
        assert (topic.topic, topic.rows) == ("unknown", 2)
        assert await outbox.list_stranded(conn, ["seen", "unknown"]) == []
        assert len(await outbox.list_stranded(conn, [])) == 2


async def test_a_relay_that_fails_halfway_moves_nothing(db: Database, queries: JobQueries) -> None:
    subject_id = await tell_of(db, "seen")
    async with connection(db) as conn:
        await conn.execute("alter table pgqueuer.pgqueuer_log rename to elsewhere")
        with pytest.raises(asyncpg.UndefinedTableError):
            await relay_due(db, ["seen"], queries)
        assert await rows_left(db) == 1
        await conn.execute("alter table pgqueuer.elsewhere rename to pgqueuer_log")
    assert await relay_due(db, ["seen"], queries) == 1
    assert await queued(db) == {("seen", subject_id): 1}


async def test_a_row_that_comes_back_is_not_queued_twice(db: Database, queries: JobQueries) -> None:
    job = NewJob(key=new_id(), topic="seen", subject_id=uuid4())
    for _ in range(2):
        async with transaction(db) as conn:
            await queries.insert_jobs(conn, [job])
    assert await queued(db) == {("seen", job.subject_id): 1}


async def test_many_relays_at_once_move_each_row_once(db: Database, queries: JobQueries) -> None:
    subjects = await insert_rows(db, "seen", MANY)

    async def relay_all() -> int:
        moved = 0
        while now := await relay_due(db, ["seen"], queries):
            moved += now
        return moved

    moved = await asyncio.gather(*(relay_all() for _ in range(5)))
    assert sum(moved) == MANY
    assert await queued(db) == {("seen", subject_id): 1 for subject_id in subjects}


async def test_no_relay_waits_for_a_row_that_another_is_taking(
    db: Database, queries: JobQueries
) -> None:
    await tell_of(db, "seen")
    async with transaction(db) as conn:
        assert len(await outbox.take_due(conn, ["seen"], at_most=10)) == 1
        other_id = await tell_of(db, "seen")
        async with asyncio.timeout(5):
            assert await relay_due(db, ["seen"], queries) == 1
    assert await queued(db) == {("seen", other_id): 1}


async def test_the_longest_due_is_taken_first(db: Database) -> None:
    late, early = await tell_of(db, "seen"), await tell_of(db, "seen")
    async with transaction(db) as conn:
        await conn.execute(
            "update notifications.outbox set due_at = now() - interval '1 hour'"
            " where subject_id = $1",
            early,
        )
        (row,) = await outbox.take_due(conn, ["seen"], at_most=1)
        assert row.subject_id == early
        (row,) = await outbox.take_due(conn, ["seen"], at_most=1)
        assert row.subject_id == late
