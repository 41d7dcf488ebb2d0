"""The jobs of card orders, each run twice: what the second run finds done, it leaves as it is."""

from datetime import timedelta
from uuid import UUID

import pytest

from fieldfare import jobs
from fieldfare.db.pool import Database
from fieldfare.integrations.mail import MailServer
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.jobs import JobContext, TryLater
from fieldfare.payments.service.exceptions import resolve_exception
from fieldfare.settings import Settings
from tests.support.cards import CardShop
from tests.support.mail_sink import MailSink


@pytest.fixture
def shop(own_shop: CardShop) -> CardShop:
    """A shop of the test's own."""
    return own_shop


def test_a_charge_whose_answer_was_lost_is_settled_once(shop: CardShop) -> None:
    team = shop.team()
    shop.stripe.fault("reset", when="after", path="/v1/payment_intents", method="POST", count=1)
    shop.stripe.fault("500", when="before", path="/v1/payment_intents", method="GET", count=50)
    answer = shop.order(team, "lost")
    assert answer.status_code == 502
    purchase_id = UUID(answer.json()["purchaseId"])
    shop.stripe.delete("faults")

    async def settle_twice(db: Database, gateway: StripeGateway) -> None:
        ctx = _context(db, gateway)
        await jobs.settle_unsettled(ctx, purchase_id)
        await jobs.settle_unsettled(ctx, purchase_id)

    shop.stage.do(settle_twice)
    assert shop.state(str(purchase_id)) == "paid"
    assert len(shop.charges()) == 1
    shop.agree(team)


def test_an_event_is_worked_on_once(shop: CardShop) -> None:
    team = shop.team()
    assert shop.order(team).status_code == 200
    shop.flush_events()
    rows = [row[0] for row in shop.sql("select id from payments.inbox order by received_at")]

    async def work_twice(db: Database, gateway: StripeGateway) -> None:
        ctx = _context(db, gateway)
        for row in rows:
            await jobs.work_stripe_event(ctx, row)
            await jobs.work_stripe_event(ctx, row)

    shop.stage.do(work_twice)
    assert rows
    assert shop.sql("select count(*) from payments.inbox where done_at is null") == [(0,)]
    shop.agree(team)


def test_charges_are_held_against_their_orders(shop: CardShop) -> None:
    team = shop.team()
    assert shop.order(team).status_code == 200
    client = shop.stripe.client()
    card = shop.sql(
        "select stripe_customer, stripe_payment_method from accounts.account where id = %s", team.id
    )[0]
    client.v1.payment_intents.create(
        {
            "amount": 500,
            "currency": "usd",
            "customer": card[0],
            "payment_method": card[1],
            "confirm": True,
            "off_session": True,
        }
    )

    async def reconcile_twice(db: Database, gateway: StripeGateway) -> list[jobs.Outcome]:
        ctx = _context(db, gateway)
        return [
            await jobs.reconcile_recent(ctx),
            await jobs.reconcile_recent(ctx),
            await jobs.reconcile_days(ctx),
            await jobs.reconcile_days(ctx),
        ]

    for outcome in shop.stage.do(reconcile_twice):
        assert outcome.items() >= {"charges": 2, "settled": 0, "without_order": 1}.items()
    (stray,) = shop.exceptions()
    assert stray.kind == "charge_without_order"
    # What a person has seen to stays off the list, though the charge is looked at for days.
    shop.stage.write(lambda conn: resolve_exception(conn, stray.id, "refunded as re_1"))
    shop.stage.do(reconcile_twice)
    assert shop.exceptions() == []


def test_a_receipt_is_sent_once(shop: CardShop, sink: MailSink) -> None:
    team = shop.team()
    answer = shop.order(team, sendReceiptEmail=True)
    purchase_id = UUID(answer.json()["purchaseId"])
    server = MailServer(
        host="127.0.0.1", port=sink.smtp_port, sender="r@tests.example", security="plain"
    )

    async def send_twice(db: Database, gateway: StripeGateway) -> None:
        ctx = _context(db, gateway, server)
        await jobs.send_due_receipt(ctx, purchase_id)
        await jobs.send_due_receipt(ctx, purchase_id)

    shop.stage.do(send_twice)
    mails = sink.http.get("/").json()
    assert len(mails) == 1
    assert answer.json()["id"] in mails[0]["text"]
    assert "$7.04" in mails[0]["text"]
    assert shop.sql("select receipt_number from orders.purchase where receipt_number is not null")


def test_without_their_other_end_jobs_wait(shop: CardShop) -> None:
    answer = shop.order(shop.team(), sendReceiptEmail=True)
    purchase_id = UUID(answer.json()["purchaseId"])

    async def send(db: Database, _: StripeGateway) -> None:
        bare = JobContext(db=db, settings=Settings())
        with pytest.raises(TryLater):
            await jobs.send_due_receipt(bare, purchase_id)
        with pytest.raises(TryLater):
            await jobs.settle_unsettled(bare, purchase_id)
        nobody = MailServer(host="127.0.0.1", port=9, sender="r@tests.example", security="plain")
        ctx = JobContext(db=db, settings=Settings(), mail=nobody)
        with pytest.raises(TryLater) as refused:
            await jobs.send_due_receipt(ctx, purchase_id)
        assert refused.value.delay >= timedelta(seconds=30)

    shop.stage.do(send)


def _context(db: Database, gateway: StripeGateway, mail: MailServer | None = None) -> JobContext:
    return JobContext(db=db, settings=Settings(), gateway=gateway, mail=mail)
