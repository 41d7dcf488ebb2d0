"""`fieldfare verify`: whatever byte of money or mass is damaged, it names the row.

One history is written once: it is damaged in transactions that are rolled back, or in copies.
"""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest

from fieldfare.accounts import service as accounts
from fieldfare.catalog.model import Catalogue
from fieldfare.catalog.service import (
    create_custom_portfolio,
    load_catalogue,
    set_price,
    verify_catalogue,
)
from fieldfare.cli.verify import CHECKS
from fieldfare.db.pool import Connection, Database, connection, open_database, transaction
from fieldfare.integrations.stripe.model import (
    BalanceTransaction,
    Card,
    Charged,
    Declined,
    Outcome,
)
from fieldfare.kernel.currency import get_currency
from fieldfare.kernel.findings import Finding
from fieldfare.ledger.service import adjusting
from fieldfare.ledger.service.credits import adjust_credits
from fieldfare.ledger.service.verify import verify_ledger
from fieldfare.orders import store
from fieldfare.orders.model import Order, Party
from fieldfare.orders.service import card
from fieldfare.orders.service.settle import ORDERS
from fieldfare.orders.service.verify import verify_orders
from fieldfare.orders.service.verify_balance import verify_trial_balance
from fieldfare.payments import store as payment_store
from fieldfare.payments.model import Exchange, ExchangeRate, Payment
from fieldfare.payments.rules import IN_DOLLARS, quote_top_up
from fieldfare.payments.service.balance import record_transactions
from fieldfare.payments.service.outcomes import find_payment_of
from fieldfare.payments.service.rates import set_rate
from fieldfare.payments.service.settling import settle_with
from fieldfare.payments.service.top_ups import TOP_UPS
from fieldfare.payments.service.top_ups.charging import open_top_up
from fieldfare.payments.service.verify_balance import verify_balance
from fieldfare.payments.service.verify_returns import verify_returns
from fieldfare.payments.service.verify_top_ups import verify_top_ups
from fieldfare.payments.store import update_balance_import
from tests.conftest import run_on_server, url_of
from tests.support.placing import order_of, placing
from tests.support.world import World, build_world

KG, TONNE = 1_000_000, 1_000_000_000

KEYS = {
    "catalog.price": ("project_id", "effective_at"),
    "catalog.project": ("id",),
    "catalog.weight": ("portfolio_id", "project_id"),
    "ledger.adjustment_request": ("id",),
    "ledger.entry": ("id",),
    "ledger.journal": ("id",),
    "ledger.wallet": ("account_id",),
    "orders.line": ("id",),
    "orders.purchase": ("id",),
    "payments.balance_transaction": ("transaction_id",),
    "payments.payment": ("id",),
    "payments.top_up": ("id",),
}
COVERED = (
    "catalog.price.unit_price_micro",
    "catalog.project.partner_share_ppm",
    "catalog.weight.weight_ppm",
    "ledger.adjustment_request.change_cents",
    "ledger.entry.amount_cents",
    "ledger.entry.balance_after_cents",
    "ledger.entry.number",
    "ledger.journal.amount_micro",
    "ledger.wallet.balance_cents",
    "ledger.wallet.certified_mg",
    "ledger.wallet.entry_count",
    "ledger.wallet.owed_cents",
    "ledger.wallet.trees",
    "orders.line.amount_micro",
    "orders.line.billed_micro",
    "orders.line.margin_micro",
    "orders.line.mass_mg",
    "orders.line.partner_micro",
    "orders.line.partner_share_ppm",
    "orders.line.trees",
    "orders.line.unit_price_micro",
    "orders.line.weight_ppm",
    "orders.purchase.amount_cents",
    "orders.purchase.charge_minor",
    "orders.purchase.mass_mg",
    "orders.purchase.price_revision",
    "orders.purchase.rate",
    "orders.purchase.tax_minor",
    "orders.purchase.tax_rate_ppm",
    "orders.purchase.trees",
    "orders.purchase.unit_price_cents",
    "payments.balance_transaction.amount_minor",
    "payments.balance_transaction.fee_minor",
    "payments.balance_transaction.net_minor",
    "payments.balance_transaction.source_minor",
    "payments.payment.amount_cents",
    "payments.payment.amount_minor",
    "payments.payment.rate",
    "payments.top_up.amount_cents",
    "payments.top_up.returned_cents",
)
NOT_APPLICABLE = {
    "impact.ranking.certified_mg": "made anew from the wallets every minute",
    "payments.exchange_rate.rate": "what was sold at it holds the rate itself",
    "accounts.account.refill_below_cents": "an earlier place of `accounts.refill`; nobody reads it",
    "accounts.account.refill_cents": "the same",
    "accounts.refill.below_cents": "a wish of the owner's, which nothing was booked by",
    "accounts.refill.amount_cents": "the same; what a refill did add is its top-up's",
    "accounts.refill_failure.amount_cents": "what a mail says was tried; nothing was booked",
    "accounts.refill_failure.number": "what a mail says; nothing was booked",
}
ELSEWHERE = {
    "payments.dispute.amount_minor": "test_verify_returns.py",
    "payments.dispute.credits_cents": "test_verify_returns.py",
}
"""What is turned in another file, over a history of its own."""
NO_ROWS_YET = (
    "orders.line.refunded_",
    "orders.purchase.refunded_",
    "orders.refund",
    "payments.refund",
)
"""What nothing writes yet, so there is nothing to hold it against."""
AMOUNTS = "(_cents|_minor|_micro|_mg|_ppm)$|^(trees|rate|entry_count|number|price_revision)$"
BYTES = {"integer": 4, "bigint": 8, "numeric": 8}
IN_EUROS = Exchange(
    currency=get_currency("EUR"), rate=Decimal("0.9137"), rate_on=date(2026, 11, 20)
)


# ------------------------------------------------------------------------------------- history


@pytest.fixture(scope="module")
def books(server_url: str, template: str) -> Iterator[str]:
    """The name of a database with a varied history that nobody is connected to."""
    name = f"books_{uuid4().hex[:12]}"
    run_on_server(server_url, f"create database {name} template {template}")
    try:
        asyncio.run(write_history(url_of(server_url, name)))
        yield name
    finally:
        run_on_server(server_url, f"drop database {name} with (force)")


@pytest.fixture
def copy_url(server_url: str, books: str) -> Iterator[str]:
    """A copy of those books, to be damaged for good."""
    name = f"copy_{uuid4().hex[:12]}"
    run_on_server(server_url, f"create database {name} template {books}")
    yield url_of(server_url, name)
    run_on_server(server_url, f"drop database {name} with (force)")


@pytest.fixture
async def conn(server_url: str, books: str) -> AsyncIterator[Connection]:
    """A connection to the books themselves: what is damaged must be rolled back."""
    db = await open_database(url_of(server_url, books), pool_size=2, application="tests")
    try:
        async with connection(db) as conn:
            yield conn
    finally:
        await db.close()


async def write_history(url: str) -> None:
    """Accounts with credits, orders of all sizes around a change of price, adjustments, a card."""
    db = await open_database(url, pool_size=2, application="tests")
    try:
        world = await build_world(db)
        now = datetime.now(UTC)
        change_at = now + timedelta(seconds=10)
        own = await make_portfolio(db, world.team_id, now)
        async with transaction(db) as conn:
            await set_price(conn, 1, 9_999_999_999, change_at, made_by="tests", reason="a test")
        cheap = await load_catalogue(db, now)
        dear = await load_catalogue(db, change_at)
        async with transaction(db) as conn:
            for orders in batches(world, own, cheap, dear, change_at):
                verdicts = await store.place_on_credit(conn, [placing(order) for order in orders])
                assert all(v.balance_after_cents is not None for v in verdicts)
            await adjust_credits(conn, world.team_id, change_cents=-1234, reason="A mistake")
            await adjust_credits(conn, world.second_id, change_cents=5, reason="Goodwill")
            await adjust_by_two(conn, world)
            after = order_of(dear, world.team_id, 7 * KG, at=change_at + timedelta(minutes=3))
            await store.place_on_credit(conn, [placing(after)])
        await open_card_order(db, order_of(dear, world.team_id, 2 * TONNE, at=change_at))
        paid = order_of(dear, world.team_id, 3 * TONNE, at=change_at + timedelta(minutes=4))
        await pay_card_order(db, await open_card_order(db, paid), "ch_1")
        sold = order_of(dear, world.second_id, 5 * TONNE, at=change_at + timedelta(minutes=4))
        await pay_card_order(db, await open_card_order(db, sold), "ch_2")
        await buy_credits(db, world)
        await import_balance(db)
    finally:
        await db.close()


async def adjust_by_two(conn: Connection, world: World) -> None:
    """Adjustments that one operator asked for and another one approved."""
    now = datetime.now(UTC)
    operators = []
    for name in ("ada", "bob"):
        email = f"{name}@operators.example"
        operators.append(await accounts.open_user(conn, name=name, billing_email=email, now=now))
        await accounts.make_operator(conn, operators[-1], "bookkeeper", now)
    for account_id, cents in ((world.team_id, 777), (world.second_id, -3)):
        asked = await adjusting.adjust(
            conn, account_id, change_cents=cents, reason="Goodwill", operator_id=operators[0],
            alone_up_to_cents=0,
        )  # fmt: skip
        assert asked.request_id is not None
        await adjusting.approve(conn, asked.request_id, operators[1])


async def make_portfolio(db: Database, account_id: int, now: datetime) -> int:
    """A custom portfolio with a project that takes donations."""
    async with transaction(db) as conn:
        return await create_custom_portfolio(
            conn,
            account_id,
            name="Our own",
            description="Tonnes and a donation.",
            weights_ppm={1: 333_333, 18: 333_334, 31: 333_333},
            now=now,
            made_by="tests",
        )


def batches(
    world: World, own: int, cheap: Catalogue, dear: Catalogue, change_at: datetime
) -> list[list[Order]]:
    """Orders over and under a dollar, for three accounts, before and after a price changes."""
    party = Party(on_behalf_of_name="Ada", note="Thanks", metadata={"project": "p1", "a": "b"})
    team, second, person = world.team_id, world.second_id, world.personal_id
    later = change_at + timedelta(minutes=2)
    return [
        [order_of(cheap, team, 450_000_000, party=party, receipt=True)],
        [order_of(cheap, team, 1_000_003), order_of(cheap, second, 3)],
        [order_of(cheap, team, 250 * KG, portfolio_id=own)],
        # Priced a moment before the change, numbered a moment after it.
        [order_of(cheap, team, 90 * KG, portfolio_id=own, at=change_at + timedelta(seconds=1))],
        [order_of(dear, team, 333_333_333, portfolio_id=own, at=later)],
        [order_of(dear, second, 1_234_567_891, at=later), order_of(dear, team, 5 * KG, at=later)],
        [order_of(dear, person, 100 * KG, portfolio_id=21, at=later)],
    ]


async def open_card_order(db: Database, order: Order) -> Payment:
    """An order by card in euros whose outcome is not known."""
    # 0.9137 euros for a dollar: the price in euro cents, rounded up.
    quote = msgspec.structs.replace(
        order.quote,
        payment_method="stripe",
        charge_minor=-(-order.quote.amount_cents * 9137 // 10_000),
        exchange=IN_EUROS,
    )
    opening = card.open_order(
        msgspec.structs.replace(order, quote=quote), b'{"id":"","tons":2}', Card("cus_1", "pm_1")
    )
    async with connection(db) as conn:
        await store.open_card_order(conn, opening, None, settle_after=timedelta(minutes=1))
        payment = await find_payment_of(conn, order.id)
    assert payment is not None
    return payment


async def pay_card_order(db: Database, payment: Payment, charge_id: str) -> None:
    """The card was charged."""
    assert await settle_with(db, ORDERS, payment, charged_as(payment, charge_id)) is not None


def charged_as(payment: Payment, charge_id: str) -> Charged:
    """What the processor says of a payment that it charged."""
    return Charged(
        intent_id=f"pi_{charge_id}",
        charge_id=charge_id,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        customer=payment.customer,
        subject_id=str(payment.subject_id),
    )


async def buy_credits(db: Database, world: World) -> None:
    """Top-ups: in euros and in dollars, one not charged, and one whose outcome is not known."""
    async with transaction(db) as conn:
        assert IN_EUROS.rate_on is not None
        euro = ExchangeRate(currency="EUR", rate=IN_EUROS.rate, rate_on=IN_EUROS.rate_on)
        await set_rate(conn, euro, now=datetime.now(UTC), force=True)
    team, second = world.team_id, world.second_id
    await end_top_up(db, await begin_top_up(db, team, 4_321, IN_EUROS), "ch_3")
    await end_top_up(db, await begin_top_up(db, second, 5_000, IN_DOLLARS), "ch_4")
    await end_top_up(db, await begin_top_up(db, team, 700, IN_EUROS), None)
    await begin_top_up(db, team, 12_345, IN_EUROS)


async def begin_top_up(
    db: Database, account_id: int, amount_cents: int, exchange: Exchange
) -> Payment:
    """A top-up whose outcome is not known."""
    quote = quote_top_up(amount_cents, exchange)
    opening = open_top_up(quote, Card("cus_1", "pm_1"), account_id=account_id, origin="request")
    async with connection(db) as conn:
        await payment_store.open_top_up(conn, opening, None, settle_after=timedelta(minutes=1))
        payment = await find_payment_of(conn, opening.payment.subject_id)
    assert payment is not None
    return payment


async def end_top_up(db: Database, payment: Payment, charge_id: str | None) -> None:
    """The card was charged, or declined."""
    outcome: Outcome = Declined(code="generic_decline", intent_id=None)
    if charge_id is not None:
        outcome = charged_as(payment, charge_id)
    assert await settle_with(db, TOP_UPS, payment, outcome) is not None


async def import_balance(db: Database) -> None:
    """What the processor's list would show: a charge kept in euros, one sold for dollars, more."""
    async with transaction(db) as conn:
        rows = await conn.fetch("select charge_id, amount_minor from payments.payment")
        euros = {row["charge_id"]: row["amount_minor"] for row in rows}
        await record_transactions(
            conn,
            [
                moved("txn_1", "charge", "ch_1", euros["ch_1"], 311, "EUR"),
                moved("txn_2", "charge", "ch_2", round(euros["ch_2"] * 1.09), 705, "USD", "1.09"),
                moved("txn_6", "charge", "ch_3", euros["ch_3"], 140, "EUR"),
                moved("txn_7", "charge", "ch_4", 5000, 175, "USD"),
                moved("txn_3", "charge", "ch_stray", 5000, 175, "USD"),
                moved("txn_4", "payout", "po_1", -2000, 0, "EUR"),
                moved("txn_5", "stripe_fee", None, -25, 0, "USD"),
            ],
        )
        await update_balance_import(conn, datetime.now(UTC) + timedelta(days=1))


def moved(
    transaction_id: str,
    kind: str,
    source_id: str | None,
    amount_minor: int,
    fee_minor: int,
    currency: str,
    rate: str | None = None,
) -> BalanceTransaction:
    """A movement of our balance at the processor."""
    return BalanceTransaction(
        transaction_id=transaction_id,
        kind=kind,
        category=kind,
        source_id=source_id,
        amount_minor=amount_minor,
        fee_minor=fee_minor,
        net_minor=amount_minor - fee_minor,
        currency=currency,
        exchange_rate=None if rate is None else Decimal(rate),
        created_at=datetime(2026, 11, 20, tzinfo=UTC),
    )


async def findings(conn: Connection, page_rows: int = 1000) -> list[Finding]:
    """What all checks say."""
    return [
        *[finding async for finding in verify_catalogue(conn)],
        *[finding async for finding in verify_ledger(conn, page_rows)],
        *[finding async for finding in verify_orders(conn, page_rows)],
        *[finding async for finding in verify_top_ups(conn, page_rows)],
        *[finding async for finding in verify_returns(conn, page_rows)],
        *[finding async for finding in verify_balance(conn, page_rows)],
        *[finding async for finding in verify_trial_balance(conn)],
    ]


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


# --------------------------------------------------------------------------------- a clean sheet


async def test_books_that_agree_have_no_findings(conn: Connection) -> None:
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        for page_rows in (1, 2, 3, 1000):
            assert await findings(conn, page_rows) == []


async def test_an_empty_database_has_no_findings(db: Database) -> None:
    async with connection(db) as conn:
        assert await findings(conn, 1) == []


async def test_the_history_is_varied(conn: Connection) -> None:
    counts = await conn.fetchrow(
        """
        select count(distinct l.account_id) as buyers,
            count(distinct p.id) filter (where p.amount_cents < 100) as small,
            count(*) filter (where p.state = 'pending') as pending,
            count(*) filter (where l.kind = 'donation') as donations,
            count(distinct l.unit_price_micro) filter (where l.project_id = 1) as prices,
            (select min(amount_cents) from ledger.entry where kind = 'adjustment') as taken_back
        from orders.purchase p
        left join orders.line l on l.purchase_id = p.id
        """
    )
    assert counts is not None
    assert dict(counts) == {
        "buyers": 3,
        "small": 4,
        "pending": 1,
        "donations": 3,
        "prices": 2,
        "taken_back": -1234,
    }


# --------------------------------------------------------------------------------- turned bytes


async def test_no_amount_is_left_out(conn: Connection) -> None:
    rows = await conn.fetch(
        """
        select table_schema || '.' || table_name || '.' || column_name as name
        from information_schema.columns
        join pg_class on oid = format('%I.%I', table_schema, table_name)::regclass
        where relkind in ('r', 'p') and not relispartition and column_name ~ $1
            and table_schema not in ('pg_catalog', 'information_schema')
        """,
        AMOUNTS,
    )
    amounts = {row["name"] for row in rows if not row["name"].startswith(NO_ROWS_YET)}
    assert amounts == {*COVERED, *NOT_APPLICABLE, *ELSEWHERE}


async def test_what_is_left_out_says_nothing_yet(conn: Connection) -> None:
    for name in NO_ROWS_YET:
        schema, table, *column = name.split(".")
        said = " or ".join(
            f"{row['column_name']} <> 0"
            for row in await conn.fetch(
                "select column_name from information_schema.columns where table_schema = $1"
                " and table_name = $2 and starts_with(column_name, $3) and column_name ~ $4",
                schema, table, column[0], AMOUNTS,
            )
        ) if column else "true"  # fmt: skip
        assert await conn.fetchval(f"select count(*) from {schema}.{table} where {said}") == 0


@pytest.mark.parametrize("column", COVERED)
async def test_any_byte_turned_names_its_row(conn: Connection, column: str) -> None:
    rng = random.Random(column)
    table, _, name = column.rpartition(".")
    missed = []
    async with damaged(conn):
        await drop_checks(conn, table)
        rows = await rows_with(conn, table, name)
        for place in range(BYTES[rows[0]["type"]]):
            row = rng.choice(rows)
            value = turned(row[name], place, BYTES[row["type"]], rng)
            async with damaged(conn):
                await write(conn, table, name, row, value)
                found = await findings(conn)
            named = {(finding.table, finding.key) for finding in found}
            if (table, key_of(table, row)) not in named:
                missed.append(f"byte {place} of {key_of(table, row)}: {row[name]} became {value}")
        assert await findings(conn) == []
    assert missed == []


async def rows_with(conn: Connection, table: str, column: str) -> list[Any]:
    """The rows whose column can be turned: its keys and it."""
    keys = ", ".join(KEYS[table])
    rows = await conn.fetch(
        f"select {keys}, {column}, pg_typeof({column})::text as type"
        f" from {table} where {column} is not null order by {keys}"
    )
    assert rows
    return rows


def turned(value: int | Decimal, place: int, width: int, rng: random.Random) -> int | Decimal:
    """The value with one of its bytes changed, the lowest being place 0; a rate to ten decimals."""
    if isinstance(value, Decimal):
        return Decimal(int(value.scaleb(10)) ^ (rng.randrange(1, 128) << 8 * place)).scaleb(-10)
    raw = bytearray(value.to_bytes(width, "little", signed=True))
    raw[place] ^= rng.randrange(1, 256)
    return int.from_bytes(raw, "little", signed=True)


async def write(conn: Connection, table: str, column: str, row: Any, value: object) -> None:
    """Change one row, past every trigger and check."""
    keys = " and ".join(f"{key} = ${i}" for i, key in enumerate(KEYS[table], start=2))
    done = await conn.execute(
        f"update {table} set {column} = $1 where {keys}",
        value,
        *(row[key] for key in KEYS[table]),
    )
    assert done == "UPDATE 1"


def key_of(table: str, row: Any) -> str:
    """A row as a finding names it."""
    parts = ((key, row[key]) for key in KEYS[table])
    return " ".join(
        f"{key}={value.isoformat() if isinstance(value, datetime) else value}"
        for key, value in parts
    )


# ------------------------------------------------------------------------ rows gone, moved, doubled

VICTIM = """
    create temporary table victim on commit drop as
    select p.id as purchase, p.account_id as account, e.id as entry, e.number, l.id as line,
        a.id as adjustment, j.id as leg,
        (select r.id from ledger.adjustment_request r order by r.id limit 1) as request
    from (select * from orders.purchase where state = 'paid' order by id limit 1 offset 2) as p
    join ledger.entry e on e.group_id = p.id
    join lateral (
        select id from orders.line where purchase_id = p.id order by project_id limit 1
    ) as l on true
    join lateral (
        select id from ledger.entry where account_id = p.account_id and kind = 'adjustment'
        order by number limit 1
    ) as a on true
    join ledger.journal j on j.movement_id = a.id and j.book = 'credits'
"""
COPY_ENTRY = """
    insert into ledger.entry
    select overlay(e.id::text placing 'ffffffffffff' from 25)::uuid, e.account_id, {number},
        e.kind, e.amount_cents, {balance}, e.group_id, e.description, e.created_at
    from ledger.entry e join victim v on v.entry = e.id
"""
STRUCTURE = [
    pytest.param(
        "delete from orders.line l using victim v where l.id = v.line",
        "orders.purchase id={purchase}",
        id="a line gone",
    ),
    pytest.param(
        "delete from orders.line l using victim v where l.purchase_id = v.purchase",
        "orders.purchase id={purchase}",
        id="all lines gone",
    ),
    pytest.param(
        "delete from orders.purchase p using victim v where p.id = v.purchase",
        "orders.purchase id={purchase}",
        id="a purchase gone",
    ),
    pytest.param(
        "delete from orders.purchase p using victim v where p.id = v.purchase",
        "orders.line id={line}",
        id="a purchase gone, its lines left",
    ),
    pytest.param(
        "delete from orders.purchase p using victim v where p.id = v.purchase;"
        "delete from orders.line l using victim v where l.purchase_id = v.purchase",
        "orders.purchase id={purchase}",
        id="a purchase gone with its lines",
    ),
    pytest.param(
        "delete from ledger.entry e using victim v where e.id = v.entry",
        "ledger.entry account_id={account} number={number}",
        id="an entry gone",
    ),
    pytest.param(
        "delete from ledger.entry e using victim v where e.id = v.entry",
        "orders.purchase id={purchase}",
        id="an entry gone, its purchase left",
    ),
    pytest.param(
        "delete from ledger.entry e using victim v where e.account_id = v.account"
        " and e.number = (select entry_count from ledger.wallet where account_id = v.account)",
        "ledger.wallet account_id={account}",
        id="the last entry gone",
    ),
    pytest.param(
        "delete from ledger.entry e using victim v where e.id = v.adjustment",
        "ledger.journal id={leg}",
        id="an adjustment gone",
    ),
    pytest.param(
        COPY_ENTRY.format(number="e.number", balance="e.balance_after_cents"),
        "ledger.entry id={copy}",
        id="an entry twice",
    ),
    pytest.param(
        # As a second debit would be, with all that belongs to it.
        COPY_ENTRY.format(number="w.entry_count + 1", balance="w.balance_cents + e.amount_cents")
        + "join ledger.wallet w on w.account_id = e.account_id;"
        "update ledger.wallet w set entry_count = w.entry_count + 1,"
        " balance_cents = w.balance_cents + e.amount_cents"
        " from victim v join ledger.entry e on e.id = v.entry where w.account_id = v.account",
        "orders.purchase id={purchase}",
        id="paid twice",
    ),
    pytest.param(
        "update orders.purchase p set account_id = 1002 from victim v where p.id = v.purchase",
        "orders.purchase id={purchase}",
        id="a purchase of another account",
    ),
    pytest.param(
        "update orders.purchase p set account_id = 1002 from victim v where p.id = v.purchase;"
        "update orders.line l set account_id = 1002 from victim v where l.purchase_id = v.purchase",
        "orders.purchase id={purchase}",
        id="a purchase of another account with its lines",
    ),
    pytest.param(
        "update orders.line l set account_id = 1002 from victim v where l.id = v.line",
        "orders.line id={line}",
        id="a line of another account",
    ),
    pytest.param(
        "update orders.line l set purchase_id = p.id from victim v join orders.purchase p"
        " on p.account_id = v.account and p.id <> v.purchase where l.id = v.line",
        "orders.line id={line}",
        id="a line of another purchase",
    ),
    pytest.param(
        "update orders.line l set project_id = 4711 from victim v where l.id = v.line",
        "orders.line id={line}",
        id="a line of another project",
    ),
    pytest.param(
        "update orders.line l set standing = 'uncertified', kind = 'donation'"
        " from victim v where l.id = v.line",
        "orders.line id={line}",
        id="a line of another kind",
    ),
    pytest.param(
        "update orders.purchase p set state = 'failed' from victim v where p.id = v.purchase",
        "orders.purchase id={purchase}",
        id="a paid purchase said to have failed",
    ),
    pytest.param(
        "update orders.purchase p set currency = 'XXX', payment_method = 'stripe'"
        " from victim v where p.id = v.purchase",
        "orders.purchase id={purchase}",
        id="a currency that is none",
    ),
    pytest.param(
        "update orders.purchase p set portfolio_id = 4711 from victim v where p.id = v.purchase",
        "orders.purchase id={purchase}",
        id="a portfolio that is none",
    ),
    pytest.param(
        "update orders.purchase p set created_at = p.created_at - interval '1 year'"
        " from victim v where p.id = v.purchase",
        "orders.purchase id={purchase}",
        id="bought before there was a price",
    ),
    pytest.param(
        "delete from ledger.wallet w using victim v where w.account_id = v.account",
        "ledger.wallet account_id={account}",
        id="a wallet gone",
    ),
    pytest.param(
        "delete from ledger.wallet w using victim v where w.account_id = v.account;"
        "delete from ledger.entry e using victim v where e.account_id = v.account",
        "ledger.wallet account_id={account}",
        id="a wallet gone with its entries",
    ),
    pytest.param(
        "delete from ledger.journal j using victim v where j.id = v.leg",
        "ledger.entry id={adjustment}",
        id="a leg gone",
    ),
    pytest.param(
        "delete from ledger.journal j using victim v where j.movement_id = v.adjustment",
        "ledger.entry id={adjustment}",
        id="both legs gone",
    ),
    pytest.param(
        "update ledger.adjustment_request r set account_id = 4711"
        " from victim v where r.id = v.request",
        "ledger.adjustment_request id={request}",
        id="an approved adjustment of another account",
    ),
    pytest.param(
        "update ledger.adjustment_request r set entry_id = r.id"
        " from victim v where r.id = v.request",
        "ledger.adjustment_request id={request}",
        id="an approved adjustment whose entry is not there",
    ),
    pytest.param(
        "update ledger.journal j set account_id = 4711 from victim v where j.id = v.leg",
        "ledger.journal id={leg}",
        id="a leg of another account",
    ),
    pytest.param(
        "update ledger.journal j set kind = 'top_up' from victim v where j.id = v.leg",
        "ledger.journal id={leg}",
        id="a leg of another kind",
    ),
    pytest.param(
        "update ledger.journal j set book = 'receivables' from victim v where j.id = v.leg",
        "ledger.wallet account_id={account}",
        id="a debt that the wallet does not know",
    ),
    pytest.param(
        "update ledger.journal j set amount_micro = 7 * j.amount_micro"
        " from victim v where j.movement_id = v.adjustment",
        "ledger.journal id={leg}",
        id="balanced legs of another amount",
    ),
]


@pytest.mark.parametrize(("damage", "named"), STRUCTURE)
async def test_a_row_gone_moved_or_doubled_is_named(
    conn: Connection, damage: str, named: str
) -> None:
    async with damaged(conn):
        await conn.execute(VICTIM)
        victim = await conn.fetchrow("select * from victim")
        assert victim is not None
        before = {row["id"] for row in await conn.fetch("select id from ledger.entry")}
        await conn.execute(damage)
        copies = await conn.fetch("select id from ledger.entry where id <> all($1)", before)
        names = dict(victim) | {"copy": copies[0]["id"] if copies else None}
        found = [str(finding) for finding in await findings(conn)]
        in_short_pages = [str(finding) for finding in await findings(conn, 2)]
    assert [text for text in found if text.startswith(named.format(**names) + ":")], found
    assert sorted(in_short_pages) == sorted(found)


BOUGHT = """
    create temporary table bought on commit drop as
    select t.id as top_up, p.id as payment, t.entry_id as entry,
        (select id from payments.top_up where charge_id = 'ch_4') as other
    from payments.top_up t
    join payments.payment p on p.subject_id = t.id
    where t.charge_id = 'ch_3'
"""
OF_TOP_UPS = [
    pytest.param(
        "delete from payments.top_up t using bought b where t.id = b.top_up",
        ["payments.payment id={payment}", "ledger.entry id={entry}"],
        id="a top-up gone",
    ),
    pytest.param(
        "delete from payments.payment p using bought b where p.id = b.payment",
        ["payments.top_up id={top_up}"],
        id="its payment gone",
    ),
    pytest.param(
        "create temporary table again on commit drop as"
        " select p.* from payments.payment p join bought b on p.id = b.payment;"
        "update again set id = overlay(id::text placing 'ffffffffffff' from 25)::uuid;"
        "insert into payments.payment select * from again",
        ["payments.top_up id={top_up}"],
        id="asked of the card twice",
    ),
    pytest.param(
        "delete from ledger.entry e using bought b where e.id = b.entry",
        ["payments.top_up id={top_up}"],
        id="its entry gone",
    ),
    pytest.param(
        "delete from ledger.journal j using bought b where j.movement_id = b.entry",
        ["payments.top_up id={top_up}", "ledger.entry id={entry}"],
        id="its legs gone",
    ),
    pytest.param(
        "update ledger.journal j set amount_micro = 2 * amount_micro"
        " from bought b where j.movement_id = b.entry and j.currency = 'EUR'",
        ["payments.top_up id={top_up}"],
        id="balanced legs of another charge",
    ),
    pytest.param(
        "update ledger.journal j set book = 'fees'"
        " from bought b where j.movement_id = b.entry and j.book = 'exchange'",
        ["payments.top_up id={top_up}"],
        id="legs in another book",
    ),
    pytest.param(
        "update payments.top_up t set state = 'failed' from bought b where t.id = b.top_up",
        ["payments.top_up id={top_up}", "payments.payment id={payment}"],
        id="a paid one said to have failed",
    ),
    pytest.param(
        "update payments.top_up t set state = 'failed', charge_id = null, entry_id = null"
        " from bought b where t.id = b.top_up",
        ["payments.top_up id={top_up}", "payments.payment id={payment}", "ledger.entry id={entry}"],
        id="a paid one made to have failed",
    ),
    pytest.param(
        "update payments.top_up t set state = 'paid' where t.state = 'pending'",
        ["payments.top_up id={pending}", "payments.payment id={pending_payment}"],
        id="a pending one said to be paid",
    ),
    pytest.param(
        "update payments.top_up t set account_id = 4711 from bought b where t.id = b.top_up",
        ["payments.top_up id={top_up}", "payments.payment id={payment}"],
        id="of another account",
    ),
    pytest.param(
        "update payments.top_up t set charge_id = 'ch_5' from bought b where t.id = b.top_up",
        ["payments.top_up id={top_up}", "payments.payment id={payment}"],
        id="of another charge",
    ),
    pytest.param(
        "update payments.top_up t set entry_id = null from bought b where t.id = b.other;"
        "update payments.top_up t set entry_id = (select e.id from ledger.entry e"
        " where e.kind = 'top_up' and e.id <> b.entry) from bought b where t.id = b.top_up",
        ["payments.top_up id={top_up}", "payments.top_up id={other}", "ledger.entry id={entry}"],
        id="of another's entry",
    ),
    pytest.param(
        "update payments.payment p set subject = 'purchase' from bought b where p.id = b.payment",
        ["payments.top_up id={top_up}", "payments.payment id={payment}"],
        id="its payment said to be an order's",
    ),
    pytest.param(
        "update payments.payment p set currency = 'XXX' from bought b where p.id = b.payment",
        ["payments.top_up id={top_up}", "payments.payment id={payment}"],
        id="a currency that is none",
    ),
    pytest.param(
        "update payments.payment p set rate_on = rate_on + 1 from bought b where p.id = b.payment",
        ["payments.payment id={payment}"],
        id="a rate of another day",
    ),
]


@pytest.mark.parametrize(("damage", "named"), OF_TOP_UPS)
async def test_a_top_up_that_its_records_gainsay_is_named(
    conn: Connection, damage: str, named: list[str]
) -> None:
    async with damaged(conn):
        await drop_checks(conn, "payments.top_up")
        await conn.execute(BOUGHT)
        names = dict(await conn.fetchrow("select * from bought") or {})
        pending = await conn.fetchrow(
            "select t.id as pending, p.id as pending_payment from payments.top_up t"
            " join payments.payment p on p.subject_id = t.id where t.state = 'pending'"
        )
        await conn.execute(damage)
        found = [str(finding) for finding in await findings(conn)]
        in_short_pages = [str(finding) for finding in await findings(conn, 1)]
    rows = {name.format(**names, **dict(pending or {})) for name in named}
    assert rows <= {text.partition(":")[0] for text in found}, found
    assert sorted(in_short_pages) == sorted(found)


async def test_a_change_of_the_catalogue_that_cannot_be_read_is_named(conn: Connection) -> None:
    async with damaged(conn):
        await conn.execute(
            """update catalog.revision set change = '{"prices": 5}' where revision = 1"""
        )
        tables = {finding.table for finding in await findings(conn)}
    assert {"catalog.revision", "orders.purchase"} <= tables


# ------------------------------------------------------------------------- the price of an instant


async def verify_order_at(db: Database, world: World, *, minutes_late: float) -> list[Finding]:
    """What is found if an order goes by the price that held until so long before it."""
    now = datetime.now(UTC)
    change_at = now + timedelta(seconds=30)
    async with transaction(db) as conn:
        await set_price(conn, 1, 9_999_999_999, change_at, made_by="tests", reason="a test")
    outdated = await load_catalogue(db, now)
    order = order_of(outdated, world.team_id, TONNE, at=change_at + timedelta(minutes=minutes_late))
    async with connection(db) as conn:
        (verdict,) = await store.place_on_credit(conn, [placing(order)])
        assert verdict.balance_after_cents is not None
        return await findings(conn)


async def test_a_price_may_be_a_moment_old(db: Database, world: World) -> None:
    assert await verify_order_at(db, world, minutes_late=0.9) == []


async def test_a_price_of_yesterday_is_named(db: Database, world: World) -> None:
    found = await verify_order_at(db, world, minutes_late=1.1)
    messages = [f"{finding.table} {finding.message}" for finding in found]
    assert [text for text in messages if text.startswith("orders.purchase unit_price_cents is")]
    assert [text for text in messages if text.startswith("orders.line unit_price_micro is")]


# ------------------------------------------------------------------------------ beside a busy house


async def test_one_snapshot_agrees_while_orders_are_placed(db: Database, world: World) -> None:
    catalogue = await load_catalogue(db, datetime.now(UTC))
    stop = asyncio.Event()

    async def keep_ordering() -> int:
        placed = 0
        while not stop.is_set():
            async with connection(db) as conn:
                orders = [order_of(catalogue, world.team_id, KG), order_of(catalogue, 1002, KG)]
                await store.place_on_credit(conn, [placing(order) for order in orders])
            placed += 1
        return placed

    async def verify_often() -> list[Finding]:
        found: list[Finding] = []
        async with connection(db) as conn:
            for _ in range(8):
                async with conn.transaction(isolation="repeatable_read", readonly=True):
                    found += await findings(conn, 7)
        stop.set()
        return found

    placed, found = await asyncio.gather(keep_ordering(), verify_often())
    assert found == []
    assert placed > 8


# ---------------------------------------------------------------------------------- the command


def run_verify(database_url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "fieldfare.cli.main", "verify", *words],
        env=os.environ | {"DATABASE_URL": database_url},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_the_command_tells_of_books_that_agree_and_of_a_turned_byte(copy_url: str) -> None:
    clean = run_verify(copy_url)
    assert (clean.returncode, clean.stderr) == (0, "")
    lines = clean.stdout.splitlines()
    assert [line[:3] for line in lines] == ["  …", "  ✓"] * len(CHECKS) + ["The"]
    assert lines[-1] == "The books agree."
    with psycopg.connect(copy_url) as conn:
        conn.execute("set session_replication_role = replica")
        row = conn.execute(
            "update ledger.entry set balance_after_cents = balance_after_cents # 256"
            " where number = 2 and account_id = (select min(account_id) from orders.line)"
            " returning id"
        ).fetchone()
    assert row is not None
    damaged_books = run_verify(copy_url)
    assert damaged_books.returncode == 1
    assert f"  ✗ ledger.entry id={row[0]}: balance_after_cents is" in damaged_books.stdout
    assert "Stop paying out" in damaged_books.stdout.splitlines()[-1]


def test_the_help_has_an_example() -> None:
    told = run_verify("postgresql://nobody@127.0.0.1:1/none", "--help")
    assert told.returncode == 0
    assert "Example: fieldfare verify" in told.stdout
