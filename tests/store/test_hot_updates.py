"""A wallet's row is changed in place: an order adds no entry to an index of wallets, nor a page.

PostgreSQL itself counts it: `n_tup_hot_upd` are the updates of `n_tup_upd` that found room beside
the old row and left every index alone.
"""

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg
import pytest

from fieldfare.catalog.model import Catalogue
from fieldfare.catalog.service import load_catalogue
from fieldfare.db.pool import Database, connection, transaction
from fieldfare.orders import store
from fieldfare.orders.service.group_commit import MOST_TOGETHER
from tests.support.placing import order_of, placing
from tests.support.world import World

ACCOUNTS = 500
ROUNDS = 40
MASS_MG = 10_000_000
FIRST_ACCOUNT = 700_000
WALLETS = range(FIRST_ACCOUNT, FIRST_ACCOUNT + ACCOUNTS)


@pytest.fixture
async def catalogue(db: Database, world: World) -> Catalogue:
    """The demo's, beside some pages full of wallets."""
    assert world.team_id
    async with transaction(db) as conn:
        await conn.execute(
            "insert into ledger.wallet (account_id, balance_cents)"
            " select unnest($1::bigint[]), 1000000",
            list(WALLETS),
        )
    return await load_catalogue(db, datetime.now(UTC))


async def place(db: Database, catalogue: Catalogue, accounts: Sequence[int]) -> None:
    """One order of each account, in one statement and one commit."""
    orders = [placing(order_of(catalogue, account, MASS_MG)) for account in accounts]
    async with connection(db) as conn:
        verdicts = await store.place_on_credit(conn, orders)
    assert None not in {verdict.balance_after_cents for verdict in verdicts}


async def counted(db: Database) -> asyncpg.Record:
    """What the server has counted of the table of wallets, and its size."""
    async with connection(db) as conn:
        # What a connection has counted shows once it is at rest; each of the pool is asked to tell.
        await conn.execute("select pg_stat_force_next_flush()")
    async with connection(db) as conn:
        row = await conn.fetchrow(
            "select n_tup_upd as updates, n_tup_hot_upd as hot,"
            " pg_relation_size(relid) as table_bytes, pg_indexes_size(relid) as index_bytes"
            " from pg_stat_user_tables where relid = 'ledger.wallet'::regclass"
        )
    assert row is not None
    return row


class Change(NamedTuple):
    """What orders did to the table of wallets."""

    updates: int
    hot: int
    table_bytes: int
    index_bytes: int


async def change_by(db: Database, catalogue: Catalogue, rounds: Iterable[Sequence[int]]) -> Change:
    """Place an order for each account of each round, and see what that changed."""
    before = await counted(db)
    for accounts in rounds:
        await place(db, catalogue, accounts)
    after = await counted(db)
    return Change(*(after[name] - before[name] for name in Change._fields))


async def test_orders_of_many_accounts_change_wallets_in_place(
    db: Database, catalogue: Catalogue
) -> None:
    chance = random.Random(5)
    rounds = [chance.sample(WALLETS, MOST_TOGETHER) for _ in range(ROUNDS)]
    updates = ROUNDS * MOST_TOGETHER
    assert await change_by(db, catalogue, rounds) == Change(updates, updates, 0, 0)


async def test_orders_of_one_account_change_its_wallet_in_place(
    db: Database, catalogue: Catalogue
) -> None:
    rounds = [[FIRST_ACCOUNT]] * 300 + [[FIRST_ACCOUNT] * MOST_TOGETHER] * ROUNDS
    # Of a group, a wallet takes the sum of its orders.
    assert await change_by(db, catalogue, rounds) == Change(300 + ROUNDS, 300 + ROUNDS, 0, 0)


async def test_neighbours_that_order_together_leave_each_other_room(
    db: Database, catalogue: Catalogue
) -> None:
    """The worst there is: every wallet of a page in one commit, which needs its room twice."""
    rounds = [
        [WALLETS[(start + n) % ACCOUNTS] for n in range(MOST_TOGETHER)]
        for start in range(0, ROUNDS * MOST_TOGETHER, MOST_TOGETHER)
    ]
    change = await change_by(db, catalogue, rounds)
    assert change.updates == ROUNDS * MOST_TOGETHER
    assert change.hot >= change.updates * 98 // 100
    assert change.table_bytes <= 2 * 8_192
    assert change.index_bytes == 0


async def test_an_index_on_what_orders_change_would_be_seen(
    db: Database, catalogue: Catalogue
) -> None:
    async with connection(db) as conn:
        await conn.execute("create index on ledger.wallet (certified_mg)")
    change = await change_by(db, catalogue, [WALLETS[:MOST_TOGETHER]] * 3)
    assert (change.updates, change.hot) == (3 * MOST_TOGETHER, 0)
