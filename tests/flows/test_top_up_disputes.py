"""Disputed top-ups: what a lost one cannot take from the wallet is owed, and repaid first."""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import msgspec
import pytest

from fieldfare.db.pool import Database
from fieldfare.integrations.stripe.disputes import look_up_dispute
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import SeenDispute
from fieldfare.orders.jobs import reconcile
from fieldfare.orders.jobs.disputing import follow_dispute
from fieldfare.payments.errors import NotRefundable, RefundNotMade, RefundOutcomeUnknown
from fieldfare.payments.service.top_ups.refunding import find_top_up_id, refund_top_up
from tests.support.cards import INTENTS, ORDER_CENTS, CardShop, Team
from tests.support.client import assert_refused
from tests.support.money_back import held_in, money_back_agrees
from tests.support.top_ups import TEN, refund, top_up

REFUNDS = "/v1/refunds"


@pytest.fixture(scope="module")
def open_shop(open_shop: CardShop) -> CardShop:
    """A shop that knows rates."""
    open_shop.set_rate("EUR", "0.9137", date(2026, 11, 20))
    open_shop.set_rate("JPY", "151.37", date(2026, 11, 20))
    return open_shop


def spend(shop: CardShop, team: Team) -> None:
    """$7.04 of the credits are spent."""
    answer = shop.order(team, paymentMethod="credits")
    assert answer.status_code == 200, answer.text


def look_up(shop: CardShop, dispute_id: str) -> SeenDispute:
    """A dispute as the processor tells of it now."""
    seen = shop.stage.do(lambda _, gateway: look_up_dispute(gateway, dispute_id))
    assert seen is not None
    return seen


def entries(shop: CardShop, team: Team) -> list[tuple[str, int]]:
    """The account's ledger, oldest first: type and signed cents."""
    listed = shop.get("/api/credits/ledger", team).json()["entries"]
    return [(one["type"], one["amountUsdCents"]) for one in reversed(listed)]


# -------------------------------------------------------------------------------- opened, won, lost


def test_an_open_dispute_takes_no_credits(shop: CardShop) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    shop.dispute(charge_id)
    assert "disputed" in shop.hear()
    assert (shop.balance(team), shop.owed(team)) == (TEN, 0)
    money_back_agrees(shop, team)


def test_a_dispute_that_is_won_takes_none(shop: CardShop) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    shop.dispute(charge_id)
    shop.hear()
    shop.dispute(charge_id, "won")
    assert "won" in shop.hear()
    assert (shop.balance(team), shop.owed(team)) == (TEN, 0)
    money_back_agrees(shop, team)


def test_a_dispute_that_is_lost_takes_the_credits_back(shop: CardShop) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    shop.dispute(charge_id, "lost")
    assert "lost" in shop.hear()
    assert (shop.balance(team), shop.owed(team)) == (0, 0)
    assert entries(shop, team) == [("top_up", TEN), ("refund", -TEN)]
    money_back_agrees(shop, team)


def test_what_is_spent_is_owed_and_the_next_top_up_pays_it_first(shop: CardShop) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    spend(shop, team)
    shop.dispute(charge_id)
    shop.hear()
    shop.dispute(charge_id, "lost")
    shop.hear()
    assert (shop.balance(team), shop.owed(team)) == (0, ORDER_CENTS)
    money_back_agrees(shop, team)
    assert_refused(
        shop.order(team, paymentMethod="credits"), 400, "insufficient_credits", "paymentMethod"
    )
    answer = shop.top_up(team, cents=500)
    assert answer.json()["creditBalance"] == 0
    assert (shop.balance(team), shop.owed(team)) == (0, ORDER_CENTS - 500)
    top_up(shop, team, 2_000)
    assert (shop.balance(team), shop.owed(team)) == (2_500 - ORDER_CENTS, 0)
    assert entries(shop, team)[-4:] == [
        ("top_up", 500),
        ("adjustment", -500),
        ("top_up", 2_000),
        ("adjustment", 500 - ORDER_CENTS),
    ]
    money_back_agrees(shop, team)


def test_two_disputes_add_up(shop: CardShop) -> None:
    team = shop.team()
    charges = [top_up(shop, team), top_up(shop, team, 300)]
    spend(shop, team)
    for charge_id in charges:
        shop.dispute(charge_id, "lost")
    shop.hear()
    assert (shop.balance(team), shop.owed(team)) == (0, ORDER_CENTS)
    money_back_agrees(shop, team)


def test_a_lost_order_and_a_lost_top_up_do_not_mix(shop: CardShop) -> None:
    team = shop.team()
    order = shop.order(team).json()
    charge_id = top_up(shop, team)
    shop.dispute(order["id"], "lost")
    shop.dispute(charge_id, "lost")
    shop.hear()
    assert shop.state(order["purchaseId"]) == "refunded"
    assert (shop.balance(team), shop.owed(team)) == (0, 0)
    money_back_agrees(shop, team)


@pytest.mark.parametrize("currency", ["EUR", "JPY"])
@pytest.mark.parametrize("spent", [False, True])
def test_another_currency(shop: CardShop, currency: str, spent: bool) -> None:
    team = shop.team(currency=currency)
    charge_id = top_up(shop, team)
    if spent:
        spend(shop, team)
    shop.dispute(charge_id, "lost")
    shop.hear()
    assert (shop.balance(team), shop.owed(team)) == (0, ORDER_CENTS if spent else 0)
    assert currency not in held_in(shop, "disputes")
    money_back_agrees(shop, team)


def test_a_part_that_is_lost_takes_its_part_rounded_up(shop: CardShop) -> None:
    team = shop.team(currency="JPY")
    charge_id = top_up(shop, team)
    shop.dispute(charge_id, "lost", amount=500)
    shop.hear()
    # 1,514 yen bought 1,000 cents; 500 yen are 330.25 cents.
    assert shop.balance(team) == TEN - 331
    money_back_agrees(shop, team)


def test_what_a_refund_has_left_is_disputed(shop: CardShop) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    refund(shop, charge_id, 400)
    shop.dispute(charge_id, "lost")
    shop.hear()
    assert (shop.balance(team), shop.owed(team)) == (0, 0)
    money_back_agrees(shop, team)


# --------------------------------------------------------------------------------- order and rivals


def test_lost_before_the_dispute_was_known_and_all_of_it_twice(shop: CardShop) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    spend(shop, team)
    dispute_id = shop.dispute(charge_id)
    was_open = look_up(shop, dispute_id)
    shop.dispute(charge_id, "lost")
    was_lost = look_up(shop, dispute_id)

    async def follow_all(db: Database, gateway: StripeGateway) -> None:
        for seen in (was_lost, was_open, was_lost, was_open):
            await follow_dispute(db, gateway, seen)
        await reconcile_now(db, gateway)
        await reconcile_now(db, gateway)

    shop.stage.do(follow_all)
    shop.hear()
    assert (shop.balance(team), shop.owed(team)) == (0, ORDER_CENTS)
    money_back_agrees(shop, team)


async def reconcile_now(db: Database, gateway: StripeGateway) -> dict[str, int]:
    """The hourly look at the processor's lists."""
    return await reconcile(db, gateway, back=timedelta(hours=6))


def test_a_disputed_top_up_is_not_refunded(shop: CardShop) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    shop.dispute(charge_id)
    shop.hear()
    with pytest.raises(NotRefundable, match="disputes this charge"):
        refund(shop, charge_id)
    assert shop.balance(team) == TEN
    assert not shop.sent(path=REFUNDS)
    money_back_agrees(shop, team)


def test_a_dispute_that_comes_before_our_refund_is_known_of_by_the_processor_alone(
    shop: CardShop,
) -> None:
    """The processor refuses the refund, so the credits come back, and the dispute decides."""
    team = shop.team()
    charge_id = top_up(shop, team)
    shop.dispute(charge_id)
    with pytest.raises(RefundNotMade):
        refund(shop, charge_id)
    assert shop.balance(team) == TEN
    shop.dispute(charge_id, "lost")
    shop.hear()
    assert (shop.balance(team), shop.owed(team)) == (0, 0)
    money_back_agrees(shop, team)


def test_a_dispute_is_lost_while_a_refund_is_not_known_of(shop: CardShop) -> None:
    """The refund's request was lost, and cannot be carried out any more; its credits pay."""
    team = shop.team()
    charge_id = top_up(shop, team)
    shop.stripe.fault("reset", method="POST", path=REFUNDS)
    shop.stripe.fault("500", method="GET", path=REFUNDS)
    with pytest.raises(RefundOutcomeUnknown):
        refund(shop, charge_id)
    assert shop.balance(team) == 0
    shop.dispute(charge_id, "lost")
    shop.hear()
    assert (shop.balance(team), shop.owed(team)) == (0, TEN)
    shop.settle_all()
    shop.pass_time(timedelta(hours=26))
    shop.settle_all()
    assert (shop.balance(team), shop.owed(team)) == (0, 0)
    assert shop.sql("select state from payments.refund order by created_at desc limit 1") == [
        ("failed",)
    ]
    money_back_agrees(shop, team)


def test_disputes_race_refunds_and_orders(shop: CardShop) -> None:
    """Whoever comes first: no cent is taken twice, and none is missing."""
    teams = [shop.team() for _ in range(6)]
    charges = [top_up(shop, team) for team in teams]
    disputes = [shop.dispute(charge_id) for charge_id in charges[:3]]
    for charge_id in charges[:3]:
        shop.dispute(charge_id, "lost")
    seen = [look_up(shop, dispute_id) for dispute_id in disputes]

    async def all_at_once(db: Database, gateway: StripeGateway) -> None:
        async def give(charge_id: str) -> None:
            async with db.pool.acquire() as conn:
                top_up_id = await find_top_up_id(conn, charge_id)
            assert top_up_id is not None
            with contextlib.suppress(NotRefundable, RefundNotMade):
                await refund_top_up(db, gateway, top_up_id, amount_minor=None, reason="a test")

        await asyncio.gather(
            *(give(charge_id) for charge_id in charges),
            *(follow_dispute(db, gateway, one) for one in seen * 2),
        )

    with ThreadPoolExecutor(6) as pool:
        orders = [pool.submit(shop.order, team, None, paymentMethod="credits") for team in teams]
        shop.stage.do(all_at_once)
        bought = [order.result().status_code == 200 for order in orders]
    shop.hear()
    shop.settle_all()
    for team, has_order in zip(teams[:3], bought[:3], strict=True):
        spent = ORDER_CENTS if has_order else 0
        assert shop.balance(team) - shop.owed(team) == -spent
    for team, has_order in zip(teams[3:], bought[3:], strict=True):
        assert shop.balance(team) == (TEN - ORDER_CENTS if has_order else 0)
        assert shop.owed(team) == 0
    money_back_agrees(shop, *teams)


def test_a_dispute_of_what_is_not_known_to_be_paid_settles_it_first(shop: CardShop) -> None:
    team = shop.team()
    shop.stripe.fault("reset", when="after", method="POST", path=INTENTS)
    shop.stripe.fault("500", method="GET", path=INTENTS)
    assert shop.top_up(team, cents=TEN).status_code == 502
    (charge,) = shop.charges()
    seen = look_up(shop, shop.dispute(charge["id"], "lost"))
    said = shop.stage.do(lambda db, gateway: follow_dispute(db, gateway, seen))
    assert (said, shop.balance(team), shop.owed(team)) == ("lost", 0, 0)
    assert entries(shop, team) == [("top_up", TEN), ("refund", -TEN)]
    shop.hear()
    money_back_agrees(shop, team)


# ------------------------------------------------------------------------- what a person looks at


def test_more_than_was_left_is_put_on_the_list(shop: CardShop) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    refund(shop, charge_id, 400)
    dispute_id = shop.dispute(charge_id)
    seen = msgspec.structs.replace(look_up(shop, dispute_id), amount_minor=TEN, status="lost")
    shop.stage.do(lambda db, gateway: follow_dispute(db, gateway, seen))
    assert (shop.balance(team), shop.owed(team)) == (0, 0)
    (one,) = shop.exceptions()
    assert (one.kind, "400 USD more was lost" in one.detail) == ("dispute_unclear", True)
    assert [text for text in shop.findings() if dispute_id in text] == []
