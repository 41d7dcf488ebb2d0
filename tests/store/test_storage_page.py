"""The page on performance names every table and index that an order writes to."""

import re
from datetime import UTC, datetime
from pathlib import Path

from fieldfare.catalog.service import load_catalogue
from fieldfare.db.pool import Connection, Database, connection
from fieldfare.orders import store
from tests.support.placing import order_of, placing
from tests.support.world import World

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
ROW = re.compile(r"^\| `(\w+\.\w+)` \| (\d+) \| [\d,]+ \| [\d,]+ \| (.+) \|$", re.MULTILINE)
ORDERS = 3_000
TOGETHER = 60
MASS_MG = 10_000_000
SIZES = """
    select coalesce(pg_partition_root(c.oid), c.oid)::regclass::text as table_name,
        coalesce(pg_partition_root(x.oid), x.oid)::regclass::text as index_name,
        sum(pg_relation_size(x.oid))::bigint as size_b
    from pg_class c
    join pg_index i on i.indrelid = c.oid
    join pg_class x on x.oid = i.indexrelid
    where c.relkind = 'r' and c.relnamespace::regnamespace::text !~ '^pg_|information_schema'
    group by 1, 2
"""


def documented() -> dict[str, tuple[int, set[str]]]:
    """Of each table of the section: rows for an order, and the indexes that grow."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## Storage\n")[2].partition("\n## ")[0]
    return {
        table: (int(rows), set(re.findall(r"`(\w+)`", indexes)))
        for table, rows, indexes in ROW.findall(section)
    }


async def sizes(conn: Connection) -> dict[tuple[str, str], int]:
    """Bytes of every index, its months together, by table."""
    rows = await conn.fetch(SIZES)
    return {(row["table_name"], row["index_name"].partition(".")[2]): row["size_b"] for row in rows}


async def test_the_page_names_what_an_order_writes(db: Database, world: World) -> None:
    catalogue = await load_catalogue(db, datetime.now(UTC))
    numbers = iter(range(ORDERS))
    async with connection(db) as conn:
        before = await sizes(conn)
        counts = {table: await count(conn, table) for table in documented()}
        await conn.execute(
            "update ledger.wallet set balance_cents = 100000000 where account_id = $1",
            world.team_id,
        )
        for _ in range(ORDERS // TOGETHER):
            orders = [order_of(catalogue, world.team_id, MASS_MG) for _ in range(TOGETHER)]
            keyed = [placing(order, str(next(numbers))) for order in orders]
            verdicts = await store.place_on_credit(conn, keyed)
            assert None not in {verdict.balance_after_cents for verdict in verdicts}
        grown: dict[str, set[str]] = {}
        for (table, index), size in (await sizes(conn)).items():
            if size > before[table, index]:
                grown.setdefault(table, set()).add(index)
        rows = {table: await count(conn, table) - counts[table] for table in documented()}
    assert grown == {table: indexes for table, (_, indexes) in documented().items()}
    assert rows == {table: count * ORDERS for table, (count, _) in documented().items()}


async def count(conn: Connection, table: str) -> int:
    """The rows of a table."""
    number: int = await conn.fetchval(f"select count(*) from {table}")
    return number


async def test_the_page_adds_up() -> None:
    entries = sum(rows * len(indexes) for rows, indexes in documented().values())
    indexes = sum(len(indexes) for _, indexes in documented().values())
    assert (entries, indexes) == (28, 10)
    assert "28 entries in ten indexes" in PAGE.read_text(encoding="utf-8")
