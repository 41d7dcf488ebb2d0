"""`fieldfare verify` knows what of orders went back: whatever of it is damaged is named.

One history, over HTTP against the simulator, in dollars, euros and yen: refunds whole and in part,
to cards and to credits, under way, failed at once, failed later and paid once more, made by others.
"""

from collections.abc import Iterator
from datetime import date

import pytest

from fieldfare.db.pool import Connection
from fieldfare.ledger.service.credits import adjust_credits
from fieldfare.payments.errors import RefundNotMade, RefundOutcomeUnknown
from tests.store.test_verify_bytes import NO_ROWS_YET
from tests.support.cards import CardShop, card_shop
from tests.support.damage import AMOUNTS, damaged, drop_checks, findings, missed_bytes, names
from tests.support.refunds import CREATE, LIST, bought, refund, refund_at_processor
from tests.support.waiting import wait_until

SPREAD = {"tons": 0.45, "portfolioId": 12}
OF_ORDERS = "payment_id in (select id from payments.payment where subject = 'purchase')"
OF_REFUNDS = "movement_id in (select id from orders.refund)"
COVERED = {
    "ledger.entry.amount_cents": "kind = 'refund'",
    "ledger.journal.amount_micro": OF_REFUNDS,
    "orders.line.refunded_mg": "true",
    "orders.line.refunded_micro": "true",
    "orders.line.refunded_trees": "true",
    "orders.purchase.refunded_minor": "true",
    "orders.refund.amount_micro": "true",
    "orders.refund.amount_minor": "true",
    "orders.refund.mass_mg": "true",
    "orders.refund.trees": "true",
    "orders.refund_line.amount_micro": "true",
    "orders.refund_line.margin_micro": "true",
    "orders.refund_line.mass_mg": "true",
    "orders.refund_line.partner_micro": "true",
    "orders.refund_line.trees": "true",
    "payments.refund.amount_minor": OF_ORDERS,
}
"""Columns, and of which rows."""
LEFT_TO_TOP_UPS = {"payments.refund.credits_cents"}


@pytest.fixture(scope="module")
def books(server_url: str, template: str) -> Iterator[str]:
    """The address of a database with such a history."""
    with card_shop(server_url, template) as shop:
        shop.begin()
        shop.set_rate("EUR", "0.9137", date(2026, 11, 20))
        shop.set_rate("JPY", "151.37", date(2026, 11, 20))
        for currency in ("USD", "EUR", "JPY"):
            give_back_to_cards(shop, currency)
        give_back_credits(shop)
        pay_once_more(shop)
        yield shop.database_url


def give_back_to_cards(shop: CardShop, currency: str) -> None:
    """Refunds of orders by card, in every state."""
    team = shop.team(currency=currency)
    in_parts, _ = bought(shop, team, **SPREAD)
    for amount in (111, 77, None):
        refund(shop, in_parts, amount)
    refund(shop, bought(shop, team, **SPREAD)[0], 200)
    refund_at_processor(shop, bought(shop, team)[1], 99)
    shop.stripe.fault("429", **CREATE)
    with pytest.raises(RefundNotMade):
        refund(shop, bought(shop, team)[0])
    shop.stripe.fault("reset", **CREATE)
    shop.stripe.fault("500", **LIST)
    with pytest.raises(RefundOutcomeUnknown):
        refund(shop, bought(shop, team)[0], 50)
    bought(shop, team)
    shop.hear()


def give_back_credits(shop: CardShop) -> None:
    """Refunds of orders from credits: tonnes, trees and a donation."""
    team = shop.team(card=None)
    shop.stage.write(
        lambda conn: adjust_credits(conn, team.id, change_cents=90_000, reason="A test")
    )
    for path, body, amount in (
        ("/api/offset-orders", SPREAD, 333),
        ("/api/offset-orders", SPREAD, None),
        ("/api/tree-orders", {"amountOfTrees": 7}, 100),
        ("/api/project-orders", {"projectId": 31, "amountInUsdCents": 500}, None),
    ):
        answer = shop.post({**body, "paymentMethod": "credits"}, team, path=path)
        assert answer.status_code == 200, answer.text
        refund(shop, answer.json()["purchaseId"], amount)


def pay_once_more(shop: CardShop) -> None:
    """Refunds whose money came back to us, also when somebody tried once more."""
    team = shop.team("pm_card_refundFail")
    for first in (None, 500):
        purchase_id, charge_id = bought(shop, team)
        refund(shop, purchase_id, first)
        let_refunds_fail(shop, charge_id)
        refund_at_processor(shop, charge_id)
        shop.hear()
        let_refunds_fail(shop, charge_id)


def let_refunds_fail(shop: CardShop, charge_id: str) -> None:
    """The refunds of a charge end as its card ends them."""
    shop.stripe.advance(5)

    def have_failed() -> bool:
        made = [one for one in shop.stripe.truth("refunds") if one["charge"] == charge_id]
        return {one["status"] for one in made} == {"failed"}

    wait_until(have_failed)
    shop.hear()


async def test_books_that_agree_have_no_findings(conn: Connection) -> None:
    assert await findings(conn) == []


async def test_the_history_is_varied(conn: Connection) -> None:
    states = await conn.fetch(
        "select origin || ' ' || state as said, count(*) from orders.refund group by 1 order by 1"
    )
    assert {row["said"]: row["count"] for row in states} == {
        "operator failed": 3,
        "operator pending": 3,
        "operator succeeded": 18,
        "processor succeeded": 4,
    }
    returned = (
        "select count(*) from payments.refund where state = 'succeeded' and failure_code <> ''"
    )
    assert await conn.fetchval(returned) == 4


async def test_no_amount_of_refunds_is_left_out(conn: Connection) -> None:
    rows = await conn.fetch(
        "select table_schema || '.' || table_name || '.' || column_name as name"
        " from information_schema.columns where column_name ~ $1"
        " and (column_name ~ '^refunded_' or table_name in ('refund', 'refund_line'))"
        " and table_name !~ '_(first|[0-9]+)$' and table_name <> 'listed_line'",
        AMOUNTS,
    )
    assert {row["name"] for row in rows} <= {*COVERED, *LEFT_TO_TOP_UPS}
    assert {name for name in NO_ROWS_YET if "refund" in name} <= {
        "orders.line.refunded_", "orders.purchase.refunded_", "orders.refund", "payments.refund",
    }  # fmt: skip


@pytest.mark.parametrize("column", COVERED)
async def test_any_byte_turned_names_its_row(conn: Connection, column: str) -> None:
    assert await missed_bytes(conn, column, where=COVERED[column]) == []


WHOLE = (
    "(select id from orders.refund where state = 'succeeded' and origin = 'operator'"
    " and currency = 'EUR' order by id limit 1)"
)
CREDITS = (
    "(select r.id from orders.refund r join ledger.entry e on e.id = r.id order by r.id limit 1)"
)
DAMAGE = [
    (f"delete from orders.refund_line where refund_id = {WHOLE}", "orders.refund"),
    (f"delete from orders.refund where id = {WHOLE}", "payments.refund"),
    (f"delete from orders.refund where id = {CREDITS}", "ledger.entry"),
    (f"delete from payments.refund where id = {WHOLE}", "orders.refund"),
    (f"delete from ledger.entry where id = {CREDITS}", "orders.refund"),
    (f"delete from ledger.journal where movement_id = {WHOLE}", "orders.refund"),
    (f"update orders.refund set state = 'failed' where id = {WHOLE}", "payments.refund"),
    (f"update payments.refund set state = 'failed' where id = {WHOLE}", "orders.refund"),
    (f"update orders.refund set currency = 'XXX' where id = {WHOLE}", "orders.refund"),
    (f"update orders.refund set account_id = 1 where id = {WHOLE}", "orders.refund"),
    (f"update orders.refund set origin = 'processor' where id = {WHOLE}", "payments.refund"),
    (f"update orders.refund set purchase_id = gen_random_uuid() where id = {WHOLE}",
     "orders.refund"),
    (f"update payments.refund set payment_id = gen_random_uuid() where id = {WHOLE}",
     "payments.refund"),
    (f"update payments.refund set request = '{{}}' where id = {WHOLE}", "payments.refund"),
    (f"update payments.refund set processor_key = 'k' where id = {WHOLE}", "payments.refund"),
    (f"update orders.refund_line set partner_id = 4711 where refund_id = {WHOLE}",
     "orders.refund_line"),
    (f"update orders.refund_line set line_id = gen_random_uuid() where refund_id = {WHOLE}"
     " and line_id = (select max(line_id::text)::uuid from orders.refund_line"
     f" where refund_id = {WHOLE})", "orders.line"),
    ("update orders.purchase set state = 'paid', refunded_at = null where state = 'refunded'",
     "orders.purchase"),
    ("update orders.line set refunded_at = now() where refunded_micro = 0", "orders.line"),
    (f"update ledger.entry set group_id = gen_random_uuid() where id = {CREDITS}", "ledger.entry"),
    (f"update ledger.journal set movement_id = gen_random_uuid() where movement_id = {WHOLE}",
     "orders.refund"),
    (f"update ledger.journal set kind = 'dispute' where movement_id = {WHOLE}", "orders.refund"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "table"), DAMAGE, ids=[one[0][:60] for one in DAMAGE])
async def test_a_row_gone_moved_or_changed_is_named(
    conn: Connection, statement: str, table: str
) -> None:
    async with damaged(conn):
        for damaged_table in ("orders.refund", "orders.purchase", "payments.refund"):
            await drop_checks(conn, damaged_table)
        assert (await conn.execute(statement)).split()[-1] != "0"
        found = await findings(conn)
    assert table in {finding.table for finding in found}, found


async def test_a_movement_without_a_refund_is_named(conn: Connection) -> None:
    async with damaged(conn):
        await conn.execute(
            "insert into ledger.journal (id, movement_id, kind, book, currency, amount_micro, memo,"
            " created_at) select id::uuid, '01900000-0000-7000-8000-00000000000e',"
            " 'refund', book, 'USD', micro, '', now()"
            " from (values ('01900000-0000-7000-8000-00000000000a', 'processor', 5),"
            " ('01900000-0000-7000-8000-00000000000b', 'margin', -5)) as legs (id, book, micro)"
        )
        found = names(await findings(conn))
    assert ("ledger.journal", "movement_id=01900000-0000-7000-8000-00000000000e") in found
