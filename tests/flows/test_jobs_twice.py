"""Each job that reaches another system, run twice as a worker may: the second run changes nothing.

A worker that dies after a job's effect and before it has said so leaves the job to another one.
"""

from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import msgspec
import pytest

from fieldfare import jobs
from fieldfare.db.pool import Database
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.jobs import JobContext
from fieldfare.settings import Settings
from tests.support.cards import INTENTS, CardShop, Team, card_shop
from tests.support.mail_sink import running_sink

T = TypeVar("T")

BOOKS = (
    "select (select count(*) from orders.line), (select count(*) from ledger.journal),"
    " (select sum(certified_mg) from ledger.wallet),"
    " (select array_agg(state order by id) from orders.purchase),"
    " (select count(*) from payments.exception where resolved_at is null)"
)


@pytest.fixture(scope="module")
def open_shop(server_url: str, template: str) -> Iterator[CardShop]:
    """One API and simulator for the module."""
    with card_shop(server_url, template) as shop:
        yield shop


@pytest.fixture
def shop(open_shop: CardShop) -> CardShop:
    """The shop without a memory of other tests."""
    open_shop.begin()
    return open_shop


def run(shop: CardShop, job: Callable[[JobContext], Awaitable[T]]) -> T:
    """Run a job with what a worker would give it."""

    async def with_context(db: Database, gateway: StripeGateway) -> T:
        return await job(JobContext(db=db, settings=Settings(), gateway=gateway))

    return shop.stage.do(with_context)


def charged_unknown(shop: CardShop, team: Team) -> UUID:
    """An order that was charged, though nobody here knows; its minute has passed."""
    shop.stripe.fault("reset", when="after", method="POST", path=INTENTS)
    shop.stripe.fault("500", count=1, method="GET", path=INTENTS)
    answer = shop.order(team)
    assert answer.status_code == 502, answer.text
    shop.pass_time(timedelta(minutes=1, seconds=5))
    return UUID(answer.json()["purchaseId"])


def run_twice(shop: CardShop, job: Callable[[JobContext], Awaitable[object]]) -> None:
    """Run a job, and run it again: the books stay as the first run left them."""
    run(shop, job)
    books = shop.sql(BOOKS)
    run(shop, job)
    assert shop.sql(BOOKS) == books


def assert_paid_once(shop: CardShop, team: Team, purchase_id: UUID) -> None:
    """The one charge is the order's."""
    assert len(shop.charges()) == 1
    assert shop.state(str(purchase_id)) == "paid"
    shop.agree(team)


def test_the_timer(shop: CardShop) -> None:
    team = shop.team()
    purchase_id = charged_unknown(shop, team)
    run_twice(shop, lambda ctx: jobs.settle_unsettled(ctx, purchase_id))
    assert_paid_once(shop, team, purchase_id)


def test_an_event(shop: CardShop) -> None:
    team = shop.team()
    purchase_id = charged_unknown(shop, team)
    assert "payment_intent.succeeded" in shop.flush_events()
    ((event_row,),) = shop.sql(
        "select id from payments.inbox where kind = 'payment_intent.succeeded' and done_at is null"
    )
    run_twice(shop, lambda ctx: jobs.work_stripe_event(ctx, event_row))
    assert_paid_once(shop, team, purchase_id)


@pytest.mark.parametrize("days", [False, True])
def test_a_look_at_all_charges(shop: CardShop, days: bool) -> None:
    team = shop.team()
    purchase_id = charged_unknown(shop, team)
    if days:
        run_twice(shop, jobs.reconcile_days)
    else:
        run_twice(shop, jobs.reconcile_recent)
    assert_paid_once(shop, team, purchase_id)


def test_a_receipt(shop: CardShop, tmp_path: Path) -> None:
    team = shop.team()
    answer = shop.order(team)
    assert answer.status_code == 200, answer.text
    ((purchase_id,),) = shop.sql("select id from orders.purchase where account_id = %s", team.id)
    with running_sink(tmp_path) as sink:
        server = sink.server
        run_twice(
            shop,
            lambda ctx: jobs.send_due_receipt(
                msgspec.structs.replace(ctx, mail=server), purchase_id
            ),
        )
        (mail,) = sink.mails()
    assert "team@tests.example" in msgspec.json.encode(mail).decode()


def test_what_cannot_be_reached_yet_waits(shop: CardShop) -> None:
    async def without(ctx: JobContext) -> None:
        bare = JobContext(db=ctx.db, settings=ctx.settings)
        for job in (jobs.settle_unsettled, jobs.work_stripe_event, jobs.send_due_receipt):
            with pytest.raises(jobs.TryLater, match="FIELDFARE_S"):
                await job(bare, UUID(int=0))

    run(shop, without)
