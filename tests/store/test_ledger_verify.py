"""Entries of every kind and the legs that belong to them: whatever is missing or wrong is named."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection, Database, connection, transaction
from fieldfare.ledger.model import Leg
from fieldfare.ledger.service.credits import adjust_credits
from fieldfare.ledger.service.posting import add_top_up, change_credits, take_back
from fieldfare.ledger.service.totals import (
    all_movements_of,
    find_movements,
    read_credits,
    read_journal_totals,
)
from fieldfare.ledger.service.verify import verify_ledger

ACCOUNT = 1001
CENT = 1_000_000


def leg(book: Any, cents: int) -> Leg:
    """In dollars."""
    return Leg(book=book, currency="USD", amount_micro=cents * CENT)


@pytest.fixture
async def conn(db: Database) -> AsyncIterator[Connection]:
    """Books with an entry of each kind but a deduction; what is damaged is undone."""
    async with transaction(db) as writing:
        await write_entries(writing)
    async with connection(db) as reading:
        undone = reading.transaction()
        await undone.start()
        await reading.execute("set local session_replication_role = replica")
        yield reading
        await undone.rollback()


async def write_entries(conn: Connection) -> None:
    """A top-up, a lost dispute of more than is left, a top-up that pays what is owed, a refund."""
    await add_top_up(conn, ACCOUNT, 500, against=[leg("processor", -500)], description="One")
    await take_back(
        conn,
        ACCOUNT,
        700,
        movement_id=new_id(),
        movement="dispute",
        against=[leg("disputes", 700)],
        description="Lost",
    )
    await add_top_up(conn, ACCOUNT, 900, against=[leg("processor", -900)], description="Two")
    await change_credits(
        conn,
        ACCOUNT,
        50,
        entry="refund",
        movement="refund",
        against=[leg("partners", -40), leg("margin", -10)],
        group_id=new_id(),
        description="Back",
    )
    await adjust_credits(conn, ACCOUNT, change_cents=25, reason="Goodwill")


async def found(conn: Connection, page_rows: int = 1000) -> list[str]:
    """What is named: a table with a row's key."""
    return sorted({f"{one.table} {one.key}" async for one in verify_ledger(conn, page_rows)})


async def entry_of(conn: Connection, kind: str, description: str) -> Any:
    """An entry with the id of its leg in credits."""
    row = await conn.fetchrow(
        "select e.id, j.id as leg from ledger.entry e join ledger.journal j"
        " on j.movement_id = e.id and j.book = 'credits'"
        " where e.kind = $1 and starts_with(e.description, $2)",
        kind,
        description,
    )
    assert row is not None, (kind, description)
    return row


KINDS = [
    ("top_up", "One"),
    ("refund", "Lost"),
    ("adjustment", "Taken for"),
    ("top_up", "Two"),
    ("refund", "Back"),
    ("adjustment", "Goodwill"),
]


async def test_entries_of_every_kind_agree_with_their_legs(conn: Connection) -> None:
    for page_rows in (1, 2, 1000):
        assert await found(conn, page_rows) == []
    # 500 - 500 + 900 - 200 + 50 + 25
    assert await read_journal_totals(conn) == {
        ("credits", "USD"): 775 * CENT,
        ("processor", "USD"): -1400 * CENT,
        ("disputes", "USD"): 700 * CENT,
        ("partners", "USD"): -40 * CENT,
        ("margin", "USD"): -10 * CENT,
        ("adjustments", "USD"): -25 * CENT,
        ("receivables", "USD"): 0,
        ("suspense", "USD"): 0,
    }
    assert (await read_credits(conn)).held_cents == 775


async def test_movements_are_summed_by_kind_and_book(conn: Connection) -> None:
    refunds = [page async for page in all_movements_of(conn, ["refund"], 1)]
    assert len(refunds) == 1
    totals = await find_movements(conn, [*refunds[0], new_id()])
    assert totals == {
        refunds[0][0]: {
            ("refund", "credits", "USD"): 50 * CENT,
            ("refund", "partners", "USD"): -40 * CENT,
            ("refund", "margin", "USD"): -10 * CENT,
        }
    }


@pytest.mark.parametrize(("kind", "description"), KINDS)
async def test_an_entry_without_its_leg_in_credits_is_named(
    conn: Connection, kind: str, description: str
) -> None:
    entry = await entry_of(conn, kind, description)
    # With the rest of its movement, so that no sum tells.
    await conn.execute("delete from ledger.journal where movement_id = $1", entry["id"])
    assert f"ledger.entry id={entry['id']}" in await found(conn)


@pytest.mark.parametrize(("kind", "description"), KINDS)
@pytest.mark.parametrize(
    "damage",
    [
        "update ledger.journal set account_id = 4711 where id = $1",
        "update ledger.journal set kind = 'tax' where id = $1",
        "update ledger.journal set book = 'margin' where id = $1",
        # Both sides alike, so that the movement still sums to zero.
        "update ledger.journal set amount_micro = 3 * amount_micro where movement_id ="
        " (select movement_id from ledger.journal where id = $1)",
        "update ledger.journal set currency = 'EUR' where movement_id ="
        " (select movement_id from ledger.journal where id = $1)",
        "delete from ledger.entry where id ="
        " (select movement_id from ledger.journal where id = $1)",
    ],
)
async def test_a_leg_in_credits_that_is_not_its_entrys_is_named(
    conn: Connection, kind: str, description: str, damage: str
) -> None:
    entry = await entry_of(conn, kind, description)
    await conn.execute(damage, entry["leg"])
    named = await found(conn)
    if "book = 'margin'" in damage:
        assert f"ledger.entry id={entry['id']}" in named
    else:
        assert f"ledger.journal id={entry['leg']}" in named


@pytest.mark.parametrize(
    ("where", "damage"),
    [
        ("kind = 'owed' and book = 'receivables'", "book = 'adjustments'"),
        ("kind = 'owed' and book = 'receivables'", "account_id = null"),
        ("kind = 'adjustment' and book = 'adjustments'", "book = 'receivables'"),
        ("kind = 'adjustment' and book = 'adjustments'", "book = 'suspense'"),
        ("kind = 'adjustment' and book = 'adjustments'", "account_id = 4711"),
        ("kind = 'dispute' and book = 'receivables'", "account_id = null"),
        ("kind = 'dispute' and book = 'disputes'", "book = 'adjustments'"),
    ],
)
async def test_a_leg_in_a_book_where_its_kind_does_not_belong_is_named(
    conn: Connection, where: str, damage: str
) -> None:
    row = await conn.fetchrow(f"update ledger.journal set {damage} where {where} returning id")
    assert row is not None
    assert f"ledger.journal id={row['id']}" in await found(conn)


async def test_a_credits_leg_of_nobodys_is_named(conn: Connection) -> None:
    leg_id, movement_id = new_id(), new_id()
    await conn.execute(
        "insert into ledger.journal select i, $3, 'top_up', b, $4, 'USD', a, '', now()"
        " from (values ($1::uuid, 'credits', 5), ($2, 'processor', -5)) as v (i, b, a)",
        leg_id, new_id(), movement_id, ACCOUNT,
    )  # fmt: skip
    assert await found(conn) == [f"ledger.journal id={leg_id}"]


async def test_a_deduction_with_legs_is_named(conn: Connection) -> None:
    entry = await entry_of(conn, "refund", "Lost")
    await conn.execute("update ledger.entry set kind = 'deduction' where id = $1", entry["id"])
    assert f"ledger.journal id={entry['leg']}" in await found(conn)
