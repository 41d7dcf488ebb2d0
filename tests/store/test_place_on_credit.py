"""The statement that places orders on credit, with arrays of several orders and with rivals."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from fieldfare.catalog.model import Catalogue
from fieldfare.catalog.service import load_catalogue
from fieldfare.db.pool import Connection, Database, connection, open_database, transaction
from fieldfare.http.idempotency import find_kept_answer
from fieldfare.ledger.service.credits import adjust_credits
from fieldfare.ledger.service.verify import verify_ledger
from fieldfare.orders import store
from fieldfare.orders.model import Order, Party
from fieldfare.orders.service.verify import verify_orders
from fieldfare.orders.store import Placing, Verdict
from tests.support.databases import new_database
from tests.support.placing import order_of, placing
from tests.support.waiting import until
from tests.support.world import make_world

TONNE = 1_000_000_000
FRESH_ACCOUNTS = itertools.count(7001, 10)
PARTY = Party(
    on_behalf_of_name="Ada",
    on_behalf_of_email="ada@tests.example",
    note="Thanks\nfor all",
    metadata={"project": "p1", "customer": "Zoë"},
)


class Shop:
    """The demo's catalogue and accounts that have what a test gives them."""

    def __init__(self, db: Database, catalogue: Catalogue, accounts: tuple[int, ...]) -> None:
        self.db = db
        self.catalogue = catalogue
        self.accounts = accounts
        self.account = accounts[0]

    async def give(self, account_id: int, cents: int) -> None:
        """Credits for an account."""
        async with transaction(self.db) as conn:
            await adjust_credits(conn, account_id, change_cents=cents, reason="For tests")

    def order(self, cents: int, account_id: int | None = None, **fields: Any) -> Order:
        """An order that costs so many cents: as much mass as they buy."""
        cost = self.catalogue.portfolios[12].cost_per_ton_cents
        order = order_of(
            self.catalogue, account_id or self.account, cents * TONNE // cost, **fields
        )
        assert order.quote.amount_cents == cents
        return order

    async def place(self, *placings: Placing) -> list[Verdict]:
        """One statement, one commit."""
        async with connection(self.db) as conn:
            return await store.place_on_credit(conn, placings)

    async def rows(self, sql: str, *values: object) -> list[Any]:
        """What a query gives."""
        async with connection(self.db) as conn:
            return await conn.fetch(sql, *values)

    def keyed(self, order: Order, key: str, body: str = "body") -> Placing:
        """An order with a key of this test's accounts."""
        return placing(order, f"{self.account} {key}", body)

    async def count_purchases(self) -> int:
        """How many purchases this test's accounts have made."""
        found = await self.rows(
            "select from orders.purchase where account_id = any($1)", self.accounts
        )
        return len(found)

    async def until_blocked(self, statements: int) -> None:
        """Wait until so many statements of this database wait for a lock; ten seconds at most."""
        waiting = (
            "select from pg_stat_activity"
            " where datname = current_database() and wait_event_type = 'Lock'"
        )

        async def blocked() -> bool:
            return len(await self.rows(waiting)) >= statements

        await until(blocked, within_s=10, each_s=0.01)

    async def told(self, *orders: Order) -> list[tuple[str, UUID]]:
        """What the outbox has of some orders."""
        found = await self.rows(
            "select topic, subject_id from notifications.outbox where subject_id = any($1)"
            " order by topic, subject_id",
            [order.id for order in orders],
        )
        return [tuple(row) for row in found]

    async def is_in_books(self, order: Order) -> dict[str, int]:
        """How many rows each table has of an order."""
        counts = await self.rows(
            """
            select
                (select count(*) from orders.purchase where id = $1) as purchases,
                (select count(*) from orders.line where purchase_id = $1) as lines,
                (select count(*) from orders.party where purchase_id = $1) as parties,
                (select count(*) from orders.tag where purchase_id = $1) as tags,
                (select count(*) from orders.certificate_slug where purchase_id = $1) as slugs,
                (select count(*) from ledger.entry where group_id = $1) as entries,
                (select count(*) from http.idempotency_key where subject_id = $1) as keys,
                (select count(*) from notifications.outbox where subject_id = $1) as outbox
            """,
            order.id,
        )
        return {name: count for name, count in counts[0].items() if count}

    async def assert_books_agree(self) -> None:
        """Nothing to find for `fieldfare verify`."""
        async with (
            connection(self.db) as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            found = [finding async for finding in verify_ledger(conn)]
            found += [finding async for finding in verify_orders(conn)]
        assert found == []


@pytest.fixture(scope="module")
def shared_url(server_url: str, template: str) -> Iterator[str]:
    """One database for this module's tests, with the demo's catalogue."""
    with new_database(server_url, template=template, name="credit") as url:
        asyncio.run(make_world(url))
        yield url


@pytest.fixture
async def shop(shared_url: str) -> AsyncIterator[Shop]:
    """A shop with four accounts of the test's own, which have no wallets yet."""
    first = next(FRESH_ACCOUNTS)
    db = await open_database(shared_url, pool_size=10, application="tests")
    try:
        catalogue = await load_catalogue(db, datetime.now(UTC))
        yield Shop(db, catalogue, tuple(range(first, first + 4)))
    finally:
        await db.close()


def balances(verdicts: Sequence[Verdict]) -> list[int | None]:
    """What each order left, None where it was not placed."""
    return [verdict.balance_after_cents for verdict in verdicts]


def kinds(verdicts: Sequence[Verdict]) -> list[str]:
    """The verdicts about the keys."""
    return [verdict.verdict for verdict in verdicts]


# ----------------------------------------------------------------------------------- one statement


async def test_an_order_leaves_its_rows_and_nothing_that_was_not_asked(shop: Shop) -> None:
    await shop.give(shop.account, 1000)
    plain, full = shop.order(300), shop.order(400, party=PARTY, receipt=True)
    assert balances(await shop.place(placing(plain), shop.keyed(full, "key"))) == [700, 300]
    parts = len(shop.catalogue.portfolios[12].parts)
    always = {"purchases": 1, "lines": parts, "slugs": 1, "entries": 1}
    assert await shop.is_in_books(plain) == always
    extra = {"parties": 1, "tags": 2, "keys": 1, "outbox": 1}
    assert await shop.is_in_books(full) == always | extra
    await shop.assert_books_agree()


async def test_what_is_written_is_what_was_quoted(shop: Shop) -> None:
    await shop.give(shop.account, 1000)
    order = shop.order(432, party=PARTY)
    await shop.place(placing(order))
    (row,) = await shop.rows(
        "select p.*, y.note, y.on_behalf_of_name, y.on_behalf_of_email, y.metadata"
        " from orders.purchase p join orders.party y on y.purchase_id = p.id where p.id = $1",
        order.id,
    )
    quote = order.quote
    assert (row["id"], row["account_id"], row["state"]) == (order.id, shop.account, "paid")
    assert (row["amount_cents"], row["charge_minor"], row["currency"]) == (432, 432, "USD")
    assert (row["mass_mg"], row["unit_price_cents"]) == (quote.mass_mg, quote.unit_price_cents)
    assert row["price_revision"] == shop.catalogue.revision
    assert row["paid_at"] == row["created_at"]
    assert row["metadata"] == PARTY.metadata
    assert (row["note"], row["on_behalf_of_name"]) == (PARTY.note, PARTY.on_behalf_of_name)
    assert row["on_behalf_of_email"] == PARTY.on_behalf_of_email
    tags = await shop.rows(
        "select account_id, key, value from orders.tag where purchase_id = $1 order by key",
        order.id,
    )
    assert [tuple(tag) for tag in tags] == [
        (shop.account, "customer", "Zoë"),
        (shop.account, "project", "p1"),
    ]
    lines = await shop.rows(
        "select * from orders.line where purchase_id = $1 order by project_id", order.id
    )
    assert [
        (line["project_id"], line["mass_mg"], line["amount_micro"], line["partner_micro"])
        for line in lines
    ] == [(s.project.id, s.mass_mg, s.amount_micro, s.partner_micro) for s in quote.shares]
    wallet = (await shop.rows("select * from ledger.wallet where account_id = $1", shop.account))[0]
    assert (wallet["balance_cents"], wallet["certified_mg"]) == (568, quote.certified_mg)


async def test_the_orders_of_a_batch_take_effect_in_their_order(shop: Shop) -> None:
    await shop.give(shop.account, 1000)
    orders = [shop.order(cents) for cents in (100, 250, 50, 333)]
    verdicts = await shop.place(*(placing(order) for order in orders))
    assert balances(verdicts) == [900, 650, 600, 267]
    rows = await shop.rows(
        "select number, amount_cents, balance_after_cents, group_id from ledger.entry"
        " where account_id = $1 and number > 1 order by number",
        shop.account,
    )
    assert [tuple(row) for row in rows] == [
        (2, -100, 900, orders[0].id),
        (3, -250, 650, orders[1].id),
        (4, -50, 600, orders[2].id),
        (5, -333, 267, orders[3].id),
    ]
    await shop.assert_books_agree()


async def test_a_batch_of_several_accounts_keeps_each_in_order(shop: Shop) -> None:
    one, two, three, _ = shop.accounts
    for account_id in (three, one, two):
        await shop.give(account_id, 500)
    asked = [(two, 100), (one, 200), (two, 50), (three, 500), (one, 1)]
    verdicts = await shop.place(
        *(placing(shop.order(cents, account_id)) for account_id, cents in asked)
    )
    assert balances(verdicts) == [400, 300, 350, 0, 299]
    await shop.assert_books_agree()


async def test_an_order_that_is_too_dear_does_not_fail_a_later_smaller_one(shop: Shop) -> None:
    await shop.give(shop.account, 500)
    fits, dear, small, gone = (shop.order(cents) for cents in (400, 101, 100, 1))
    dear_placing = shop.keyed(shop.order(101, party=PARTY, receipt=True), "key of what is too dear")
    verdicts = await shop.place(
        placing(fits), placing(dear), dear_placing, placing(small), placing(gone)
    )
    assert balances(verdicts) == [100, None, None, 0, None]
    assert kinds(verdicts) == ["free"] * 5
    for order in (dear, dear_placing.order, gone):
        assert await shop.is_in_books(order) == {}
    await shop.assert_books_agree()
    # Its key is free: with more credits, the same request goes through.
    await shop.give(shop.account, 101)
    assert balances(await shop.place(dear_placing)) == [0]
    await shop.assert_books_agree()


async def test_an_account_without_a_wallet_has_nothing_to_spend(shop: Shop) -> None:
    without, rich, *_ = shop.accounts
    await shop.give(rich, 10)
    alone, beside = shop.order(1, without, receipt=True), shop.order(10, rich)
    assert balances(await shop.place(shop.keyed(alone, "key"))) == [None]
    assert balances(await shop.place(shop.keyed(alone, "key"), placing(beside))) == [None, 0]
    assert await shop.is_in_books(alone) == {}
    wallets = await shop.rows("select from ledger.wallet where account_id = $1", without)
    assert wallets == []


async def test_a_statement_without_orders_does_nothing(shop: Shop) -> None:
    assert await shop.place() == []


async def test_receipts_are_told_of_once_each_and_only_where_asked(shop: Shop) -> None:
    await shop.give(shop.account, 300)
    wanted = [shop.order(100, receipt=True), shop.order(50, receipt=True)]
    plain, dear = shop.order(150), shop.order(1, receipt=True)
    await shop.place(placing(wanted[0]), placing(plain), placing(wanted[1]), placing(dear))
    told = await shop.told(*wanted, plain, dear)
    assert told == sorted(("receipt_due", order.id) for order in wanted)


async def test_only_the_order_that_crosses_the_bound_tells_of_a_refill(shop: Shop) -> None:
    await shop.give(shop.account, 1000)
    bound = {"refill_below_cents": 500}
    at, below, further, dear = (
        msgspec.structs.replace(shop.order(cents), **bound) for cents in (400, 1, 99, 900)
    )
    unset = shop.order(100)
    await shop.place(placing(at), placing(unset), placing(dear), placing(below), placing(further))
    assert await shop.told(at, unset, dear, below, further) == [("refill_due", below.id)]


async def test_each_account_of_a_statement_has_its_own_bound(shop: Shop) -> None:
    low, high, none = shop.accounts[:3]
    for account_id in (low, high, none):
        await shop.give(account_id, 1000)
    orders = [
        msgspec.structs.replace(shop.order(600, account_id), refill_below_cents=below)
        for account_id, below in ((low, 400), (high, 401), (none, None))
    ]
    await shop.place(*map(placing, orders))
    assert await shop.told(*orders) == [("refill_due", orders[1].id)]
    receipt = msgspec.structs.replace(shop.order(1, low, receipt=True), refill_below_cents=400)
    await shop.place(placing(receipt))
    assert await shop.told(receipt) == [("receipt_due", receipt.id), ("refill_due", receipt.id)]


async def test_of_rivals_that_cross_a_bound_together_one_tells(shop: Shop) -> None:
    await shop.give(shop.account, 1000)
    orders = [msgspec.structs.replace(shop.order(50), refill_below_cents=500) for _ in range(20)]
    await asyncio.gather(*(shop.place(placing(order)) for order in orders))
    told = await shop.told(*orders)
    assert [topic for topic, _ in told] == ["refill_due"]


# --------------------------------------------------------------------------------------------- keys


async def test_the_stored_answer_is_the_head_the_balance_and_the_tail(shop: Shop) -> None:
    await shop.give(shop.account, 1000)
    orders = [shop.order(100), shop.order(20)]
    await shop.place(*(shop.keyed(order, f"key {order.id}") for order in orders))
    answers = await shop.rows(
        "select status, convert_from(answer, 'UTF8') as answer from http.idempotency_key"
        " where subject_id = any($1) order by answer desc",
        [order.id for order in orders],
    )
    assert [tuple(row) for row in answers] == [(200, '{"left":900}'), (200, '{"left":880}')]


async def test_the_same_request_is_answered_again_and_makes_nothing(shop: Shop) -> None:
    await shop.give(shop.account, 1000)
    await shop.place(shop.keyed(shop.order(100), "key"))
    # Later ones change the balance, but not what was answered.
    await shop.place(placing(shop.order(50)))
    again = shop.order(100, party=PARTY, receipt=True)
    (verdict,) = await shop.place(shop.keyed(again, "key"))
    assert (verdict.verdict, verdict.status) == ("replay", 200)
    assert verdict.answer == b'{"left":900}'
    assert verdict.balance_after_cents is None
    assert await shop.is_in_books(again) == {}
    await shop.assert_books_agree()


async def test_a_key_with_another_body_is_a_mismatch_and_makes_nothing(shop: Shop) -> None:
    await shop.give(shop.account, 1000)
    await shop.place(shop.keyed(shop.order(100), "key"))
    other, fresh = shop.order(200), shop.order(300)
    verdicts = await shop.place(
        shop.keyed(other, "key", "another body"), shop.keyed(fresh, "fresh")
    )
    assert kinds(verdicts) == ["mismatch", "free"]
    assert balances(verdicts) == [None, 600]
    assert await shop.is_in_books(other) == {}
    await shop.assert_books_agree()


async def test_an_answer_is_kept_for_the_request_that_it_was_given_to(shop: Shop) -> None:
    await shop.give(shop.account, 1000)
    first = shop.keyed(shop.order(100), "key")
    other = shop.keyed(shop.order(100), "key", "another body")
    assert first.key is not None
    assert other.key is not None
    await shop.place(first)
    async with connection(shop.db) as conn:
        kept = await find_kept_answer(conn, first.key)
        assert kept is not None
        assert kept.status == 200
        assert await find_kept_answer(conn, other.key) is None


async def test_the_second_of_two_orders_with_one_key_is_in_flight(shop: Shop) -> None:
    await shop.give(shop.account, 1000)
    first, second = shop.order(100), shop.order(100)
    verdicts = await shop.place(shop.keyed(first, "key"), shop.keyed(second, "key"))
    assert kinds(verdicts) == ["free", "in_flight"]
    assert balances(verdicts) == [900, None]
    assert await shop.is_in_books(second) == {}
    assert kinds(await shop.place(shop.keyed(second, "key"))) == ["replay"]


async def test_whoever_asks_for_a_kept_answer_gets_it_whoever_else_asks(shop: Shop) -> None:
    await shop.give(shop.account, 1_000)
    await shop.place(shop.keyed(shop.order(100), "key"))
    again = [shop.keyed(shop.order(100), "key") for _ in range(2)]
    other = shop.keyed(shop.order(100), "key", "another body")
    assert kinds(await shop.place(*again, other)) == ["replay", "replay", "mismatch"]
    # A rival that asks for it just now keeps nobody waiting either.
    async with transaction(shop.db) as rival:
        await store.place_on_credit(rival, again[:1])
        assert kinds(await shop.place(*again, other)) == ["replay", "replay", "mismatch"]
    assert await shop.count_purchases() == 1


async def test_a_key_is_in_flight_until_the_commit_that_answers_it(shop: Shop) -> None:
    await shop.give(shop.account, 1000)
    async with transaction(shop.db) as conn:
        await store.place_on_credit(conn, [shop.keyed(shop.order(100), "key")])
        # Not waited for: the rival is told at once.
        assert kinds(await shop.place(shop.keyed(shop.order(100), "key"))) == ["in_flight"]
    assert kinds(await shop.place(shop.keyed(shop.order(100), "key"))) == ["replay"]


async def test_a_key_is_free_again_after_what_used_it_was_undone(shop: Shop) -> None:
    await shop.give(shop.account, 1000)
    undone = shop.order(100)
    async with connection(shop.db) as conn:
        attempt = conn.transaction()
        await attempt.start()
        await store.place_on_credit(conn, [shop.keyed(undone, "key")])
        await attempt.rollback()
    assert await shop.is_in_books(undone) == {}
    assert balances(await shop.place(shop.keyed(shop.order(100), "key"))) == [900]


async def test_an_order_whose_outcome_is_not_known_keeps_its_key(shop: Shop) -> None:
    await shop.give(shop.account, 1000)
    kept = shop.keyed(shop.order(100), "key")
    assert kept.key is not None
    async with connection(shop.db) as conn:
        await conn.execute(
            "insert into http.idempotency_key (key_hash, fingerprint, subject_id, created_at)"
            " values ($1, $2, $3, now())",
            kept.key.key_hash,
            kept.key.fingerprint,
            kept.order.id,
        )
    assert kinds(await shop.place(kept)) == ["pending"]
    other = shop.keyed(shop.order(100), "key", "another body")
    assert kinds(await shop.place(other)) == ["mismatch"]


async def test_many_rivals_with_one_key_make_one_effect(shop: Shop) -> None:
    await shop.give(shop.account, 10_000)
    tries = [shop.place(shop.keyed(shop.order(100), "key")) for _ in range(40)]
    verdicts = [one for (one,) in await asyncio.gather(*tries)]
    assert sorted(balances(verdicts), key=str) == [9900] + [None] * 39
    assert set(kinds(verdicts)) <= {"free", "in_flight", "replay"}
    assert kinds(verdicts).count("free") == 1
    assert await shop.count_purchases() == 1
    await shop.assert_books_agree()


# ------------------------------------------------------------------------------------------- rivals


async def test_two_connections_number_the_entries_of_an_account_without_gaps(shop: Shop) -> None:
    await shop.give(shop.account, 100_000)

    async def order_often(conn: Connection, size: int) -> None:
        for _ in range(60):
            orders = [shop.order(7) for _ in range(size)]
            await store.place_on_credit(conn, [placing(order) for order in orders])

    async with connection(shop.db) as one, connection(shop.db) as other:
        await asyncio.gather(order_often(one, 1), order_often(other, 3))
    rows = await shop.rows(
        "select number, balance_after_cents from ledger.entry where account_id = $1"
        " order by number",
        shop.account,
    )
    assert [tuple(row) for row in rows] == [(n + 1, 100_000 - 7 * n) for n in range(241)]
    await shop.assert_books_agree()


async def test_a_balance_is_spent_to_the_last_order_and_not_below(shop: Shop) -> None:
    await shop.give(shop.account, 1000)
    tries = [shop.place(placing(shop.order(70)), placing(shop.order(70))) for _ in range(12)]
    verdicts = [one for pair in await asyncio.gather(*tries) for one in pair]
    placed = [balance for balance in balances(verdicts) if balance is not None]
    assert sorted(placed, reverse=True) == [1000 - 70 * n for n in range(1, 15)]
    await shop.assert_books_agree()


@pytest.mark.parametrize("with_keys", [True, False])
async def test_batches_over_accounts_in_opposite_orders_do_not_deadlock(
    shop: Shop, *, with_keys: bool
) -> None:
    for account_id in shop.accounts:
        await shop.give(account_id, 100_000)

    async def order_often(conn: Connection, in_order: Sequence[int]) -> list[Verdict]:
        verdicts = []
        for n in range(40):
            orders = [shop.order(5, account_id) for account_id in in_order]
            # The rival takes the same keys, the other way round.
            batch = [shop.keyed(order, f"{order.account_id} {n}") for order in orders]
            plain = [placing(order) for order in orders]
            verdicts += await store.place_on_credit(conn, batch if with_keys else plain)
        return verdicts

    async with connection(shop.db) as one, connection(shop.db) as other:
        both = await asyncio.gather(
            order_often(one, shop.accounts), order_often(other, shop.accounts[::-1])
        )
    placed = [balance for verdicts in both for balance in balances(verdicts) if balance is not None]
    # Each key takes effect once at most: a batch may find its keys with a rival that is cut short.
    assert len(placed) == await shop.count_purchases()
    assert len(placed) == (160 if with_keys else 320)
    await shop.assert_books_agree()


async def test_wallets_are_locked_in_one_order_whatever_the_order_of_a_batch(shop: Shop) -> None:
    low, middle, high, _ = shop.accounts
    for account_id in (low, middle, high):
        await shop.give(account_id, 100)
    batches = [
        [placing(shop.order(5, account_id)) for account_id in in_order]
        for in_order in ((low, middle, high), (high, middle, low))
    ]
    async with transaction(shop.db) as conn:
        await conn.execute("select from ledger.wallet where account_id = $1 for update", middle)
        both = [asyncio.create_task(shop.place(*batch)) for batch in batches]
        # Locked as they come, one would hold the lowest wallet now and the other the highest.
        await shop.until_blocked(len(both))
    placed = await asyncio.gather(*both)
    assert sorted(map(str, map(balances, placed))) == ["[90, 90, 90]", "[95, 95, 95]"]


async def test_an_order_waits_for_an_adjustment_of_its_wallet(shop: Shop) -> None:
    await shop.give(shop.account, 100)
    async with transaction(shop.db) as conn:
        await adjust_credits(conn, shop.account, change_cents=50, reason="More")
        waiting = asyncio.create_task(shop.place(placing(shop.order(150))))
        await shop.until_blocked(1)
    assert balances(await waiting) == [0]
    await shop.assert_books_agree()
