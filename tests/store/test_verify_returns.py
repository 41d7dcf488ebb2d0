"""`fieldfare verify` knows what went back of top-ups, and what was disputed: damage is named.

One history of both, over HTTP against the simulator, in dollars, euros and yen: refunds whole, in
part, under way, failed at once and failed later, made by others; disputes open, won, lost, of
orders and of top-ups whose credits were spent.
"""

import random
from collections.abc import AsyncIterator, Iterator
from datetime import date
from typing import Any

import pytest

from fieldfare.cli.verify import CHECKS
from fieldfare.db.pool import Connection, Database, connection, open_database
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.kernel.findings import Finding
from fieldfare.payments.errors import RefundNotMade, RefundOutcomeUnknown
from fieldfare.payments.service.top_ups.refunding import find_top_up_id, refund_top_up
from tests.store.test_verify import damaged, drop_checks, turned
from tests.support.cards import CardShop, Team, card_shop

CREATE = {"method": "POST", "path": "/v1/refunds"}
LIST = {"method": "GET", "path": "/v1/refunds"}
WIDTHS = {"bigint": 8, "smallint": 2}
COVERED = {
    "payments.dispute.amount_minor": "true",
    "payments.dispute.credits_cents": "true",
    "payments.dispute.returns": "true",
    "payments.dispute.withdrawals": "true",
    "payments.refund.amount_minor": "true",
    "payments.refund.credits_cents": "true",
    "payments.top_up.returned_cents": "state = 'paid'",
}
"""Columns, and of which rows."""
KEYS = {"payments.dispute": "dispute_id", "payments.refund": "id", "payments.top_up": "id"}


@pytest.fixture(scope="module")
def books(server_url: str, template: str) -> Iterator[str]:
    """The address of a database with such a history."""
    with card_shop(server_url, template) as shop:
        shop.begin()
        shop.set_rate("EUR", "0.9137", date(2026, 11, 20))
        shop.set_rate("JPY", "151.37", date(2026, 11, 20))
        for currency in ("USD", "EUR", "JPY"):
            give_back(shop, currency)
            dispute(shop, currency)
        yield shop.database_url


def give_back(shop: CardShop, currency: str) -> None:
    """Refunds of top-ups, in every state."""
    team = shop.team(currency=currency)
    refund(shop, top_up(shop, team))
    refund(shop, top_up(shop, team), 333)
    by_others = top_up(shop, team)
    assert shop.order(team, paymentMethod="credits", tons=1).status_code == 200
    shop.stripe.client().v1.refunds.create({"charge": by_others})
    shop.stripe.fault("429", **CREATE)
    with pytest.raises(RefundNotMade):
        refund(shop, top_up(shop, team))
    shop.stripe.fault("reset", **CREATE)
    shop.stripe.fault("500", **LIST)
    with pytest.raises(RefundOutcomeUnknown):
        refund(shop, top_up(shop, team), 250)
    refund(shop, top_up(shop, shop.team("pm_card_refundFail", currency)))
    shop.stripe.advance(5)
    work(shop)


def dispute(shop: CardShop, currency: str) -> None:
    """Disputes of orders and top-ups, in every state; of one the credits are spent."""
    team = shop.team(currency=currency)
    for outcome in ("open", "won", "lost"):
        order = shop.order(team)
        assert order.status_code == 200, order.text
        shop.dispute(order.json()["id"], outcome)
        shop.dispute(top_up(shop, team), outcome)
    shop.dispute(top_up(shop, team), "lost", amount=321)
    assert shop.order(team, paymentMethod="credits", tons=1.2).status_code == 200
    shop.dispute(top_up(shop, team), "lost")
    work(shop)
    spent = shop.team(currency=currency)
    charge_id = top_up(shop, spent)
    assert shop.order(spent, paymentMethod="credits").status_code == 200
    shop.dispute(charge_id, "lost")
    work(shop)
    assert shop.owed(spent) > 0


def work(shop: CardShop) -> None:
    """Every event comes, and is worked on."""
    shop.flush_events()
    shop.work()


def top_up(shop: CardShop, team: Team) -> str:
    """$10.00 of credits; gives the charge."""
    answer = shop.top_up(team, cents=1_000)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def refund(shop: CardShop, charge_id: str, amount_minor: int | None = None) -> None:
    """An operator gives a top-up back."""

    async def give(db: Database, gateway: StripeGateway) -> None:
        async with connection(db) as conn:
            top_up_id = await find_top_up_id(conn, charge_id)
        assert top_up_id is not None
        await refund_top_up(db, gateway, top_up_id, amount_minor=amount_minor, reason="a test")

    shop.stage.do(give)


@pytest.fixture
async def conn(books: str) -> AsyncIterator[Connection]:
    """A connection to the books: what is damaged must be rolled back."""
    db = await open_database(books, pool_size=2, application="tests")
    try:
        async with connection(db) as conn:
            yield conn
    finally:
        await db.close()


async def findings(conn: Connection) -> list[Finding]:
    """What all checks say."""
    return [finding for _, check in CHECKS async for finding in check(conn)]


def names(found: list[Finding]) -> set[tuple[str, str]]:
    """The rows that are named."""
    return {(finding.table, finding.key) for finding in found}


async def test_books_that_agree_have_no_findings(conn: Connection) -> None:
    assert await findings(conn) == []


async def test_the_history_is_varied(conn: Connection) -> None:
    disputes = await conn.fetch(
        "select d.state, p.subject, p.currency, count(*)"
        " from payments.dispute d join payments.payment p on p.id = d.payment_id group by 1, 2, 3"
    )
    assert len(disputes) == 3 * 2 * 3
    refunds = await conn.fetch(
        "select distinct state, origin, failure_code is null from payments.refund"
    )
    assert {tuple(row) for row in refunds} == {
        ("succeeded", "operator", True),
        ("succeeded", "operator", False),
        ("succeeded", "processor", True),
        ("failed", "operator", False),
        ("pending", "operator", True),
    }


@pytest.mark.parametrize("column", COVERED)
async def test_any_byte_turned_names_its_row(conn: Connection, column: str) -> None:
    rng = random.Random(column)
    table, _, name = column.rpartition(".")
    key = KEYS[table]
    missed = []
    async with damaged(conn):
        await drop_checks(conn, table)
        rows = await conn.fetch(
            f"select {key} as key, {name} as value, pg_typeof({name})::text as type from {table}"
            f" where {name} is not null and {COVERED[column]} order by {key}"
        )
        width = WIDTHS[rows[0]["type"]]
        for place in range(width):
            for row in rng.sample(rows, 2):
                value = turned(row["value"], place, width, rng)
                async with damaged(conn):
                    await conn.execute(
                        f"update {table} set {name} = $1 where {key} = $2", value, row["key"]
                    )
                    found = names(await findings(conn))
                if (table, f"{key}={row['key']}") not in found:
                    missed.append(f"byte {place} of {row['key']}: {row['value']} became {value}")
    assert missed == []


STRUCTURE = [
    pytest.param(
        "delete from payments.dispute where dispute_id = (select dispute_id from payments.dispute d"
        " join payments.payment p on p.id = d.payment_id"
        " where p.subject = 'purchase' and d.state = 'lost' limit 1)",
        "orders.refund",
        id="a lost dispute of an order gone",
    ),
    pytest.param(
        "delete from payments.dispute where dispute_id = (select dispute_id from payments.dispute d"
        " join payments.payment p on p.id = d.payment_id"
        " where p.subject = 'purchase' and d.state = 'open' limit 1)",
        "orders.purchase",
        id="an open dispute of an order gone",
    ),
    pytest.param(
        "delete from payments.dispute where dispute_id = (select dispute_id from payments.dispute d"
        " join payments.payment p on p.id = d.payment_id"
        " where p.subject = 'top_up' and d.state = 'lost' limit 1)",
        "payments.top_up",
        id="a lost dispute of a top-up gone",
    ),
    pytest.param(
        "update payments.dispute set state = 'won' where dispute_id ="
        " (select min(dispute_id) from payments.dispute where state = 'open')",
        "payments.dispute",
        id="an open dispute said to be won",
    ),
    pytest.param(
        "update payments.dispute d set payment_id = (select p.id from payments.payment p"
        " where p.state = 'succeeded' and p.subject = 'purchase' and p.id <> d.payment_id limit 1)"
        " where dispute_id = (select min(dispute_id) from payments.dispute where state = 'lost'"
        " and credits_cents is null)",
        "payments.dispute",
        id="a dispute of another order",
    ),
    pytest.param(
        "update orders.purchase set state = 'paid' where id ="
        " (select id from orders.purchase where state = 'disputed' limit 1)",
        "orders.purchase",
        id="a disputed order said to be paid",
    ),
    pytest.param(
        "update orders.purchase set state = 'disputed' where id ="
        " (select id from orders.purchase where state = 'paid' limit 1)",
        "orders.purchase",
        id="a paid order said to be disputed",
    ),
    pytest.param(
        "delete from payments.refund where id =(select id from payments.refund"
        " where state = 'succeeded' and failure_code is null limit 1)",
        "payments.top_up",
        id="a refund of a top-up gone",
    ),
    pytest.param(
        "update payments.refund set state = 'failed', failure_code = 'x' where id ="
        " (select id from payments.refund where state = 'pending' limit 1)",
        "ledger.wallet",
        id="a refund under way said to have failed, its credits nowhere",
    ),
    pytest.param(
        "update payments.refund set state = 'succeeded', refund_id = 're_x' where id ="
        " (select id from payments.refund where state = 'failed' limit 1)",
        "payments.refund",
        id="a failed refund said to have succeeded",
    ),
    pytest.param(
        "update payments.refund set processor_key = 'x' where id ="
        " (select id from payments.refund where origin = 'operator' limit 1)",
        "payments.refund",
        id="another key at the processor",
    ),
    pytest.param(
        "update ledger.journal set movement_id = gen_random_uuid() where movement_id in"
        " (select movement_id from ledger.journal where kind = 'dispute' and book = 'disputes'"
        " limit 1)",
        "ledger.journal",
        id="a movement of no dispute",
    ),
    pytest.param(
        "update ledger.journal set kind = 'refund' where kind = 'dispute' and book = 'processor'",
        "payments.dispute",
        id="legs of another kind",
    ),
]


@pytest.mark.parametrize(("damage", "table"), STRUCTURE)
async def test_a_row_gone_or_moved_is_named(conn: Connection, damage: str, table: str) -> None:
    async with damaged(conn):
        for name in KEYS:
            await drop_checks(conn, name)
        await drop_checks(conn, "orders.purchase")
        await conn.execute(damage)
        found: list[Any] = await findings(conn)
    assert table in {finding.table for finding in found}, found
