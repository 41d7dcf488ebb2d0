"""Wallets, entries and adjustments in a real database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection, Database, connection, open_database, transaction
from fieldfare.http.principal import Principal
from fieldfare.kernel.errors import ProblemError
from fieldfare.ledger.errors import AdjustmentRefused
from fieldfare.ledger.model import Wallet
from fieldfare.ledger.service.credits import LiveCreditDesk, adjust_credits, get_wallet
from fieldfare.ledger.service.verify import verify_ledger
from tests.support.databases import new_database

ACCOUNT, OTHER = 7001, 7002
MOST_CENTS = 1_000_000_000_000


@pytest.fixture(scope="module")
def ledger_url(server_url: str, template: str) -> Iterator[str]:
    """One database for this module's tests."""
    with new_database(server_url, template=template, name="ledger") as url:
        yield url


@pytest.fixture
async def db(ledger_url: str) -> AsyncIterator[Database]:
    """Its ledger, empty."""
    database = await open_database(ledger_url, pool_size=10, application="tests")
    try:
        async with connection(database) as conn:
            await conn.execute("truncate ledger.wallet, ledger.entry, ledger.journal")
        yield database
    finally:
        await database.close()


async def adjust(db: Database, change_cents: int, account_id: int = ACCOUNT) -> int:
    """An adjustment in a transaction of its own; gives the balance."""
    async with transaction(db) as conn:
        _, balance = await adjust_credits(
            conn, account_id, change_cents=change_cents, reason=f"By {change_cents}"
        )
        return balance


async def wallet(db: Database, account_id: int = ACCOUNT) -> Wallet:
    """What an account holds."""
    async with connection(db) as conn:
        return await get_wallet(conn, account_id)


async def rows(db: Database, sql: str) -> list[tuple[Any, ...]]:
    """What a query gives."""
    async with connection(db) as conn:
        return [tuple(row) for row in await conn.fetch(sql)]


async def assert_books_agree(db: Database) -> None:
    """Nothing to find for `fieldfare verify`."""
    async with connection(db) as conn:
        assert [finding async for finding in verify_ledger(conn)] == []


# ---------------------------------------------------------------------------------- adjustments


async def test_an_account_without_a_wallet_holds_nothing(db: Database) -> None:
    assert await wallet(db) == Wallet(account_id=ACCOUNT)


async def test_the_first_credit_makes_the_wallet(db: Database) -> None:
    assert await adjust(db, 500) == 500
    assert await wallet(db) == Wallet(account_id=ACCOUNT, balance_cents=500, entry_count=1)
    assert await wallet(db, OTHER) == Wallet(account_id=OTHER)


async def test_adjustments_go_up_and_down_to_zero(db: Database) -> None:
    assert [await adjust(db, cents) for cents in (500, -120, 1, -381)] == [500, 380, 381, 0]
    entries = "select number, kind, amount_cents, balance_after_cents, group_id, description"
    assert await rows(db, f"{entries} from ledger.entry order by number") == [
        (1, "adjustment", 500, 500, None, "By 500"),
        (2, "adjustment", -120, 380, None, "By -120"),
        (3, "adjustment", 1, 381, None, "By 1"),
        (4, "adjustment", -381, 0, None, "By -381"),
    ]
    assert (await wallet(db)).entry_count == 4
    await assert_books_agree(db)


async def test_an_adjustment_is_booked_with_both_legs(db: Database) -> None:
    async with transaction(db) as conn:
        entry_id, _ = await adjust_credits(conn, ACCOUNT, change_cents=123, reason="Goodwill")
    legs = "select movement_id, kind, book, account_id, currency, amount_micro, memo"
    assert await rows(db, f"{legs} from ledger.journal order by amount_micro desc") == [
        (entry_id, "adjustment", "credits", ACCOUNT, "USD", 123_000_000, "Goodwill"),
        (entry_id, "adjustment", "adjustments", ACCOUNT, "USD", -123_000_000, "Goodwill"),
    ]
    assert await rows(db, "select id from ledger.entry") == [(entry_id,)]


@pytest.mark.parametrize(
    ("held_cents", "change_cents"),
    [
        pytest.param(500, -501, id="a cent below zero"),
        pytest.param(0, -1, id="no wallet to take from"),
        pytest.param(500, 0, id="nothing"),
        pytest.param(1, MOST_CENTS, id="a cent above what a wallet can hold"),
        pytest.param(500, -(2**62), id="far below zero"),
    ],
)
async def test_a_refused_adjustment_leaves_nothing(
    db: Database, held_cents: int, change_cents: int
) -> None:
    if held_cents:
        await adjust(db, held_cents)
    before = await wallet(db)
    with pytest.raises(AdjustmentRefused) as refused:
        await adjust(db, change_cents)
    assert (refused.value.status, refused.value.code) == (400, "adjustment_refused")
    assert await wallet(db) == before
    kept = 1 if held_cents else 0
    assert await rows(db, "select count(*) from ledger.entry") == [(kept,)]
    assert await rows(db, "select count(*) from ledger.journal") == [(2 * kept,)]
    assert await rows(db, "select count(*) from ledger.wallet") == [(kept,)]


async def test_a_wallet_can_be_filled_to_the_brim(db: Database) -> None:
    assert await adjust(db, MOST_CENTS) == MOST_CENTS
    assert await adjust(db, -MOST_CENTS) == 0
    await assert_books_agree(db)


async def test_adjustments_at_the_same_time_are_all_counted(db: Database) -> None:
    changes = [10, 20, 30, 40] * 5
    balances = await asyncio.gather(*(adjust(db, cents) for cents in changes))
    assert max(balances) == sum(changes)
    assert (await wallet(db)).entry_count == len(changes)
    await assert_books_agree(db)


async def test_of_rivals_for_the_last_cents_only_some_succeed(db: Database) -> None:
    await adjust(db, 100)
    tries = await asyncio.gather(*(adjust(db, -30) for _ in range(8)), return_exceptions=True)
    assert sorted(left for left in tries if isinstance(left, int)) == [10, 40, 70]
    assert all(isinstance(left, int | ProblemError) for left in tries)
    assert (await wallet(db)).balance_cents == 10
    await assert_books_agree(db)


# --------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("table", ["entry", "journal"])
@pytest.mark.parametrize("statement", ["update ledger.{} set id = id", "delete from ledger.{}"])
async def test_entries_and_legs_are_never_changed(db: Database, table: str, statement: str) -> None:
    await adjust(db, 500)
    async with connection(db) as conn:
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await conn.execute(statement.format(table))


async def insert_legs(conn: Connection, *legs: tuple[str, int]) -> None:
    """One movement of legs, each with its currency and amount."""
    movement_id, now = uuid4(), datetime.now(UTC)
    for currency, amount_micro in legs:
        await conn.execute(
            "insert into ledger.journal"
            " (id, movement_id, kind, book, currency, amount_micro, memo, created_at)"
            " values ($1, $2, 'exchange', 'bank', $3, $4, '', $5)",
            new_id(),
            movement_id,
            currency,
            amount_micro,
            now,
        )


async def test_legs_must_sum_to_zero_in_each_currency(db: Database) -> None:
    async with transaction(db) as conn:
        await insert_legs(conn, ("USD", 5), ("EUR", 7), ("USD", -5), ("EUR", -7))
    for legs in ([("USD", 5)], [("USD", 5), ("EUR", -5)], [("USD", 5), ("USD", -4)]):
        with pytest.raises(asyncpg.CheckViolationError, match="do not sum to zero"):
            async with transaction(db) as conn:
                await insert_legs(conn, *legs)
    assert await rows(db, "select count(*) from ledger.journal") == [(4,)]


# --------------------------------------------------------------------------------------- the pages


def principal(account_id: int = ACCOUNT) -> Principal:
    """Somebody who may see an account."""
    return Principal(account_id=account_id, kind="team_live")


async def numbers(db: Database, *, limit: int, offset: int) -> list[int]:
    """The numbers of the entries on a page."""
    page = await LiveCreditDesk(db).entries(principal(), limit=limit, offset=offset)
    assert page.total == 7
    assert all(entry.account_id == ACCOUNT for entry in page.entries)
    return [entry.number for entry in page.entries]


async def test_entries_are_paged_newest_first(db: Database) -> None:
    for cents in range(1, 8):
        await adjust(db, cents)
        await adjust(db, 1000 + cents, OTHER)
    assert await numbers(db, limit=50, offset=0) == [7, 6, 5, 4, 3, 2, 1]
    assert await numbers(db, limit=3, offset=0) == [7, 6, 5]
    assert await numbers(db, limit=3, offset=3) == [4, 3, 2]
    assert await numbers(db, limit=3, offset=6) == [1]
    assert await numbers(db, limit=3, offset=7) == []
    assert await numbers(db, limit=3, offset=10**9) == []


async def test_an_account_without_a_wallet_has_no_entries(db: Database) -> None:
    await adjust(db, 5, OTHER)
    desk = LiveCreditDesk(db)
    page = await desk.entries(principal(), limit=50, offset=0)
    assert (page.entries, page.total) == ([], 0)
    assert await desk.wallet(principal()) == Wallet(account_id=ACCOUNT)
    assert (await desk.wallet(principal(OTHER))).balance_cents == 5
