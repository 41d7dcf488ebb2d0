"""Heartbeats: processes hear each other, forget who died, and keep their parts when all is away."""

import time
from uuid import UUID, uuid4

from fieldfare.db.pool import Database
from fieldfare.http.limits.buckets import MOST_CLAIMS, SharedBuckets
from fieldfare.http.limits.heartbeat import ALIVE_S, Heartbeat, beating
from fieldfare.kernel.buckets import Limit

LIMIT = Limit(per_second=4, burst=1_000)
ROW = """
    insert into http.heartbeat (process_id, beat_at, accounts, owed, wants, uses)
    values ($1, now() - make_interval(secs => $2), '{7}', '{800}', '{4}', '{4}')
"""


def most_at_once(buckets: SharedBuckets, account: int) -> int:
    """How many requests of an account a process lets in at one instant."""
    count, now = 0, time.monotonic()
    while buckets.take(account, now)[1]:
        count += 1
    return count


async def rows(db: Database) -> set[UUID]:
    async with db.pool.acquire() as conn:
        found = await conn.fetch("select process_id from http.heartbeat")
    return {row["process_id"] for row in found}


async def insert(db: Database, *, age_s: float) -> UUID:
    """A row of a process that has used most of account 7's bucket."""
    process_id = uuid4()
    async with db.pool.acquire() as conn:
        await conn.execute(ROW, process_id, age_s)
    return process_id


async def test_each_hears_the_others_that_live_and_nobody_else(db: Database) -> None:
    await insert(db, age_s=1.0)
    dead = await insert(db, age_s=ALIVE_S + 1)
    long_dead = await insert(db, age_s=90)
    first, second = SharedBuckets(LIMIT), SharedBuckets(LIMIT)
    async with beating(Heartbeat(db, first)):
        # Until it has said what it needs: a hundredth of the 200 that the living one has left.
        assert most_at_once(first, 7) == 2
        assert most_at_once(first, 8) == 500
        async with beating(Heartbeat(db, second)):
            # Three are reckoned with now, and the first has spoken of what it gave, or will.
            assert most_at_once(second, 9) == 333
        left = await rows(db)
    assert dead in left
    assert long_dead not in left
    # Whoever stops takes its row away.
    assert len(left - await rows(db)) == 1


async def test_a_row_has_room_for_so_many_accounts_and_no_more(db: Database) -> None:
    buckets = SharedBuckets(LIMIT)
    heartbeat = Heartbeat(db, buckets)
    await insert(db, age_s=0.0)
    await heartbeat.beat()
    for account in range(100, 100 + 2 * MOST_CLAIMS):
        most_at_once(buckets, account)
    await heartbeat.beat()
    async with db.pool.acquire() as conn:
        size = "select max(cardinality(accounts)), max(pg_column_size(h)) from http.heartbeat h"
        accounts, size_bytes = await conn.fetchrow(size) or (0, 0)
    assert accounts == MOST_CLAIMS
    assert size_bytes < 10_000


async def test_without_the_database_each_keeps_its_part(db: Database) -> None:
    buckets = SharedBuckets(LIMIT)
    heartbeat = Heartbeat(db, buckets)
    await insert(db, age_s=0.0)
    await heartbeat.beat()
    async with db.pool.acquire() as conn:
        await conn.execute("alter table http.heartbeat rename to lost")
        await heartbeat.beat()
        assert most_at_once(buckets, 8) == 500
        await conn.execute("alter table http.lost rename to heartbeat")
        await conn.execute("delete from http.heartbeat")
    await heartbeat.beat()
    assert most_at_once(buckets, 9) == 1_000
