"""`fieldfare verify`: of books that agree it says so, also beside a busy house."""

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import psycopg

from fieldfare.catalog.service import load_catalogue, set_price
from fieldfare.cli.checks import CHECKS
from fieldfare.db.pool import Connection, Database, connection, transaction
from fieldfare.kernel.findings import Finding
from fieldfare.orders import store
from tests.support.damage import findings
from tests.support.history import KG, TONNE
from tests.support.placing import order_of, placing
from tests.support.world import World

# --------------------------------------------------------------------------------- a clean sheet


async def test_books_that_agree_have_no_findings(conn: Connection) -> None:
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        for page_rows in (1, 2, 3, 1000):
            assert await findings(conn, page_rows) == []


async def test_an_empty_database_has_no_findings(db: Database) -> None:
    async with connection(db) as conn:
        assert await findings(conn, 1) == []


async def test_the_history_is_varied(conn: Connection) -> None:
    counts = await conn.fetchrow(
        """
        select count(distinct l.account_id) as buyers,
            count(distinct p.id) filter (where p.amount_cents < 100) as small,
            count(*) filter (where p.state = 'pending') as pending,
            count(*) filter (where l.kind = 'donation') as donations,
            count(distinct l.unit_price_micro) filter (where l.project_id = 1) as prices,
            (select min(amount_cents) from ledger.entry where kind = 'adjustment') as taken_back
        from orders.purchase p
        left join orders.line l on l.purchase_id = p.id
        """
    )
    assert counts is not None
    assert dict(counts) == {
        "buyers": 3,
        "small": 4,
        "pending": 1,
        "donations": 3,
        "prices": 2,
        "taken_back": -1234,
    }


# ------------------------------------------------------------------------- the price of an instant


async def verify_order_at(db: Database, world: World, *, minutes_late: float) -> list[Finding]:
    """What is found if an order goes by the price that held until so long before it."""
    now = datetime.now(UTC)
    change_at = now + timedelta(seconds=30)
    async with transaction(db) as conn:
        await set_price(conn, 1, 9_999_999_999, change_at, made_by="tests", reason="a test")
    outdated = await load_catalogue(db, now)
    order = order_of(outdated, world.team_id, TONNE, at=change_at + timedelta(minutes=minutes_late))
    async with connection(db) as conn:
        (verdict,) = await store.place_on_credit(conn, [placing(order)])
        assert verdict.balance_after_cents is not None
        return await findings(conn)


async def test_a_price_may_be_a_moment_old(db: Database, world: World) -> None:
    assert await verify_order_at(db, world, minutes_late=0.9) == []


async def test_a_price_of_yesterday_is_named(db: Database, world: World) -> None:
    found = await verify_order_at(db, world, minutes_late=1.1)
    messages = [f"{finding.table} {finding.message}" for finding in found]
    assert [text for text in messages if text.startswith("orders.purchase unit_price_cents is")]
    assert [text for text in messages if text.startswith("orders.line unit_price_micro is")]


# ------------------------------------------------------------------------------ beside a busy house


async def test_one_snapshot_agrees_while_orders_are_placed(db: Database, world: World) -> None:
    catalogue = await load_catalogue(db, datetime.now(UTC))
    stop = asyncio.Event()

    async def keep_ordering() -> int:
        placed = 0
        while not stop.is_set():
            async with connection(db) as conn:
                orders = [order_of(catalogue, world.team_id, KG), order_of(catalogue, 1002, KG)]
                await store.place_on_credit(conn, [placing(order) for order in orders])
            placed += 1
        return placed

    async def verify_often() -> list[Finding]:
        found: list[Finding] = []
        async with connection(db) as conn:
            for _ in range(8):
                async with conn.transaction(isolation="repeatable_read", readonly=True):
                    found += await findings(conn, 7)
        stop.set()
        return found

    placed, found = await asyncio.gather(keep_ordering(), verify_often())
    assert found == []
    assert placed > 8


# ---------------------------------------------------------------------------------- the command


def run_verify(database_url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "fieldfare.cli.main", "verify", *words],
        env=os.environ | {"DATABASE_URL": database_url},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_the_command_tells_of_books_that_agree_and_of_a_turned_byte(copy_url: str) -> None:
    clean = run_verify(copy_url)
    assert (clean.returncode, clean.stderr) == (0, "")
    lines = clean.stdout.splitlines()
    assert [line[:3] for line in lines] == ["  …", "  ✓"] * len(CHECKS) + ["The"]
    assert lines[-1] == "The books agree."
    with psycopg.connect(copy_url) as conn:
        conn.execute("set session_replication_role = replica")
        row = conn.execute(
            "update ledger.entry set balance_after_cents = balance_after_cents # 256"
            " where number = 2 and account_id = (select min(account_id) from orders.line)"
            " returning id"
        ).fetchone()
    assert row is not None
    damaged_books = run_verify(copy_url)
    assert damaged_books.returncode == 1
    assert f"  ✗ ledger.entry id={row[0]}: balance_after_cents is" in damaged_books.stdout
    assert "Stop paying out" in damaged_books.stdout.splitlines()[-1]


def test_the_help_has_an_example() -> None:
    told = run_verify("postgresql://nobody@127.0.0.1:1/none", "--help")
    assert told.returncode == 0
    assert "Example: fieldfare verify" in told.stdout
