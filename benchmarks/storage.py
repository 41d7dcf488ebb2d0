"""`python -m benchmarks.storage [ORDERS]`: what a stored order takes, table by table.

Orders from credits are placed by the product's own functions for a thousand accounts, each with a
key and its answer, in groups as under load. What the tables and each of their indexes have grown by
is divided by the number of orders. There is no limit to hold it against: it is for planning disks.
"""

import asyncio
import random
import signal
import sys
from datetime import UTC, datetime
from itertools import islice

import msgspec
import psycopg
from psycopg.rows import class_row

from benchmarks.customers import Customers, open_customers, settle
from benchmarks.figures import progress
from benchmarks.ordering import BODY
from benchmarks.refusal import BenchmarkRefused
from benchmarks.stage import Stage, database_stage, verify_books
from benchmarks.statement import draw_placing
from fieldfare.catalog.service import load_catalogue
from fieldfare.db.pool import connection, open_database
from fieldfare.http.idempotency import RequestKey
from fieldfare.orders import store
from fieldfare.orders.service.group_commit import MOST_TOGETHER

ORDERS = 20_000
ACCOUNTS = 1_000

# Months and their indexes count as the whole that they are parts of.
_SIZES = """
    with leaf as (
        select c.oid as own_id, coalesce(pg_partition_root(c.oid), c.oid)::regclass as whole
        from pg_class c
        where c.relkind = 'r' and c.relnamespace::regnamespace::text in (
            'accounts', 'http', 'ledger', 'notifications', 'orders', 'payments'
        )
    )
    select whole::text as table_name, '' as index_name, sum(pg_table_size(own_id))::bigint as size_b
    from leaf
    group by whole
    union all
    select l.whole::text, coalesce(pg_partition_root(i.indexrelid), i.indexrelid)::regclass::text,
        sum(pg_relation_size(i.indexrelid))::bigint
    from leaf l
    join pg_index i on i.indrelid = l.own_id
    group by 1, 2
"""


class Part(msgspec.Struct, frozen=True):
    """The size of a table, or of one of its indexes."""

    table_name: str
    index_name: str
    """Empty for the table itself."""
    size_b: int


class Growth(msgspec.Struct, frozen=True):
    """What orders have made of the disk: bytes for each order."""

    tables: dict[str, float]
    indexes: dict[str, dict[str, float]]
    """By table."""
    log: float
    """Of the write-ahead log."""


def measure(orders: int = ORDERS) -> Growth:
    """Place so many orders and see what grew; raises `BenchmarkRefused` if one was refused."""
    with database_stage() as stage:
        progress(f"storage: placing {orders} orders")
        customers = open_customers(stage.database_url, ACCOUNTS)
        before, log_before = _sizes(stage), _log_position(stage)
        asyncio.run(_place(stage, customers, orders))
        log_after = _log_position(stage)
        settle(stage.database_url)
        after = _sizes(stage)
        verify_books(stage.database_url)
    grown = {part: (size - before.get(part, 0)) / orders for part, size in after.items()}
    return Growth(
        tables={table: size for (table, index), size in grown.items() if not index and size > 0},
        indexes={
            table: {
                index: size
                for (of, index), size in grown.items()
                if of == table and index and size > 0
            }
            for table, index in grown
            if not index
        },
        log=(log_after - log_before) / orders,
    )


def _sizes(stage: Stage) -> dict[tuple[str, str], int]:
    with (
        psycopg.connect(stage.database_url) as conn,
        conn.cursor(row_factory=class_row(Part)) as rows,
    ):
        return {(part.table_name, part.index_name): part.size_b for part in rows.execute(_SIZES)}


def _log_position(stage: Stage) -> int:
    with psycopg.connect(stage.database_url) as conn:
        row = conn.execute("select pg_current_wal_insert_lsn() - '0/0'").fetchone()
    assert row is not None, "there is always a position"
    return int(row[0])


async def _place(stage: Stage, customers: Customers, orders: int) -> None:
    chance = random.Random(1)
    accounts = iter(chance.choices(customers.accounts, k=orders))
    db = await open_database(stage.database_url, pool_size=2, application="benchmark")
    try:
        catalogue = await load_catalogue(db, datetime.now(UTC))
        while together := list(islice(accounts, MOST_TOGETHER)):
            placings = []
            for account in together:
                placing = draw_placing(catalogue, account, BODY)
                key = RequestKey(chance.randbytes(32), chance.randbytes(32))
                placings.append(msgspec.structs.replace(placing, key=key))
            async with connection(db) as conn:
                verdicts = await store.place_on_credit(conn, placings)
            if any(verdict.balance_after_cents is None for verdict in verdicts):
                raise BenchmarkRefused(f"an order was refused: {verdicts}")
    finally:
        await db.close()


def table_of(growth: Growth) -> str:
    """The growth as a table in Markdown, largest first."""
    lines = ["| table | rows, bytes | indexes, bytes | which |", "|---|--:|--:|---|"]
    whole = {
        table: size + sum(growth.indexes[table].values()) for table, size in growth.tables.items()
    }
    for table in sorted(whole, key=lambda name: -whole[name]):
        indexes = growth.indexes[table]
        names = ", ".join(
            f"`{name.partition('.')[2]}` {size:.0f}" for name, size in indexes.items()
        )
        lines.append(
            f"| `{table}` | {growth.tables[table]:.0f} | {sum(indexes.values()):.0f} | {names} |"
        )
    rows = sum(growth.tables.values())
    lines.append(
        f"| all: {sum(whole.values()):.0f} | {rows:.0f} | {sum(whole.values()) - rows:.0f} | |"
    )
    lines.append(f"\nWrite-ahead log: {growth.log:.0f} bytes an order.")
    return "\n".join(lines)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(table_of(measure(int(sys.argv[1]) if len(sys.argv) > 1 else ORDERS)))
