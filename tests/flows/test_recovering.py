"""A closed shop, and what `fieldfare open` finds at the processor: nothing is ever sent twice."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from fieldfare.accounts import service as accounts
from fieldfare.cli.opening_hours import work_while_open
from fieldfare.db.closing import ShopClosed, close_shop, open_shop, refuse_closed
from fieldfare.db.pool import Connection, Database, connection, transaction
from fieldfare.orders.jobs.recovering import Recovered, recover
from tests.support.buying import CREATE, LIST
from tests.support.cards import CardShop, Team
from tests.support.waiting import until
from tests.support.working import context, fetchval, tell_of

HOUR = timedelta(hours=1)


def charge_past_us(shop: CardShop, team: Team) -> Any:
    """A charge of the team's card of which the books know nothing."""
    ((customer, card),) = shop.sql(
        "select stripe_customer, stripe_payment_method from accounts.account where id = %s", team.id
    )
    return shop.stripe.client().v1.payment_intents.create(
        {
            "amount": 700,
            "currency": "usd",
            "customer": customer,
            "payment_method": card,
            "off_session": True,
            "confirm": True,
        }
    )


def recovered(shop: CardShop) -> Recovered:
    return shop.stage.do(recover)


def test_what_the_lists_prove_is_settled_and_the_rest_is_never_sent_again(shop: CardShop) -> None:
    team = shop.team()
    # One was charged and its answer lost, with every look-up; of another nothing is known.
    shop.stripe.fault("reset", when="after", **CREATE)
    shop.stripe.fault("500", **LIST)
    charged = shop.order(team, "charged").json()["purchaseId"]
    shop.stripe.fault("500", **CREATE)
    unknown = shop.order(team, "unknown").json()["purchaseId"]
    assert {shop.state(charged), shop.state(unknown)} == {"pending"}
    sent = len(shop.sent())

    found = recovered(shop)
    assert (found.settled, found.unknown, found.strays) == (1, 1, [])
    assert (shop.state(charged), shop.state(unknown)) == ("paid", "pending")
    assert recovered(shop).unknown == 1
    # Neither its timer nor its client's retry sends it; a day and an hour later it is known.
    assert shop.settle_all()[-1] == "still unknown"
    assert shop.order(team, "unknown").status_code == 502
    shop.pass_time(25 * HOUR)
    assert shop.order(team, "unknown").json()["code"] == "card_declined"
    assert len(shop.sent()) == sent
    shop.agree(team)


async def _refilled(conn: Connection, *, account_id: int) -> None:
    await accounts.set_refill(conn, account_id, below_cents=100, amount_cents=5_000)


def test_what_nobody_knows_is_listed_and_its_account_not_refilled_by_itself(
    shop: CardShop,
) -> None:
    team, other = shop.team(), shop.team()
    for one in (team, other):
        shop.stage.write(partial(_refilled, account_id=one.id))
    assert shop.order(team).status_code == 200
    stray = charge_past_us(shop, team)
    refund = shop.stripe.client().v1.refunds.create({"charge": stray.latest_charge})
    for found in (recovered(shop), recovered(shop)):
        assert [one.charge_id for one in found.strays] == [stray.latest_charge]
        assert found.stray_refunds == 1
    listed = {(one.kind, one.subject) for one in shop.exceptions()}
    assert listed == {
        ("charge_without_order", stray.latest_charge),
        ("unknown_transaction", refund.id),
    }
    ons = dict(
        shop.sql(
            "select account_id, is_on from accounts.refill where account_id = any(%s)",
            [team.id, other.id],
        )
    )
    assert ons == {team.id: False, other.id: True}


async def test_a_worker_waits_for_as_long_as_the_shop_is_closed(db: Database) -> None:
    waiting = "select count(*) from notifications.outbox"
    async with transaction(db) as conn:
        await close_shop(conn)
        with pytest.raises(ShopClosed, match="fieldfare open"):
            await refuse_closed(conn)
    await tell_of(db, "receipt_due")
    stop = asyncio.Event()
    worker = asyncio.create_task(work_while_open(context(db), stop))
    try:
        await asyncio.sleep(1.5)
        assert await fetchval(db, waiting) == 1

        async def relayed() -> bool:
            return await fetchval(db, waiting) == 0

        async with connection(db) as conn:
            await open_shop(conn)
            await refuse_closed(conn)
        await until(relayed)
        async with connection(db) as conn:
            await close_shop(conn)
        await asyncio.sleep(1.5)
        await tell_of(db, "receipt_due")
        await asyncio.sleep(1)
        assert await fetchval(db, waiting) == 1
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await worker
