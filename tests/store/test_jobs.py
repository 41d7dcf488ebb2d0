"""The jobs and their tables: what each does to the database, and what PgQueuer finds there."""

import ast
import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

import fieldfare
from fieldfare import jobs
from fieldfare.db.pool import Database, connection, transaction
from fieldfare.db.queue import queue_queries
from fieldfare.impact.jobs import refresh_ranking_once
from fieldfare.jobs import JobContext, Outcome, Retry, Schedule, reason_of, rest_s, run_job
from tests.support.working import context
from tests.support.world import World

SOURCE = Path(fieldfare.__file__).parents[1]
TESTS = Path(__file__).parents[1]


async def test_pgqueuer_finds_the_schema_that_it_declares(db: Database) -> None:
    plan = await queue_queries(db).plan_upgrade()
    assert plan.statements == ()
    assert plan.notes == ()


@pytest.mark.parametrize(
    "change",
    [
        "drop index pgqueuer.pgqueuer_picked_slot_idx",
        "alter table pgqueuer.pgqueuer_schedules alter status drop default",
        "alter table pgqueuer.pgqueuer_log drop column traceback",
        "drop trigger tg_pgqueuer_changed on pgqueuer.pgqueuer",
        "create or replace function pgqueuer.fn_pgqueuer_changed() returns trigger"
        " language plpgsql as 'begin return null; end'",
    ],
)
async def test_pgqueuer_notices_another_schema(db: Database, change: str) -> None:
    async with connection(db) as conn:
        await conn.execute(change)
    assert (await queue_queries(db).plan_upgrade()).statements


async def test_the_environment_does_not_move_pgqueuers_tables(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PGQUEUER_SCHEMA", "PGQUEUER_PREFIX", "SCHEDULES_TABLE", "CHANNEL", "FUNCTION"):
        monkeypatch.setenv(name, "elsewhere")
    queries = queue_queries(db)
    assert queries.qbs.settings.qualified.schedules_table == "pgqueuer.pgqueuer_schedules"
    assert (await queries.plan_upgrade()).statements == ()


def test_nothing_but_a_worker_loads_pgqueuer() -> None:
    program = (
        "import sys, fieldfare.app, fieldfare.cli.main; print([m for m in sys.modules"
        " if m.split('.')[0] == 'pgqueuer'])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=SOURCE, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"


def test_names_of_schedules_are_unique() -> None:
    names = [schedule.name for schedule in jobs.SCHEDULES]
    assert len(set(names)) == len(names)


async def test_partitions_are_made_as_far_ahead_as_a_migration_makes_them(db: Database) -> None:
    count = "select count(*) from pg_inherits where inhparent = 'ledger.entry'::regclass"
    async with connection(db) as conn:
        before = await conn.fetchval(count)
        last = await conn.fetchval(
            "select max(inhrelid::regclass::text) from pg_inherits"
            " where inhparent = 'ledger.entry'::regclass and inhrelid::regclass::text ~ '[0-9]$'"
        )
        await conn.execute(f"drop table {last}")
        assert await conn.fetchval(count) == before - 1
        await jobs.make_partitions(context(db))
        assert await conn.fetchval(count) == before
        await jobs.make_partitions(context(db))
        assert await conn.fetchval(count) == before


async def insert_key(db: Database, hours_old: int, *, answered: bool, keys: int = 1) -> None:
    """Keys that were first sent `hours_old` hours ago."""
    async with connection(db) as conn:
        await conn.execute(
            "insert into http.idempotency_key"
            " select sha256(gen_random_uuid()::text::bytea), sha256(''), gen_random_uuid(),"
            " case when $2 then 200 end, case when $2 then ''::bytea end,"
            " now() - make_interval(hours => $1) from generate_series(1, $3)",
            hours_old,
            answered,
            keys,
        )


async def ages_of_keys(db: Database) -> list[tuple[int, bool]]:
    """Hours and whether it was answered, of every key that is left, youngest first."""
    async with connection(db) as conn:
        rows = await conn.fetch(
            "select round(extract(epoch from now() - created_at) / 3600)::int as hours,"
            " answer is not null as answered from http.idempotency_key order by created_at desc"
        )
    return [(row["hours"], row["answered"]) for row in rows]


async def test_only_old_answered_keys_are_forgotten(db: Database) -> None:
    for hours_old in (0, 24, 47, 49, 900):
        await insert_key(db, hours_old, answered=True)
    await insert_key(db, 900, answered=False)
    assert await jobs.forget_old_keys(context(db)) == {"keys_forgotten": 2}
    assert await ages_of_keys(db) == [(0, True), (24, True), (47, True), (900, False)]
    assert await jobs.forget_old_keys(context(db)) == {"keys_forgotten": 0}


async def test_more_old_keys_than_one_batch_are_forgotten_in_one_run(db: Database) -> None:
    many = 2 * jobs.KEYS_AT_ONCE + 1
    await insert_key(db, 50, answered=True, keys=many)
    await insert_key(db, 1, answered=True)
    assert await jobs.forget_old_keys(context(db)) == {"keys_forgotten": many}
    assert await ages_of_keys(db) == [(1, True)]


async def insert_wallet(db: Database, account_id: int, certified_mg: int) -> None:
    """An account with some mass."""
    async with connection(db) as conn:
        await conn.execute(
            "insert into ledger.wallet (account_id, certified_mg) values ($1, $2)",
            account_id,
            certified_mg,
        )


async def test_the_ranking_is_left_to_whoever_is_at_it(db: Database) -> None:
    await insert_wallet(db, 1, 500)
    async with transaction(db) as conn:
        # What another worker's refresh holds until it commits.
        await conn.execute("select pg_advisory_xact_lock(hashtextextended('impact.ranking', 0))")
        async with asyncio.timeout(5):
            assert await jobs.refresh_ranking(context(db)) == {"skipped": "another worker is at it"}
    assert await jobs.refresh_ranking(context(db)) == {"pages_changed": 1}


async def test_many_refreshes_at_once_neither_wait_nor_fail(db: Database) -> None:
    for account_id in range(1, 40):
        await insert_wallet(db, account_id, account_id)
    changed = await asyncio.gather(*(refresh_ranking_once(db) for _ in range(10)))
    assert sum(pages or 0 for pages in changed) == 1
    assert await refresh_ranking_once(db) == 0


async def fail(_: JobContext) -> Outcome:
    """A job with a defect."""
    raise RuntimeError("a defect")


async def hang(_: JobContext) -> Outcome:
    """A job that never ends."""
    await asyncio.Event().wait()
    return {}


def one(run: Callable[[JobContext], Awaitable[Outcome]]) -> Schedule:
    """A schedule of a test."""
    return Schedule(name="tried", cron="* * * * *", run=run, limit_s=0.2)


async def test_what_a_job_did_is_logged(db: Database) -> None:
    await insert_wallet(db, 1, 500)
    with capture_logs() as logs:
        await run_job(context(db), one(jobs.refresh_ranking))
    (line,) = logs
    assert 0 <= line.pop("duration_ms") < 5_000
    assert line == {
        "event": "job_done", "job": "tried", "pages_changed": 1, "log_level": "info",
    }  # fmt: skip


async def test_a_job_that_fails_is_logged_with_its_trace(db: Database) -> None:
    with capture_logs() as logs:
        await run_job(context(db), one(fail))
    (line,) = logs
    assert (line["event"], line["log_level"], line["exc_info"]) == ("job_failed", "error", True)


async def test_a_job_that_hangs_is_cut_off(db: Database) -> None:
    with capture_logs() as logs:
        await run_job(context(db), one(hang))
    (line,) = logs
    assert (line["event"], line["reason"]) == ("job_failed", "TimeoutError")


async def test_a_database_that_is_away_is_told_in_one_line(db: Database) -> None:
    await db.close()
    with capture_logs() as logs:
        await run_job(context(db), one(jobs.refresh_ranking))
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("job_failed", "warning")
    assert line["reason"] == "InterfaceError: pool is closed"


def test_a_job_rests_twice_as_long_after_each_failure() -> None:
    retry = Retry(first_s=1, longest_s=3_600)
    rests = [rest_s(retry, failures, 0) for failures in (1, 2, 3, 4, 12, 13, 1_000_000)]
    assert rests == [1, 2, 4, 8, 2_048, 3_600, 3_600]
    assert [rest_s(retry, failures, 1) for failures in (1, 4, 13)] == [0.8, 6.4, 2_880]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "ValueError"),
        ("two\n lines", "ValueError: two lines"),
        ("550 <ada.b+c@example.org>: unknown", "ValueError: 550 <[address]>: unknown"),
        ("to='ada@example.org', bcc=b@c", "ValueError: to='[address]', [address]"),
        ("x" * 1_000, "ValueError: " + "x" * 288),
    ],
)
def test_a_reason_is_short_and_names_nobody(text: str, reason: str) -> None:
    assert reason_of(ValueError(text)) == reason


async def insert_noted(db: Database, job_id: int, status: str, days_old: float) -> None:
    """A line of PgQueuer's log."""
    async with connection(db) as conn:
        await conn.execute(
            "insert into pgqueuer.pgqueuer_log (job_id, status, priority, entrypoint, created)"
            " values ($1, $2::text::pgqueuer.pgqueuer_status, 0, 'some', now() - $3::interval)",
            job_id,
            status,
            timedelta(days=days_old),
        )


async def test_the_queues_log_is_trimmed_of_jobs_that_are_long_done(db: Database) -> None:
    async with connection(db) as conn:
        waits = await conn.fetchval(
            "insert into pgqueuer.pgqueuer (priority, status, entrypoint)"
            " values (0, 'failed', 'some') returning id"
        )
    done, dropped, young = waits + 1, waits + 2, waits + 3
    for job_id in (waits, done):
        await insert_noted(db, job_id, "queued", 9)
        await insert_noted(db, job_id, "picked", 9)
    await insert_noted(db, dropped, "deleted", 900)
    await insert_noted(db, young, "successful", jobs.JOB_LOG_KEPT_DAYS - 0.1)
    assert await jobs.trim_job_log(context(db)) == {"rows_trimmed": 2}
    async with connection(db) as conn:
        left = await conn.fetch("select distinct job_id from pgqueuer.pgqueuer_log")
    assert {row["job_id"] for row in left} == {waits, dropped, young}
    assert await jobs.trim_job_log(context(db)) == {"rows_trimmed": 0}


async def test_what_is_built_from_tables_is_built_again(db: Database, world: World) -> None:
    assert world.team_id
    first = await jobs.build_public_feed(context(db))
    assert await jobs.build_public_feed(context(db)) == first
    assert int((await jobs.refresh_rates(context(db)))["rates_written"]) > 0
    assert (await jobs.refresh_rates(context(db)))["rates_written"] == 0


def all_jobs() -> set[str]:
    """The functions that run by a schedule or a topic."""
    runs = [schedule.run for schedule in jobs.SCHEDULES] + [topic.run for topic in jobs.TOPICS]
    return {str(getattr(run, "__name__", run)) for run in runs}


def runs_in_a_test(tree: ast.Module, job: str) -> int:
    """How often the test that calls a job most often calls it."""
    tests = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name.startswith("test_")
    ]
    return max((_calls(test, job) for test in tests), default=0)


def _calls(test: ast.AST, job: str) -> int:
    """Calls of `jobs.<name>`: functions further down may have the same name."""
    calls = [ast.unparse(node.func) for node in ast.walk(test) if isinstance(node, ast.Call)]
    return calls.count(f"jobs.{job}")


def test_every_job_is_run_twice_in_a_test() -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted(TESTS.rglob("test_*.py"))]
    untried = {
        job
        for job in all_jobs()
        if all(runs_in_a_test(ast.parse(text), job) < 2 for text in texts if f"jobs.{job}" in text)
    }
    assert untried == set()


@pytest.mark.parametrize(
    ("body", "runs"),
    [
        ("await jobs.settle(ctx)\n    await jobs.settle(ctx)", 2),
        ("await jobs.settle(ctx)\n    await service.settle(ctx)", 1),
        ("await jobs.settle(ctx)\n    settle", 1),
        ("await jobs.unsettle(ctx)", 0),
    ],
)
def test_a_job_that_is_run_once_is_seen(body: str, runs: int) -> None:
    assert runs_in_a_test(ast.parse(f"async def test_it():\n    {body}\n"), "settle") == runs
