"""`fieldfare erase`: persons are forgotten everywhere, and the books agree as before.

Of an account and of an order; `test_erase_in_the_way.py` has what comes first, and what breaks off.
"""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

from fieldfare import jobs
from fieldfare.catalog.service import load_catalogue
from fieldfare.db.ids import new_id
from fieldfare.db.pool import Database, connection, transaction
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.jobs import JobContext
from fieldfare.ledger.service.credits import adjust_credits
from fieldfare.orders import store
from fieldfare.orders.model import Party
from fieldfare.orders.service import erasing
from fieldfare.settings import Settings
from tests.support.cards import CardShop
from tests.support.erasing import books, erased
from tests.support.lives import Life
from tests.support.mail_sink import MailSink
from tests.support.placing import order_of, placing
from tests.support.waiting import wait_until

# ------------------------------------------------------------------------------------ an account


def test_of_an_account_no_word_is_left_and_every_figure(shop: CardShop, life: Life) -> None:
    assert {
        "accounts.account", "accounts.identity", "accounts.token", "impact.feed",
        "impact.hidden_order", "orders.party", "orders.tag", "payments.inbox",
    } <= life.where_it_is()  # fmt: skip
    life.spend()
    before = books(shop, life.team.id)
    total = shop.get("/api/offset-orders", life.team).json()["stats"]["totalTons"]
    assert total > 0
    said = erased(shop, "--account", life.team.id)
    for words in ("tokens 2,", "memberships 1,", "names of 4,", "find them by 8."):
        assert words in said
    assert "Customers deleted at the card processor: 1" in said
    left = erased(shop, "--account", life.owner)
    for words in ("tokens 1,", "log-ins 2,", "operator's roles 1."):
        assert words in left
    shop.hear()
    assert life.where_it_is() == set()
    assert books(shop, life.team.id) == before
    assert shop.findings() == []
    assert (
        shop.sql(
            "select name, billing_email, stripe_customer, stripe_payment_method, is_public,"
            " erased_at is not null from accounts.account where id = any(%s)",
            [life.owner, life.team.id],
        )
        == [("Erased account", None, None, None, False, True)] * 2
    )
    assert life.canary not in str(shop.stripe.truth("customers"))
    shown = shop.http.get("/api/offset-orders/public").text
    assert life.canary not in shown


def test_tokens_end_within_a_second_everywhere(shop: CardShop, life: Life) -> None:
    life.spend()
    assert shop.get("/api/credits/balance", life.team).status_code == 200
    erased(shop, "--account", life.team.id)
    # The command waits until every process knows, so no request is let in any more.
    assert shop.get("/api/credits/balance", life.team).status_code == 403
    assert shop.order(life.team).status_code == 403


def test_the_public_feed_is_built_anew(shop: CardShop, life: Life) -> None:
    life.spend()
    group = shop.sql(
        "select p.id from orders.purchase p where account_id = %s and payment_method = 'stripe'",
        life.team.id,
    )
    assert group
    assert life.canary in shop.http.get("/api/offset-orders/public").text
    erased(shop, "--account", life.team.id)
    wait_until(lambda: life.canary not in shop.http.get("/api/offset-orders/public").text)
    assert "Anonymous" in shop.http.get("/api/offset-orders/public").text


def test_twice_is_once(shop: CardShop, life: Life) -> None:
    life.spend()
    erased(shop, "--account", life.team.id)
    before = books(shop, life.team.id)
    again = erased(shop, "--account", life.team.id)
    for words in (
        "closed before",
        "tokens 0,",
        "names of 0,",
        "deleted at the card processor: 0",
    ):
        assert words in again
    assert books(shop, life.team.id) == before
    assert shop.findings() == []


def test_a_receipt_that_is_due_is_not_sent_any_more(
    shop: CardShop, life: Life, sink: MailSink
) -> None:
    asked = shop.order(life.team, paymentMethod="credits", sendReceiptEmail=True)
    purchase_id = UUID(asked.json()["purchaseId"])
    life.spend()
    erased(shop, "--account", life.team.id)

    async def send_twice(db: Database, gateway: StripeGateway) -> None:
        ctx = JobContext(db=db, settings=Settings(), gateway=gateway, mail=sink.server)
        await jobs.send_due_receipt(ctx, purchase_id)
        await jobs.send_due_receipt(ctx, purchase_id)

    shop.stage.do(send_twice)
    assert sink.mails() == []
    assert shop.sql("select * from notifications.sent where subject_id = %s", purchase_id) == []


def test_an_account_with_many_orders_is_erased_in_pages(shop: CardShop) -> None:
    team = shop.team(None)
    many = 2 * erasing.PAGE_ROWS + 1
    party = Party(note="For Ada", metadata={"who": "Ada"})

    async def order_many(db: Database, _: StripeGateway) -> None:
        catalogue = await load_catalogue(db, datetime.now(UTC))
        async with transaction(db) as conn:
            await adjust_credits(conn, team.id, change_cents=many, reason="Goodwill")
            for start in range(0, many, 500):
                orders = [
                    order_of(catalogue, team.id, 1_000, party=party)
                    for _ in range(min(500, many - start))
                ]
                await store.place_on_credit(conn, [placing(order) for order in orders])

    shop.stage.do(order_many)
    said = erased(shop, "--account", team.id)
    assert f"names of {many}," in said
    assert f"find them by {many}." in said
    rest = (
        "select count(*) from {} where {} in (select id from orders.purchase where account_id=%s)"
    )
    assert shop.sql(rest.format("orders.party", "purchase_id"), team.id) == [(0,)]
    assert shop.sql(rest.format("orders.tag", "purchase_id"), team.id) == [(0,)]


# -------------------------------------------------------------------------------------- an order


def test_of_an_order_nothing_but_figures_is_left(shop: CardShop, life: Life) -> None:
    card, credit, trees, project = life.groups
    before = books(shop, life.team.id)
    assert "names of 1," in erased(shop, "--group", credit)
    assert "names of 0," in erased(shop, "--group", credit)
    rows = shop.get("/api/offset-orders", life.team).json()["offsetOrders"]
    words = ("note", "on_behalf_of_name", "on_behalf_of_email", "metadata")
    assert {row["order_group_id"] for row in rows} == {card, credit, project}
    for row in rows:
        said = [row[word] for word in words]
        if row["order_group_id"] == credit:
            assert said == [None, None, None, {}]
        else:
            assert all(said)
    found = shop.get("/api/offset-orders", life.team, **{"metadata[plain]": f"of {life.canary}"})
    assert {row["order_group_id"] for row in found.json()["offsetOrders"]} == {card, project}
    (purchase_id,) = shop.sql("select purchase_id from orders.charge where charge_id = %s", card)
    for group in (purchase_id[0], trees, project):
        assert "names of 1," in erased(shop, "--group", group)
    assert not {"orders.party", "orders.tag", "impact.hidden_order"} & life.where_it_is()
    assert books(shop, life.team.id) == before
    assert shop.findings() == []


async def test_erasing_by_two_at_once(db: Database) -> None:
    """Two operators, or one who is impatient."""
    purchase = new_id()

    async def erase_it() -> int:
        async with transaction(db) as conn:
            return (await erasing.erase_order(conn, purchase)).parties

    async with connection(db) as conn:
        await conn.execute(
            "insert into orders.party (purchase_id, note) values ($1, 'For Ada')", purchase
        )
    assert sum(await asyncio.gather(*(erase_it() for _ in range(5)))) == 1
