"""The months to come: made by a job, one after the other, while orders are taken."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from structlog.testing import capture_logs

from fieldfare import jobs
from fieldfare.catalog.service import load_catalogue
from fieldfare.cli.checks import CHECKS
from fieldfare.db import partitions
from fieldfare.db.partitions import LEAST_DAYS_AHEAD, MONTHS_AHEAD, PATIENCE_MS, verify_partitions
from fieldfare.db.pool import Connection, Database, connection, open_database, transaction
from fieldfare.kernel.errors import HeldUp
from fieldfare.kernel.ids import floor_id
from fieldfare.orders import store
from tests.support.placing import id_at, order_of, placing
from tests.support.working import context
from tests.support.world import World

TONNE = 1_000_000_000
PLACE_OF = "select tableoid::regclass::text from orders.purchase where id = $1"
CHILDREN = (
    "select inhrelid::regclass::text from pg_inherits join db.partitioned"
    " on inhparent = parent::regclass"
)


def months_on(months: int) -> datetime:
    """The middle of the month that is so many months from now."""
    now = datetime.now(UTC)
    years, month = divmod(now.month - 1 + months, 12)
    return datetime(now.year + years, month + 1, 15, tzinfo=UTC)


async def place_at(db: Database, world: World, at: datetime) -> str:
    """Place an order as of an instant; gives the partition of its purchase."""
    catalogue = await load_catalogue(db, datetime.now(UTC))
    order = order_of(catalogue, world.team_id, TONNE // 100, at=at)
    async with connection(db) as conn:
        (verdict,) = await store.place_on_credit(conn, [placing(order)])
        assert verdict.balance_after_cents is not None
        return str(await conn.fetchval(PLACE_OF, order.id))


async def partition_of_a_copy(conn: Connection, table: str, at: datetime) -> str:
    """Where a copy of one of the table's rows lies under an id of an instant."""
    found = await conn.fetchval(
        f"insert into {table} select (jsonb_populate_record(r, jsonb_build_object('id', $1::uuid))"
        f").* from {table} r limit 1 returning tableoid::regclass::text",
        id_at(at),
    )
    return str(found)


async def children(conn: Connection) -> set[str]:
    """The partitions that are attached."""
    return {str(row[0]) for row in await conn.fetch(CHILDREN)}


async def loose_tables(conn: Connection) -> list[str]:
    """Tables that are named like a month and attached to nothing."""
    rows = await conn.fetch(
        "select c.oid::regclass::text from pg_class c where c.relkind = 'r'"
        " and c.relname ~ '_[0-9]{4}_[0-9]{2}$' and not c.relispartition"
    )
    return [str(row[0]) for row in rows]


async def drop_months(db: Database, parents: str, least: str) -> int:
    """Drop the months from `least` on of the tables that match; gives how many there were."""
    async with transaction(db) as conn:
        gone = [
            child
            for child in await children(conn)
            if child.startswith(parents) and child[-7:].replace("_", "-") >= least
            and not child.endswith("_first")
        ]  # fmt: skip
        for child in gone:
            await conn.execute(f"drop table {child}")
    return len(gone)


async def test_an_order_of_each_month_to_come_has_its_partition(db: Database, world: World) -> None:
    await place_at(db, world, datetime.now(UTC))
    for at in (months_on(months) for months in range(1, MONTHS_AHEAD + 1)):
        assert await place_at(db, world, at) == f"orders.purchase_{at:%Y_%m}"
        async with transaction(db) as conn:
            for table in ("orders.line", "ledger.entry"):
                assert await partition_of_a_copy(conn, table, at) == f"{table}_{at:%Y_%m}"


async def test_a_year_later_there_are_months_for_one_more_year(db: Database, world: World) -> None:
    in_two_years = months_on(24)
    with pytest.raises(asyncpg.CheckViolationError, match="no partition of relation"):
        await place_at(db, world, in_two_years)
    for makes_some in (True, False):
        # What the job asks for once a year has gone by.
        async with transaction(db) as conn:
            made = await partitions.make_partitions(conn, MONTHS_AHEAD + 12)
        assert (made != 0) == makes_some
    found = await place_at(db, world, in_two_years)
    assert found == f"orders.purchase_{in_two_years:%Y_%m}"


async def test_a_row_without_a_month_is_refused_and_lies_nowhere(db: Database) -> None:
    async with connection(db) as conn:
        assert await conn.fetchval("select bool_and(partdefid = 0) from pg_partitioned_table")
        with pytest.raises(asyncpg.CheckViolationError, match="no partition of relation"):
            await conn.execute(
                "insert into orders.party (purchase_id) values ($1)", floor_id(months_on(240))
            )


async def test_workers_at_once_make_each_partition_once(db: Database, database_url: str) -> None:
    missing = await drop_months(db, "", f"{months_on(3):%Y-%m}")
    assert missing
    other = await open_database(database_url, pool_size=4, application="tests")
    try:
        outcomes = await asyncio.gather(
            *(jobs.make_partitions(context(one)) for one in (db, other, db, other))
        )
    finally:
        await other.close()
    assert sum(int(outcome["partitions_made"]) for outcome in outcomes) == missing
    assert (await jobs.make_partitions(context(db))) == {"partitions_made": 0}
    async with connection(db) as conn:
        assert await loose_tables(conn) == []


async def test_what_is_made_meanwhile_is_left_to_whoever_makes_it(db: Database) -> None:
    async with transaction(db) as rival:
        assert await partitions.make_partitions(rival, 0) == 0
        assert await jobs.make_partitions(context(db)) == {
            "partitions_made": 0,
            "skipped": "another worker is at it",
        }


@asynccontextmanager
async def held(db: Database, table: str) -> AsyncIterator[None]:
    """Hold what `analyze`, or an index that is built beside its writers, holds of a table."""
    async with transaction(db) as conn:
        await conn.execute(f"lock table {table} in share update exclusive mode")
        yield


async def test_a_table_that_is_held_delays_no_order_and_leaves_nothing_half_made(
    db: Database, world: World
) -> None:
    missing = await drop_months(db, "", f"{months_on(5):%Y-%m}")
    async with held(db, "orders.line"):
        job = asyncio.create_task(jobs.make_partitions(context(db)))
        began_at = time.monotonic()
        placed = 0
        while not job.done():
            await place_at(db, world, datetime.now(UTC))
            placed += 1
        waited_s = time.monotonic() - began_at
        with pytest.raises(HeldUp):
            await job
    # The first month that is missing is waited for; with one order at a time, many get past it.
    assert waited_s < 5 * PATIENCE_MS / 1000
    assert placed > 5
    async with connection(db) as conn:
        assert await loose_tables(conn) == []
    assert await jobs.make_partitions(context(db)) == {"partitions_made": missing}
    assert await jobs.make_partitions(context(db)) == {"partitions_made": 0}


async def test_months_are_made_while_an_order_is_being_written(db: Database, world: World) -> None:
    missing = await drop_months(db, "", f"{months_on(5):%Y-%m}")
    catalogue = await load_catalogue(db, datetime.now(UTC))
    order = placing(order_of(catalogue, world.team_id, TONNE))
    async with transaction(db) as conn:
        await store.place_on_credit(conn, [order])
        place = await conn.fetchval(PLACE_OF, order.order.id)
        assert place.startswith("orders.purchase_")
        assert await jobs.make_partitions(context(db)) == {"partitions_made": missing}
    async with connection(db) as conn:
        assert await conn.fetchval(PLACE_OF, order.order.id) == place


async def findings(db: Database) -> list[tuple[str, str]]:
    """What `fieldfare verify` says of partitions: table and instant."""
    async with connection(db) as conn:
        return [(found.table, found.key) async for found in verify_partitions(conn)]


def test_verify_looks_at_partitions() -> None:
    assert verify_partitions in [check for _, check in CHECKS]


async def test_fewer_days_than_there_should_be_are_told_until_they_are_made(db: Database) -> None:
    assert await findings(db) == []
    soon = datetime.now(UTC) + timedelta(days=LEAST_DAYS_AHEAD)
    just_enough = months_on((soon.year - datetime.now(UTC).year) * 12 + soon.month
                            - datetime.now(UTC).month + 1)  # fmt: skip
    assert await drop_months(db, "orders.line", f"{just_enough:%Y-%m}")
    assert await findings(db) == []
    assert await drop_months(db, "orders.line", f"{soon:%Y-%m}") == 1
    told = [("orders.line", f"at={soon:%Y-%m}-01T00:00:00.000Z")]
    assert await findings(db) == told
    with capture_logs() as logs:
        await jobs.make_partitions(context(db))
    assert [(line["event"], line["log_level"], line["table"]) for line in logs] == [
        ("partitions_run_out", "error", "orders.line")
    ]
    assert await findings(db) == []
    with capture_logs() as logs:
        await jobs.make_partitions(context(db))
    assert logs == []


DAMAGES: dict[str, Callable[[str], str]] = {
    "detached": lambda month: f"alter table ledger.entry detach partition ledger.entry_{month}",
    "dropped in between": lambda month: f"drop table ledger.entry_{month}",
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_gap_is_told_although_later_months_are_there(db: Database, damage: str) -> None:
    gap = months_on(2)
    async with connection(db) as conn:
        await conn.execute(DAMAGES[damage](f"{gap:%Y_%m}"))
    assert await findings(db) == [("ledger.entry", f"at={gap:%Y-%m}-01T00:00:00.000Z")]
