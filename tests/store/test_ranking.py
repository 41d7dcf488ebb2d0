"""The ranking against ranks counted by hand: ties, nobody, newcomers, and masses that go away."""

import random
from collections.abc import Sequence
from decimal import Decimal

import pytest

from fieldfare.db.pool import Connection, Database, connection
from fieldfare.impact import store
from fieldfare.impact.rules import place_of

KG = 1_000_000
NEWCOMER = 1_000_000
PAGE = 128


async def set_masses(conn: Connection, masses_mg: dict[int, int]) -> None:
    """Give each account its certified mass, by SQL, as an order would leave it."""
    await conn.executemany(
        "insert into ledger.wallet (account_id, certified_mg) values ($1, $2)"
        " on conflict (account_id) do update set certified_mg = excluded.certified_mg",
        list(masses_mg.items()),
    )


async def ranking(conn: Connection) -> list[int]:
    """All masses, heaviest first; every page but the last is full."""
    rows = await conn.fetch("select * from impact.ranking order by page")
    assert [row["page"] for row in rows] == list(range(len(rows)))
    assert all(row["highest_mg"] == row["masses_mg"][-1] for row in rows)
    assert all(len(row["masses_mg"]) == PAGE for row in rows[:-1])
    return [mass for row in rows for mass in reversed(row["masses_mg"])]


async def shown(conn: Connection, certified_mg: int) -> tuple[int, Decimal]:
    """Rank and percentile as an account with this mass sees them that nobody has counted yet."""
    await set_masses(conn, {NEWCOMER: certified_mg})
    found_mg, rank, accounts = await store.find_totals(conn, NEWCOMER)
    await conn.execute("delete from ledger.wallet where account_id = $1", NEWCOMER)
    assert found_mg == certified_mg
    place = place_of(rank, accounts)
    return place.rank, place.percentile


async def test_nobody_has_any_mass(db: Database) -> None:
    async with connection(db) as conn:
        await set_masses(conn, {1: 0, 2: 0})
        assert await store.refresh_ranking(conn) == 0
        assert await ranking(conn) == []
        # The first order of all, seen before the next refresh.
        assert await shown(conn, 450 * KG) == (1, Decimal(100))


async def test_ties_share_a_rank_and_the_next_one_skips(db: Database) -> None:
    async with connection(db) as conn:
        await set_masses(conn, {1: 50, 2: 30, 3: 30, 4: 30, 5: 10, 6: 0})
        assert await store.refresh_ranking(conn) == 1
        assert await ranking(conn) == [50, 30, 30, 30, 10]
        # Of five, 100 × those with no more ÷ 5: all five, four (the tied ones and the last), one.
        assert await shown(conn, 50) == (1, Decimal(100))
        assert await shown(conn, 30) == (2, Decimal(80))
        assert await shown(conn, 10) == (5, Decimal(20))


async def test_percentiles_are_rounded_half_up_to_hundredths(db: Database) -> None:
    async with connection(db) as conn:
        await set_masses(conn, {1: 300, 2: 200, 3: 100})
        await store.refresh_ranking(conn)
        assert await shown(conn, 200) == (2, Decimal("66.67"))
        assert await shown(conn, 100) == (3, Decimal("33.33"))
        await set_masses(conn, {account: 1_000 + account for account in range(4, 801)})
        await store.refresh_ranking(conn)
        # The last of 800: 100 ÷ 800 = 0.125.
        assert await shown(conn, 100) == (800, Decimal("0.13"))


async def test_masses_that_changed_since_the_refresh_find_their_place(db: Database) -> None:
    async with connection(db) as conn:
        await set_masses(conn, {1: 50, 2: 30, 3: 10})
        await store.refresh_ranking(conn)
        assert await shown(conn, 9_000) == (1, Decimal(100))
        assert await shown(conn, 40) == (2, Decimal("66.67"))
        # Less than anybody: after all three, and one of four.
        assert await shown(conn, 1) == (4, Decimal(25))


async def test_a_refresh_writes_only_what_differs(db: Database) -> None:
    async with connection(db) as conn:
        await set_masses(conn, {account: account for account in range(1, 3 * PAGE + 2)})
        assert await store.refresh_ranking(conn) == 4
        assert await store.refresh_ranking(conn) == 0
        # The lightest of the second page becomes its heaviest: no other page is touched.
        await set_masses(conn, {PAGE + 2: 2 * PAGE + 1})
        assert await store.refresh_ranking(conn) == 1
        # A newcomer at the end moves nobody; one that goes takes its page with it.
        await set_masses(conn, {0: 1})
        assert await store.refresh_ranking(conn) == 1
        await set_masses(conn, {0: 0, 1: 0})
        assert await store.refresh_ranking(conn) == 1
        assert len(await ranking(conn)) == 3 * PAGE


async def test_a_mass_that_is_refunded_away_leaves_the_ranking(db: Database) -> None:
    async with connection(db) as conn:
        await set_masses(conn, {1: 50, 2: 30, 3: 10})
        await store.refresh_ranking(conn)
        await set_masses(conn, {1: 0})
        await store.refresh_ranking(conn)
        assert await ranking(conn) == [30, 10]
        await set_masses(conn, {2: 0, 3: 0})
        assert await store.refresh_ranking(conn) == 1
        assert await ranking(conn) == []


@pytest.mark.parametrize("masses", [[7], [5, 5, 9], range(1, 40)])
async def test_ranks_over_many_pages_are_those_counted_one_by_one(
    db: Database, masses: Sequence[int]
) -> None:
    """Ties over the ends of pages, and masses that nobody has."""
    drawn = random.Random(1)
    held = [drawn.choice(masses) for _ in range(5 * PAGE + 3)]
    async with connection(db) as conn:
        await set_masses(conn, dict(enumerate(held, 1)))
        await store.refresh_ranking(conn)
        assert await ranking(conn) == sorted(held, reverse=True)
        for mass in {*masses, 1, 6, 41}:
            await set_masses(conn, {NEWCOMER: mass})
            _, rank, accounts = await store.find_totals(conn, NEWCOMER)
            assert (rank, accounts) == (1 + sum(other > mass for other in held), len(held))


@pytest.mark.parametrize("mass_mg", [2**63 - 1, 1])
async def test_the_largest_and_the_smallest_mass(db: Database, mass_mg: int) -> None:
    async with connection(db) as conn:
        await set_masses(conn, {1: mass_mg})
        await store.refresh_ranking(conn)
        assert await shown(conn, mass_mg) == (1, Decimal(100))
