"""From a row of the outbox to a job that is done, put off, tried again or held, whoever dies."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import psutil
import psycopg
import pytest
from structlog.testing import capture_logs

import fieldfare
from fieldfare.db import held
from fieldfare.db.pool import Database, connection, transaction
from fieldfare.jobs import JobContext, Retry, Topic, TryLater
from tests.support.waiting import until
from tests.support.working import (
    IMPATIENT,
    QUICK,
    fetchval,
    tell_of,
    until_idle,
    working,
)

SOURCE = Path(fieldfare.__file__).parents[1]
BACKLOG = 10_000
DRAINED_WITHIN_S = 60.0
MEMORY_MB = 60
STATES = "select array_agg(status::text order by id) from pgqueuer.pgqueuer"


class Recorder:
    """A job that notes whom it ran for, after raising what it is told to."""

    def __init__(self, *raises: BaseException) -> None:
        self.raises = list(raises)
        self.ran_for: list[UUID] = []

    async def __call__(self, _: JobContext, subject_id: UUID) -> None:
        """Run once."""
        self.ran_for.append(subject_id)
        if self.raises:
            raise self.raises.pop(0)


async def hang(_: JobContext, __: UUID) -> None:
    """A job that never ends."""
    await asyncio.Event().wait()


async def test_what_is_told_of_is_done_once_and_logged(db: Database) -> None:
    seen = Recorder()
    with capture_logs() as logs:
        async with working(db, topics=[Topic(name="seen", run=seen)]):
            subject_id = await tell_of(db, "seen")
            await until_idle(db)
    assert seen.ran_for == [subject_id]
    (line,) = [line for line in logs if line["event"] == "job_done"]
    assert 0 <= line["duration_ms"] < 5_000


async def test_nothing_runs_before_it_is_due(db: Database) -> None:
    seen = Recorder()
    async with working(db, topics=[Topic(name="seen", run=seen)]):
        told_at = time.monotonic()
        await tell_of(db, "seen", delay=timedelta(seconds=1.2))
        await tell_of(db, "seen", delay=timedelta(hours=1))
        await until(lambda: has_run(seen))
        assert time.monotonic() - told_at > 1
    assert len(seen.ran_for) == 1
    assert await fetchval(db, "select count(*) from notifications.outbox") == 1


async def has_run(recorder: Recorder, times: int = 1) -> bool:
    """Whether a job ran so many times."""
    return len(recorder.ran_for) >= times


async def test_a_topic_that_nobody_knows_stays_and_is_told_of(db: Database) -> None:
    seen = Recorder()
    await tell_of(db, "of_a_newer_release")
    with capture_logs() as logs:
        async with working(db, topics=[Topic(name="seen", run=seen)]):
            await tell_of(db, "seen")
            await until(lambda: has_run(seen))
    (line,) = [line for line in logs if line["event"] == "outbox_unknown_topic"]
    assert (line["topic"], line["rows"], line["log_level"]) == (
        "of_a_newer_release", 1, "warning",
    )  # fmt: skip
    assert await fetchval(db, "select topic from notifications.outbox") == "of_a_newer_release"
    newer = Recorder()
    async with working(db, topics=[Topic(name="of_a_newer_release", run=newer)]):
        await until(lambda: has_run(newer))


async def test_a_job_that_fails_is_tried_again(db: Database) -> None:
    shaky = Recorder(RuntimeError("a defect"), ConnectionResetError("away"))
    with capture_logs() as logs:
        async with working(db, topics=[Topic(name="shaky", run=shaky, retry=IMPATIENT)]):
            subject_id = await tell_of(db, "shaky")
            await until_idle(db)
    assert shaky.ran_for == [subject_id] * 3
    failed = [line for line in logs if line["event"] == "job_failed"]
    assert [(line["failures"], line["reason"]) for line in failed] == [
        (1, "RuntimeError: a defect"),
        (2, "ConnectionResetError: away"),
    ]
    # Whose fault it is shows in whether there is a trace.
    assert [line["exc_info"] is None for line in failed] == [False, True]
    assert await fetchval(db, STATES) is None


async def test_a_poison_job_is_held_and_can_be_tried_again(db: Database) -> None:
    poison = Recorder(*[ValueError(f"no use for person@example.org, {n}") for n in range(1, 5)])
    with capture_logs() as logs:
        async with working(db, topics=[Topic(name="poison", run=poison, retry=IMPATIENT)]):
            subject_id = await tell_of(db, "poison")
            await until_idle(db)
            async with connection(db) as conn:
                (job,) = await held.list_held(conn)
                assert (job.topic, job.subject_id, job.failures) == ("poison", subject_id, 3)
                # An address in a list would outlive the erasure of its person.
                assert job.last_error == "ValueError: no use for [address], 3"
                assert await held.retry_held(conn, job.id)
                await until_idle(db)
                assert await held.list_held(conn) == []
                assert not await held.retry_held(conn, job.id)
    assert poison.ran_for == [subject_id] * 5
    assert "job_held" in [line["event"] for line in logs]
    kept = await fetchval(db, "select string_agg(traceback::text, ' ') from pgqueuer.pgqueuer_log")
    assert "[address]" in str(kept)
    assert "@example.org" not in str(kept)


async def test_a_job_that_is_put_off_does_not_fail(db: Database) -> None:
    once = Retry(tries=1)
    early = Recorder(*[TryLater(timedelta(seconds=0.05), "not yet") for _ in range(5)])
    with capture_logs() as logs:
        async with working(db, topics=[Topic(name="early", run=early, retry=once)]):
            await tell_of(db, "early")
            await until_idle(db)
    assert len(early.ran_for) == 6
    told = [line for line in logs if line["event"] == "job_later"]
    assert [(line["reason"], line["next_try_s"]) for line in told] == [("not yet", 0.05)] * 5
    assert await fetchval(db, STATES) is None


async def test_a_job_that_takes_too_long_is_cut_off(db: Database) -> None:
    slow = Topic(name="slow", run=hang, retry=Retry(tries=1), limit_s=0.3)
    async with working(db, topics=[slow]):
        await tell_of(db, "slow")
        await until_idle(db)
    async with connection(db) as conn:
        (job,) = await held.list_held(conn)
    assert job.last_error == "TimeoutError: it took longer than 0.3 s"


async def test_slow_and_poison_jobs_hold_up_no_other(db: Database) -> None:
    running, most = 0, 0

    async def slow(_: JobContext, __: UUID) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.Event().wait()

    quick, poison = Recorder(), Recorder(*[ValueError("no") for _ in range(1_000)])
    topics = [
        Topic(name="slow", run=slow, concurrency=3),
        Topic(name="poison", run=poison, retry=IMPATIENT),
        Topic(name="quick", run=quick, concurrency=2),
    ]
    for _ in range(60):
        await tell_of(db, "slow")
        await tell_of(db, "poison")
    with capture_logs():
        async with working(db, topics=topics) as stop:
            await until(lambda: has_run(poison))
            for _ in range(20):
                await tell_of(db, "quick")
            began_at = time.monotonic()
            await until(lambda: has_run(quick, 20))
            assert time.monotonic() - began_at < 5
            await until(lambda: has_run(poison, 180))
            stop.set()
    assert most == 3
    assert (
        await fetchval(db, "select count(*) from pgqueuer.pgqueuer where status = 'failed'") == 60
    )


async def test_what_runs_may_end_when_the_worker_is_asked_to_stop(db: Database) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def takes_a_second(_: JobContext, __: UUID) -> None:
        began.set()
        await asyncio.sleep(1)
        ended.set()

    async with working(db, topics=[Topic(name="long", run=takes_a_second, concurrency=1)]):
        await tell_of(db, "long")
        await tell_of(db, "long")
        await began.wait()
    assert ended.is_set()
    # The other one has not begun, and nothing is lost of it.
    left = await fetchval(
        db, "select (select count(*) from notifications.outbox) + count(*) from pgqueuer.pgqueuer"
    )
    assert left == 1


async def test_what_is_cut_off_at_the_stop_is_handed_back(db: Database) -> None:
    began = asyncio.Event()

    async def wait_for_ever(_: JobContext, __: UUID) -> None:
        began.set()
        await asyncio.Event().wait()

    seen = Recorder()
    with capture_logs() as logs:
        async with working(db, topics=[Topic(name="stuck", run=wait_for_ever)]):
            subject_id = await tell_of(db, "stuck")
            await began.wait()
            stopped_at = time.monotonic()
    assert QUICK.drain_s <= time.monotonic() - stopped_at < QUICK.drain_s + 2
    assert "job_handed_back" in [line["event"] for line in logs]
    assert await fetchval(db, STATES) == ["queued"]
    assert await fetchval(db, "select max(attempts) from pgqueuer.pgqueuer") == 0
    async with working(db, topics=[Topic(name="stuck", run=seen)]):
        await until_idle(db)
    assert seen.ran_for == [subject_id]


DYING = """
import asyncio, sys
from fieldfare.cli.runner import Pace
from fieldfare.cli.scheduler import work
from fieldfare.db.pool import open_database, connection
from fieldfare.jobs import JobContext, Topic
from fieldfare.settings import Settings

async def die(ctx, subject_id):
    print("began", flush=True)
    await asyncio.sleep(60)

async def main():
    db = await open_database(sys.argv[1], pool_size=5, application="dying")
    ctx = JobContext(db=db, settings=Settings())
    pace = Pace(poll_s=0.05, look_s=0.2, lease_s=2.0)
    await work(ctx, asyncio.Event(), schedules=(), topics=[Topic(name="fatal", run=die)], pace=pace)

asyncio.run(main())
"""


def die_with_a_job(database_url: str) -> None:
    """A worker that is killed while it runs a job."""
    process = subprocess.Popen(
        [sys.executable, "-c", DYING, database_url],
        cwd=SOURCE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        while "began" not in (line := process.stdout.readline()):
            assert line, "the worker ended by itself"
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


async def test_another_worker_takes_over_from_one_that_was_killed(
    db: Database, database_url: str
) -> None:
    subject_id = await tell_of(db, "fatal")
    await asyncio.to_thread(die_with_a_job, database_url)
    assert await fetchval(db, STATES) == ["picked"]
    seen = Recorder()
    with capture_logs() as logs:
        async with working(db, topics=[Topic(name="fatal", run=seen)]):
            await until_idle(db, within_s=10)
    assert seen.ran_for == [subject_id]
    (line,) = [line for line in logs if line["event"] == "job_abandoned"]
    assert line["failures"] == 1


async def test_a_job_that_kills_its_workers_is_held(db: Database, database_url: str) -> None:
    subject_id = await tell_of(db, "fatal")
    for _ in range(2):
        await asyncio.to_thread(die_with_a_job, database_url)
    seen = Recorder()
    async with working(db, topics=[Topic(name="fatal", run=seen, retry=Retry(tries=2))]):
        await until_idle(db, within_s=10)
    assert seen.ran_for == []
    async with connection(db) as conn:
        (job,) = await held.list_held(conn)
    assert (job.subject_id, job.failures) == (subject_id, 2)
    assert job.last_error.startswith("WorkerLost: its worker ended or fell silent")


async def cut_connections(url: str) -> None:
    """Cut every connection to a database, as a failover does."""
    conn = await asyncpg.connect(url)
    await conn.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    await conn.close()


async def test_jobs_outlive_connections_that_are_cut(db: Database, database_url: str) -> None:
    counted: dict[UUID, int] = {}

    async def count(ctx: JobContext, subject_id: UUID) -> None:
        await fetchval(ctx.db, "select pg_sleep(0.01)")
        counted[subject_id] = counted.get(subject_id, 0) + 1

    told = {await tell_of(db, "counted") for _ in range(300)}
    with capture_logs():
        async with working(db, topics=[Topic(name="counted", run=count)]):
            for _ in range(4):
                await cut_connections(database_url)
                # Afterwards, so that the test's own next look finds a fresh connection.
                await asyncio.sleep(0.3)
            await until_idle(db, within_s=40)
    assert set(counted) == told
    assert await fetchval(db, STATES) is None


async def test_a_backlog_drains_over_two_workers_in_bounded_memory(db: Database) -> None:
    counted: dict[UUID, int] = {}

    async def count(_: JobContext, subject_id: UUID) -> None:
        counted[subject_id] = counted.get(subject_id, 0) + 1

    async with transaction(db) as conn:
        await conn.execute(
            "select notifications.tell_v1(array_agg(gen_random_uuid()), array_agg('many'::text),"
            " array_agg(gen_random_uuid())) from generate_series(1, $1)",
            BACKLOG,
        )
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss
    many = [Topic(name="many", run=count)]
    with capture_logs():
        async with working(db, topics=many), working(db, topics=many):
            await until_idle(db, within_s=DRAINED_WITHIN_S)
    assert len(counted) == BACKLOG
    assert set(counted.values()) == {1}
    assert (process.memory_info().rss - before) / 2**20 < MEMORY_MB


@pytest.fixture
def held_job(database_url: str) -> int:
    """A job that is held, as a worker would leave it."""
    with psycopg.connect(database_url) as conn:
        row = conn.execute(
            "insert into pgqueuer.pgqueuer (priority, status, entrypoint, payload, dedupe_key)"
            " values (0, 'failed', 'poison', %s, 'k') returning id",
            [str(uuid4()).encode()],
        ).fetchone()
        assert row is not None
        conn.execute(
            "insert into pgqueuer.pgqueuer_log (job_id, status, priority, entrypoint, traceback)"
            """ values (%s, 'failed', 0, 'poison', '{"exception_message": "ValueError: no"}')""",
            row,
        )
    return int(row[0])


def run_jobs(database_url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`fieldfare jobs`."""
    program = "from fieldfare.cli.jobs import jobs_app; jobs_app(prog_name='fieldfare jobs')"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=SOURCE,
        env={**os.environ, "DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_operator_sees_what_is_held_and_what_waits(database_url: str, held_job: int) -> None:
    with psycopg.connect(database_url) as conn:
        conn.execute(
            "select notifications.tell_v1(array[gen_random_uuid()], array['unheard_of'],"
            " array[gen_random_uuid()])"
        )
        conn.execute(
            "insert into pgqueuer.pgqueuer (priority, status, entrypoint, attempts)"
            " values (0, 'queued', 'waits', 1), (0, 'picked', 'waits', 0)"
        )
    shown = run_jobs(database_url)
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert lines[0].startswith("waits: 1 waiting (1 after a failure), 1 running, the oldest since")
    assert lines[1].startswith("unheard_of: 1 in the outbox that this release knows no job for")
    assert lines[3].split()[0] == str(held_job)
    assert lines[3].endswith("ValueError: no")


def test_an_operator_tries_a_job_again(database_url: str, held_job: int) -> None:
    assert run_jobs(database_url, "retry", str(held_job)).returncode == 0
    with psycopg.connect(database_url) as conn:
        assert conn.execute("select status from pgqueuer.pgqueuer").fetchall() == [("queued",)]
    again = run_jobs(database_url, "retry", str(held_job))
    assert again.returncode == 1
    assert f"no job {held_job} is held" in again.stderr


def test_an_operator_drops_a_job_and_says_why(database_url: str, held_job: int) -> None:
    assert run_jobs(database_url, "drop", str(held_job)).returncode == 2
    assert run_jobs(database_url, "drop", str(held_job), "--reason", " ").returncode == 2
    dropped = run_jobs(database_url, "drop", str(held_job), "--reason", "Erased, ticket 81")
    assert dropped.returncode == 0, dropped.stderr
    with psycopg.connect(database_url) as conn:
        assert conn.execute("select 1 from pgqueuer.pgqueuer").fetchall() == []
        why = conn.execute(
            "select traceback ->> 'exception_message' from pgqueuer.pgqueuer_log"
            " where status = 'deleted'"
        ).fetchall()
    assert why == [("Erased, ticket 81",)]
    assert "No job is held." in run_jobs(database_url).stdout
