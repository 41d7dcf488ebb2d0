"""`fieldfare verify` knows what went back of top-ups, and what was disputed: damage is named.

One history of both, over HTTP against the simulator, in dollars, euros and yen: refunds whole, in
part, under way, failed at once and failed later, made by others; disputes open, won, lost, of
orders and of top-ups whose credits were spent.
"""

from collections.abc import Iterator
from datetime import date

import pytest

from fieldfare.db.pool import Connection
from fieldfare.payments.errors import RefundNotMade, RefundOutcomeUnknown
from tests.support.cards import CardShop, Team, card_shop
from tests.support.damage import damaged, drop_checks, findings, missed_bytes
from tests.support.refunds import CREATE, LIST
from tests.support.top_ups import TEN, refund

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
    shop.hear()


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
    shop.hear()
    spent = shop.team(currency=currency)
    charge_id = top_up(shop, spent)
    assert shop.order(spent, paymentMethod="credits").status_code == 200
    shop.dispute(charge_id, "lost")
    shop.hear()
    assert shop.owed(spent) > 0


def top_up(shop: CardShop, team: Team) -> str:
    """Credits are bought, and what others do meanwhile is not heard of yet; gives the charge."""
    answer = shop.top_up(team, cents=TEN)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


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
    assert await missed_bytes(conn, column, where=COVERED[column], rows_each=2) == []


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
        for table_damaged in (
            "orders.purchase", "payments.dispute", "payments.refund", "payments.top_up",
        ):  # fmt: skip
            await drop_checks(conn, table_damaged)
        await conn.execute(damage)
        found = await findings(conn)
    assert table in {finding.table for finding in found}, found
