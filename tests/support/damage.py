"""Damage to books, undone at the end, and the rows that `fieldfare verify` then names."""

import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from functools import partial
from inspect import signature
from typing import Any

from fieldfare.cli.checks import CHECKS
from fieldfare.db.pool import Connection
from fieldfare.kernel.findings import Finding

KEYS = {
    "catalog.price": ("project_id", "effective_at"),
    "catalog.weight": ("portfolio_id", "project_id"),
    "ledger.wallet": ("account_id",),
    "orders.refund_line": ("refund_id", "line_id"),
    "payments.balance_transaction": ("transaction_id",),
    "payments.dispute": ("dispute_id",),
}
"""What a row is named by, where it is not its `id`."""
AMOUNTS = "(_cents|_minor|_micro|_mg|_ppm)$|^(trees|rate|entry_count|number|price_revision)$"
BYTES = {"smallint": 2, "integer": 4, "bigint": 8, "numeric": 8}


async def findings(conn: Connection, page_rows: int | None = None) -> list[Finding]:
    """What all checks say; read in pages of so many rows where a check reads pages."""
    found: list[Finding] = []
    for _, check in CHECKS:
        in_pages: Any = check
        if page_rows is not None and "page_rows" in signature(check).parameters:
            in_pages = partial(in_pages, page_rows=page_rows)
        found += [finding async for finding in in_pages(conn)]
    return found


def names(found: Iterable[Finding]) -> set[tuple[str, str]]:
    """The rows that are named: table and key."""
    return {(finding.table, finding.key) for finding in found}


@asynccontextmanager
async def damaged(conn: Connection) -> AsyncIterator[None]:
    """A transaction without triggers, undone at the end; one may stand in another."""
    undone = conn.transaction()
    await undone.start()
    try:
        await conn.execute("set local session_replication_role = replica")
        yield
    finally:
        await undone.rollback()


async def drop_checks(conn: Connection, table: str) -> None:
    """Nothing but `verify` is to notice."""
    rows = await conn.fetch(
        "select conname from pg_constraint where conrelid = $1::text::regclass and contype = 'c'",
        table,
    )
    for row in rows:
        await conn.execute(f'alter table {table} drop constraint "{row["conname"]}"')


async def missed_bytes(
    conn: Connection, column: str, *, where: str = "true", rows_each: int = 1
) -> list[str]:
    """Turn every byte of a column, in as many rows each; gives what was not named."""
    rng = random.Random(column)
    table, _, name = column.rpartition(".")
    missed = []
    async with damaged(conn):
        await drop_checks(conn, table)
        rows = await rows_with(conn, table, name, where)
        width = BYTES[rows[0]["type"]]
        for place in range(width):
            for row in rng.sample(rows, rows_each):
                value = turned(row[name], place, width, rng)
                async with damaged(conn):
                    await write(conn, table, name, row, value)
                    named = names(await findings(conn))
                if (table, key_of(table, row)) not in named:
                    missed.append(
                        f"byte {place} of {key_of(table, row)}: {row[name]} became {value}"
                    )
    return missed


async def rows_with(conn: Connection, table: str, column: str, where: str) -> list[Any]:
    """The rows whose column can be turned: its keys and it."""
    keys = ", ".join(keys_of(table))
    rows = await conn.fetch(
        f"select {keys}, {column}, pg_typeof({column})::text as type"
        f" from {table} where {column} is not null and {where} order by {keys}"
    )
    assert rows
    return rows


def keys_of(table: str) -> tuple[str, ...]:
    """The columns that a row is named by."""
    return KEYS.get(table, ("id",))


def turned(value: int | Decimal, place: int, width: int, rng: random.Random) -> int | Decimal:
    """The value with one of its bytes changed, the lowest being place 0; a rate to ten decimals."""
    if isinstance(value, Decimal):
        return Decimal(int(value.scaleb(10)) ^ (rng.randrange(1, 128) << 8 * place)).scaleb(-10)
    raw = bytearray(value.to_bytes(width, "little", signed=True))
    raw[place] ^= rng.randrange(1, 256)
    return int.from_bytes(raw, "little", signed=True)


async def write(conn: Connection, table: str, column: str, row: Any, value: object) -> None:
    """Change one row, past every trigger and check."""
    keys = " and ".join(f"{key} = ${i}" for i, key in enumerate(keys_of(table), start=2))
    done = await conn.execute(
        f"update {table} set {column} = $1 where {keys}",
        value,
        *(row[key] for key in keys_of(table)),
    )
    assert done == "UPDATE 1"


def key_of(table: str, row: Any) -> str:
    """A row as a finding names it."""
    parts = ((key, row[key]) for key in keys_of(table))
    return " ".join(
        f"{key}={value.isoformat() if isinstance(value, datetime) else value}"
        for key, value in parts
    )
