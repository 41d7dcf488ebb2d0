"""A process's orders from credits on their way into the books, and what they have left there."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from fieldfare.catalog.model import Catalogue
from fieldfare.catalog.service import load_catalogue
from fieldfare.cli.checks import CHECKS
from fieldfare.db.pool import Database, connection, open_database, transaction
from fieldfare.http.idempotency import RequestKey, StoredAnswer
from fieldfare.kernel.errors import Unavailable
from fieldfare.ledger.service.credits import adjust_credits
from fieldfare.orders.model import Order
from fieldfare.orders.service.credit import place_credit_order
from fieldfare.orders.service.group_commit import GroupCommit, Patience
from tests.support.placing import order_of
from tests.support.waiting import until

TONNE_MG = 1_000_000_000
PORTFOLIO = 12
WAITING = (
    "select pid from pg_stat_activity"
    " where datname = current_database() and wait_event_type = 'Lock'"
)
SIZES = (
    "select count(*) from ledger.entry where kind = 'deduction' and account_id = any($1)"
    " group by created_at order by created_at"
)
"""How many orders each commit has taken in: `created_at` is the instant of its transaction."""
UNHURRIED = Patience(longest_wait_s=60.0, give_up_s=60.0)
"""However slow the machine is, nobody is sent away for the time that a group takes."""
_accounts = itertools.count(90_001)


class Till:
    """One process's `GroupCommit` on a database, and accounts that have what a test gives them."""

    def __init__(self, db: Database, catalogue: Catalogue, patience: Patience) -> None:
        self.db = db
        self.catalogue = catalogue
        self.commits = GroupCommit(db, patience)

    async def account(self, cents: int = 0) -> int:
        """A new account; it has no wallet if it is given nothing."""
        account_id = next(_accounts)
        await self.give(account_id, cents)
        return account_id

    async def give(self, account_id: int, cents: int) -> None:
        """Credits for an account."""
        if cents:
            async with transaction(self.db) as conn:
                await adjust_credits(conn, account_id, change_cents=cents, reason="For tests")

    def order(self, account_id: int, cents: int, **fields: Any) -> Order:
        """An order of an account that costs so many cents."""
        cost_cents = self.catalogue.portfolios[PORTFOLIO].cost_per_ton_cents
        order = order_of(self.catalogue, account_id, cents * TONNE_MG // cost_cents, **fields)
        assert order.quote.amount_cents == cents
        return order

    async def place(self, order: Order, key: RequestKey | None = None) -> bytes | StoredAnswer:
        """Carry an order out as the API does."""
        return await place_credit_order(self.commits, order, answer_of(order), key)

    async def insist(self, order: Order) -> None:
        """The same for as long as the answer is to come again in a moment."""
        while True:
            try:
                await self.place(order)
            except Unavailable as error:
                if error.code != "overloaded":
                    raise
                await asyncio.sleep(0.1)
            else:
                return

    def start(
        self, orders: Sequence[Order], keys: Sequence[RequestKey] | None = None
    ) -> list[asyncio.Task[bytes | StoredAnswer]]:
        """Orders that arrive at once, in this order."""
        named: Sequence[RequestKey | None] = keys or [None] * len(orders)
        return [
            asyncio.create_task(self.place(order, key))
            for order, key in zip(orders, named, strict=True)
        ]

    async def rows(self, sql: str, *values: object) -> list[Any]:
        """What a query gives."""
        async with connection(self.db) as conn:
            return await conn.fetch(sql, *values)

    async def balance_cents(self, account_id: int) -> int:
        """What an account has."""
        rows = await self.rows(
            "select balance_cents from ledger.wallet where account_id = $1", account_id
        )
        return int(rows[0][0]) if rows else 0

    async def times_recorded(self, orders: Sequence[Order]) -> Counter[int]:
        """How many of the orders are in the books so and so often, each with its one debit."""
        rows = await self.rows(
            "select o.id, (select count(*) from orders.purchase p where p.id = o.id),"
            " (select count(*) from ledger.entry e where e.group_id = o.id)"
            " from unnest($1::uuid[]) as o (id)",
            [order.id for order in orders],
        )
        assert all(purchases == entries for _, purchases, entries in rows)
        return Counter(purchases for _, purchases, _ in rows)

    async def sizes(self, *account_ids: int) -> list[int]:
        """How many orders of these accounts each commit has taken in, oldest first."""
        return [row[0] for row in await self.rows(SIZES, account_ids)]

    async def until_waiting(self, sessions: int = 1) -> None:
        """Wait until so many sessions of this database wait for a lock; ten seconds at most."""

        async def waiting() -> bool:
            return len(await self.rows(WAITING)) >= sessions

        await until(waiting, within_s=10, each_s=0.01)

    async def until_apart(self, orders: int) -> None:
        """Wait until so many orders wait apart for a wallet; ten seconds at most."""

        async def apart() -> bool:
            return self.commits.waiting()[("apart",)] >= orders

        await until(apart, within_s=10, each_s=0.01)

    async def findings(self) -> list[str]:
        """What `fieldfare verify` finds."""
        async with (
            connection(self.db) as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            return [str(found) for _, check in CHECKS async for found in check(conn)]

    @asynccontextmanager
    async def held(self, *account_ids: int) -> AsyncIterator[None]:
        """Somebody who holds these wallets; without any named, all of them."""
        async with transaction(self.db) as conn:
            if account_ids:
                await conn.execute(
                    "select from ledger.wallet where account_id = any($1) for update", account_ids
                )
            else:
                await conn.execute("lock table ledger.wallet in exclusive mode")
            yield


def answer_of(order: Order) -> bytes:
    """What is to be said of an order, with 0 where credits remain."""
    return b'{"id":"%b","creditsRemaining":0}' % str(order.id).encode()


@asynccontextmanager
async def open_till(
    database_url: str, *, pool_size: int = 10, patience: Patience = UNHURRIED
) -> AsyncIterator[Till]:
    """A till on a database that has the demo's catalogue."""
    db = await open_database(database_url, pool_size=pool_size, application="tests")
    try:
        yield Till(db, await load_catalogue(db, datetime.now(UTC)), patience)
    finally:
        await db.close()
