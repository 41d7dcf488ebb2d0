"""The worker, as a process and under faults: it goes on whatever happens, and stops in time."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from structlog.testing import capture_logs

import fieldfare
from fieldfare.cli import scheduler
from fieldfare.db import embedded
from fieldfare.db.migrate import migrate
from fieldfare.db.pool import Database, connection, open_database
from fieldfare.jobs import SCHEDULES, JobContext, Outcome, Schedule
from tests.support.databases import new_database
from tests.support.working import working

SOURCE = Path(fieldfare.__file__).parents[1]
WORKER = "import typer; from fieldfare.cli.worker import worker; typer.run(worker)"
EACH_SECOND = "* * * * * *"
START_PATIENCE_S = 60.0
STOP_PATIENCE_S = 8.0
RUN_PATIENCE_S = 60.0
CLOSE_PATIENCE_S = 7.0

StartWorker = Callable[[str | None], "subprocess.Popen[str]"]


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    """Starts `fieldfare worker` on a database; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(database_url: str | None) -> "subprocess.Popen[str]":
        env = {name: value for name, value in os.environ.items() if "DATABASE_URL" not in name}
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            cwd=SOURCE,
            env=env | ({"DATABASE_URL": database_url} if database_url else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def until(holds: Callable[[], bool], patience_s: float = START_PATIENCE_S) -> None:
    """Wait until something holds, and fail if that takes too long."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)


def has_ranking(url: str) -> bool:
    """Whether any account is ranked, as it is once the worker has started."""
    with psycopg.connect(url) as conn:
        return conn.execute("select 1 from impact.ranking").fetchone() is not None


def insert_wallet(url: str) -> None:
    """An account that a ranking shows."""
    with psycopg.connect(url) as conn:
        conn.execute("insert into ledger.wallet (account_id, certified_mg) values (1, 500)")


def schedule_names(url: str) -> set[str]:
    """What PgQueuer has been told to run."""
    with psycopg.connect(url) as conn:
        rows = conn.execute("select entrypoint from pgqueuer.pgqueuer_schedules").fetchall()
    return {row[0] for row in rows}


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_it_ranks_at_once_and_stops_when_asked(
    database_url: str, start_worker: StartWorker, signum: signal.Signals
) -> None:
    insert_wallet(database_url)
    process = start_worker(database_url)
    until(lambda: has_ranking(database_url))
    wanted = {schedule.name for schedule in SCHEDULES}
    until(lambda: schedule_names(database_url) == wanted)
    # Impatiently, as Ctrl-C in a terminal and a supervisor together are.
    deadline = time.monotonic() + STOP_PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        process.send_signal(signum)
        time.sleep(0.002)
    stdout, stderr = process.communicate(timeout=1)
    assert process.returncode == 0
    assert stderr == ""
    assert '"event": "worker_stopped"' in stdout
    assert database_url not in stdout


def refusal(process: "subprocess.Popen[str]") -> str:
    """The one line of a worker that cannot start."""
    stdout, stderr = process.communicate(timeout=START_PATIENCE_S)
    assert process.returncode == 1
    assert stdout == ""
    (line,) = stderr.splitlines()
    return line


def test_it_says_that_it_needs_a_database(start_worker: StartWorker) -> None:
    assert "DATABASE_URL is not set" in refusal(start_worker(None))


def test_it_does_not_start_on_another_schema(server_url: str, start_worker: StartWorker) -> None:
    with new_database(server_url, name="empty") as url:
        line = refusal(start_worker(url))
        assert "run `fieldfare migrate` first" in line


def test_it_does_not_start_without_a_server(start_worker: StartWorker) -> None:
    nowhere = f"postgresql://postgres:hidden@127.0.0.1:{embedded.free_port()}/fieldfare"
    line = refusal(start_worker(nowhere))
    assert "cannot be reached" in line
    assert "hidden" not in line


@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL])
def test_it_stops_when_asked_while_the_server_is_silent_or_dead(
    tmp_path: Path, start_worker: StartWorker, fault: signal.Signals
) -> None:
    server = embedded.start(tmp_path, embedded.free_port(), options={"fsync": "off"})
    postmaster = psutil.Process(server.pid)
    try:
        migrate(server.url)
        process = start_worker(server.url)
        assert process.stdout is not None
        assert "worker_started" in process.stdout.readline()
        until(lambda: "refresh_ranking" in schedule_names(server.url))
        parts = [postmaster, *postmaster.children(recursive=True)]
        for part in parts:
            part.send_signal(fault)
        process.terminate()
        process.communicate(timeout=STOP_PATIENCE_S + CLOSE_PATIENCE_S)
        assert process.returncode == 0
    finally:
        for part in (postmaster, *postmaster.children(recursive=True)):
            # What serves the killed worker ends as soon as it runs again.
            with contextlib.suppress(psutil.NoSuchProcess):
                part.resume()
        embedded.stop(server)


class Counter:
    """A job that counts its runs in the database, so that it needs one."""

    def __init__(self) -> None:
        self.runs = 0
        self.ran = asyncio.Event()

    async def __call__(self, ctx: JobContext) -> Outcome:
        """Run once."""
        async with connection(ctx.db) as conn:
            await conn.fetchval("select count(*) from impact.ranking")
        self.runs += 1
        self.ran.set()
        return {"runs": self.runs}


async def fail(_: JobContext) -> Outcome:
    """A job with a defect."""
    raise RuntimeError("a defect")


async def hang(_: JobContext) -> Outcome:
    """A job that never ends."""
    await asyncio.Event().wait()
    return {}


async def until_more_runs(counter: Counter, more: int = 2) -> None:
    """Wait until the job has run some more times.

    A schedule whose end could not be written down is free again after half a minute.
    """
    async with asyncio.timeout(RUN_PATIENCE_S):
        for _ in range(more):
            counter.ran.clear()
            await counter.ran.wait()
    await asyncio.sleep(0.3)


def each_second(name: str, run: Callable[[JobContext], Awaitable[Outcome]]) -> Schedule:
    """A schedule that a test need not wait long for."""
    return Schedule(name=name, cron=EACH_SECOND, run=run, limit_s=20)


async def test_a_job_that_fails_stops_no_other(db: Database) -> None:
    counter = Counter()
    with capture_logs() as logs:
        async with working(db, schedules=[each_second("bad", fail), each_second("good", counter)]):
            await until_more_runs(counter, 3)
    failures = [line for line in logs if line["event"] == "job_failed"]
    assert len(failures) >= 2
    assert {line["job"] for line in failures} == {"bad"}


async def test_a_job_that_hangs_stops_no_other_and_does_not_keep_the_worker(db: Database) -> None:
    counter = Counter()
    with capture_logs() as logs:
        async with working(
            db, schedules=[each_second("stuck", hang), each_second("good", counter)]
        ):
            await until_more_runs(counter)
            asked_at = time.monotonic()
    assert scheduler.DRAIN_S <= time.monotonic() - asked_at < STOP_PATIENCE_S
    assert "worker_cut_off" in [line["event"] for line in logs]
    # What was cut off is free again for the next worker.
    async with connection(db) as conn:
        states = await conn.fetch("select status::text from pgqueuer.pgqueuer_schedules")
    assert {row["status"] for row in states} == {"queued"}


async def test_it_goes_on_when_the_server_was_away(tmp_path: Path) -> None:
    port = embedded.free_port()
    server = await asyncio.to_thread(embedded.start, tmp_path, port, options={"fsync": "off"})
    counter = Counter()
    try:
        await asyncio.to_thread(migrate, server.url)
        db = await open_database(server.url, pool_size=5, application="tests")
        with capture_logs() as logs:
            async with working(db, schedules=[each_second("counted", counter)]):
                await until_more_runs(counter)
                await asyncio.to_thread(embedded.stop, server)
                await asyncio.sleep(4)
                server = await asyncio.to_thread(
                    embedded.start, tmp_path, port, options={"fsync": "off"}
                )
                await until_more_runs(counter)
        await db.close()
    finally:
        await asyncio.to_thread(embedded.stop, server)
    told = [line for line in logs if line["event"] == "worker_database_away"]
    assert all(line["log_level"] == "warning" and line["reason"] for line in told)
    for part in ("schedules", "relay", "queue"):
        assert [line["next_try_s"] for line in told if line["part"] == part][:2] == [0.5, 1.0]


async def test_connections_that_are_cut_are_replaced(db: Database) -> None:
    counter = Counter()
    async with working(db, schedules=[each_second("counted", counter)]):
        await until_more_runs(counter, 1)
        async with connection(db) as conn:
            await conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        await until_more_runs(counter)
