"""After a run of mixed operations in three currencies the books agree with the processor's record.

`make test` runs a few hundred, `make chaos` five thousand. Then one byte is turned in each amount
on the processor's side, and `fieldfare verify` must name the row.
"""

import random

import pytest

from fieldfare.cli.checks import CHECKS
from fieldfare.db.pool import Connection, Database, connection
from tests.support.books import books_of, strict_findings
from tests.support.cards import CardShop
from tests.support.mixed_operations import CURRENCIES, KINDS, MixedRun

OPERATIONS = 300
MANY_OPERATIONS = 5_000
RARE = {"other settlement", "charge past us", "lost answer", "declined"}
PROCESSOR_SIDE = (
    ("payments.payment", "amount_minor", "state = 'succeeded'"),
    ("payments.top_up", "amount_cents", "state = 'paid'"),
    ("payments.refund", "amount_minor", "state = 'succeeded'"),
    ("payments.dispute", "amount_minor", "true"),
    ("payments.balance_transaction", "amount_minor", "true"),
    ("payments.balance_transaction", "fee_minor", "true"),
    ("payments.balance_transaction", "net_minor", "true"),
    ("payments.balance_transaction", "source_minor", "source_minor is not null"),
    ("ledger.journal", "amount_micro", "book = 'processor'"),
)
"""Tables, their amounts, and rows that say something."""


@pytest.fixture
def shop(own_shop: CardShop) -> CardShop:
    """A shop of the run's own."""
    return own_shop


def check_run(shop: CardShop, seed: int, operations: int) -> MixedRun:
    """A run, after which nothing differs, and nothing that is turned goes unnoticed."""
    run = MixedRun(shop, seed)
    run.run(operations)
    assert strict_findings(shop) == []
    assert {currency for _, currency in books_of(shop)} == set(CURRENCIES)
    for place in PROCESSOR_SIDE:
        check_turned_byte(shop, run.chance, *place)
    assert strict_findings(shop) == []
    return run


def check_turned_byte(
    shop: CardShop, chance: random.Random, table: str, column: str, where: str
) -> None:
    """One byte turned in an amount names its row."""
    found, row = shop.stage.do(lambda db, _: turn_a_byte(db, chance, table, column, where))
    assert [one for one in found if one.startswith(f"{table} {row}:")], (column, row, found)


async def turn_a_byte(
    db: Database, chance: random.Random, table: str, column: str, where: str
) -> tuple[list[str], str]:
    """What is found with one byte of a row turned, and that row's key; then it is undone."""
    async with connection(db) as conn:
        undone = conn.transaction()
        await undone.start()
        try:
            await conn.execute("set local session_replication_role = replica")
            key = await drop_checks(conn, table)
            keys = await conn.fetch(f"select {key} as key from {table} where {where} order by 1")
            chosen = chance.choice(keys)["key"]
            mask = chance.randrange(1, 128) << 8 * chance.randrange(8)
            await conn.execute(
                f"update {table} set {column} = {column} # $1 where {key} = $2", mask, chosen
            )
            found = [str(finding) for _, check in CHECKS async for finding in check(conn)]
        finally:
            await undone.rollback()
    return found, f"{key}={chosen}"


async def drop_checks(conn: Connection, table: str) -> str:
    """Nothing but `verify` is to notice; gives the column that is the table's key."""
    rows = await conn.fetch(
        "select conname, contype = 'c' as is_check, (select attname from pg_attribute"
        " where attrelid = conrelid and attnum = conkey[1]) as attname from pg_constraint"
        " where conrelid = $1::text::regclass and contype in ('c', 'p')",
        table,
    )
    for row in rows:
        if row["is_check"]:
            await conn.execute(f'alter table {table} drop constraint "{row["conname"]}"')
    return str(next(row["attname"] for row in rows if not row["is_check"]))


def test_the_books_agree_with_the_processor(shop: CardShop) -> None:
    run = check_run(shop, 1, OPERATIONS)
    assert set(KINDS) - set(run.counts) <= RARE


@pytest.mark.long
def test_the_books_agree_after_many_operations(shop: CardShop) -> None:
    run = check_run(shop, 2, MANY_OPERATIONS)
    assert set(KINDS) <= set(run.counts)
