"""The ranking against ranks counted by hand: ties, nobody, newcomers, and masses that go away."""

from decimal import Decimal

import pytest

from fieldfare.db.pool import Connection, Database, connection
from fieldfare.impact import store
from fieldfare.impact.rules import place_of

KG = 1_000_000
NEWCOMER = 1_000


async def set_masses(conn: Connection, masses_mg: dict[int, int]) -> None:
    """Give each account its certified mass, by SQL, as an order would leave it."""
    await conn.executemany(
        "insert into ledger.wallet (account_id, certified_mg) values ($1, $2)"
        " on conflict (account_id) do update set certified_mg = excluded.certified_mg",
        list(masses_mg.items()),
    )


async def ranking(conn: Connection) -> list[tuple[int, int, int]]:
    """The whole table, heaviest first: mass, accounts with it, rank."""
    rows = await conn.fetch("select * from impact.ranking order by certified_mg desc")
    return [(row["certified_mg"], row["accounts"], row["rank"]) for row in rows]


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
        assert await store.refresh_ranking(conn) == 3
        assert await ranking(conn) == [(50, 1, 1), (30, 3, 2), (10, 1, 5)]
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
        await set_masses(conn, {1: 50, 2: 30, 3: 10})
        assert await store.refresh_ranking(conn) == 3
        assert await store.refresh_ranking(conn) == 0
        # The second overtakes the first: its old mass goes, its new one comes, the first is moved.
        await set_masses(conn, {2: 70})
        assert await store.refresh_ranking(conn) == 3
        assert await ranking(conn) == [(70, 1, 1), (50, 1, 2), (10, 1, 3)]
        # A newcomer at the end moves nobody.
        await set_masses(conn, {4: 5})
        assert await store.refresh_ranking(conn) == 1


async def test_a_mass_that_is_refunded_away_leaves_the_ranking(db: Database) -> None:
    async with connection(db) as conn:
        await set_masses(conn, {1: 50, 2: 30, 3: 10})
        await store.refresh_ranking(conn)
        await set_masses(conn, {1: 0})
        await store.refresh_ranking(conn)
        assert await ranking(conn) == [(30, 1, 1), (10, 1, 2)]
        await set_masses(conn, {2: 0, 3: 0})
        assert await store.refresh_ranking(conn) == 2
        assert await ranking(conn) == []


@pytest.mark.parametrize("mass_mg", [2**63 - 1, 1])
async def test_the_largest_and_the_smallest_mass(db: Database, mass_mg: int) -> None:
    async with connection(db) as conn:
        await set_masses(conn, {1: mass_mg})
        await store.refresh_ranking(conn)
        assert await shown(conn, mass_mg) == (1, Decimal(100))
