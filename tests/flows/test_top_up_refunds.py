"""Top-ups given back to their cards: the credits leave first, and come back if the money stays."""

import asyncio
import contextlib
from datetime import date, timedelta

import pytest

from fieldfare import jobs
from fieldfare.db.ids import new_id
from fieldfare.db.pool import Database, connection
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.orders.jobs import reconcile
from fieldfare.payments.errors import NotRefundable, RefundNotMade, RefundOutcomeUnknown
from fieldfare.payments.service.top_ups.refunding import find_top_up_id, refund_top_up
from fieldfare.settings import Settings
from tests.support.cards import ORDER_CENTS, CardShop
from tests.support.money_back import held_in, money_back_agrees
from tests.support.refunds import CREATE, LIST, REFUNDS
from tests.support.top_ups import TEN, refund, top_up

REFUND_FAILS = "pm_card_refundFail"
REFUND_PENDS = "pm_card_pendingRefund"


@pytest.fixture(scope="module")
def open_shop(open_shop: CardShop) -> CardShop:
    """A shop that knows rates."""
    open_shop.set_rate("EUR", "0.9137", date(2026, 11, 20))
    open_shop.set_rate("JPY", "151.37", date(2026, 11, 20))
    open_shop.set_rate("KWD", "0.3071", date(2026, 11, 20))
    return open_shop


def at_the_processor(shop: CardShop, charge_id: str, amount_minor: int | None = None) -> None:
    """Somebody refunds in the processor's dashboard: a part, or all that is left."""
    refunds = shop.stripe.client().v1.refunds
    if amount_minor is None:
        refunds.create({"charge": charge_id})
    else:
        refunds.create({"charge": charge_id, "amount": amount_minor})


def last_state(shop: CardShop) -> str:
    """The state of the refund that was recorded last."""
    ((state,),) = shop.sql("select state from payments.refund order by id desc limit 1")
    return str(state)


# ----------------------------------------------------------------------------------- whole and part


def test_a_whole_top_up_goes_back(shop: CardShop) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    suspense = held_in(shop, "suspense")
    done = refund(shop, charge_id)
    assert (done.refund.state, done.refund.amount_minor, done.credits_cents) == (
        "succeeded",
        TEN,
        TEN,
    )
    assert shop.balance(team) == 0
    assert held_in(shop, "suspense") == suspense
    (entry, _) = shop.get("/api/credits/ledger", team).json()["entries"]
    assert (entry["type"], entry["amountUsdCents"], entry["orderGroupId"]) == ("refund", -TEN, None)
    shop.hear()
    money_back_agrees(shop, team)


@pytest.mark.parametrize(("currency", "part"), [("EUR", 100), ("JPY", 500), ("KWD", 1_010)])
def test_parts_take_their_credits_rounded_up_and_the_last_one_the_rest(
    shop: CardShop, currency: str, part: int
) -> None:
    team = shop.team(currency=currency)
    charge_id = top_up(shop, team)
    ((charged,),) = shop.sql(
        "select amount_minor from payments.payment where charge_id = %s", charge_id
    )
    first = refund(shop, charge_id, part)
    assert first.credits_cents == -(-TEN * part // charged)
    assert shop.balance(team) == TEN - first.credits_cents
    money_back_agrees(shop, team)
    last = refund(shop, charge_id)
    assert last.refund.amount_minor == charged - part
    assert shop.balance(team) == 0
    with pytest.raises(NotRefundable, match="nothing is left"):
        refund(shop, charge_id)
    shop.hear()
    money_back_agrees(shop, team)


@pytest.mark.parametrize("amount_minor", [0, -1, TEN + 1])
def test_more_than_is_left_or_nothing_is_refused(shop: CardShop, amount_minor: int) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    with pytest.raises(NotRefundable, match=r"10\.00 USD are left"):
        refund(shop, charge_id, amount_minor)
    assert shop.balance(team) == TEN
    assert not shop.sent(path=REFUNDS)
    money_back_agrees(shop, team)


def test_an_amount_between_steps_is_refused(shop: CardShop) -> None:
    team = shop.team(currency="KWD")
    charge_id = top_up(shop, team)
    with pytest.raises(NotRefundable, match=r"multiples of 0\.010 KWD"):
        refund(shop, charge_id, 1_001)
    money_back_agrees(shop, team)


def test_credits_that_are_spent_are_not_refunded(shop: CardShop) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    assert shop.order(team, paymentMethod="credits").status_code == 200
    with pytest.raises(NotRefundable, match=r"the wallet holds \$2\.96"):
        refund(shop, charge_id)
    assert shop.balance(team) == TEN - ORDER_CENTS
    assert refund(shop, charge_id, TEN - ORDER_CENTS).credits_cents == TEN - ORDER_CENTS
    assert shop.balance(team) == 0
    shop.hear()
    money_back_agrees(shop, team)


def test_what_was_never_charged_is_not_refunded(shop: CardShop) -> None:
    team = shop.team("pm_card_visa_chargeDeclined")
    assert shop.top_up(team).status_code == 400
    ((top_up_id,),) = shop.sql("select id from payments.top_up where account_id = %s", team.id)
    with pytest.raises(NotRefundable, match="No card was charged"):
        refund(shop, str(top_up_id))


def test_the_same_refund_again_is_one(shop: CardShop) -> None:
    team = shop.team()
    charge_id, refund_id = top_up(shop, team), new_id()
    first = refund(shop, charge_id, 300, refund_id)
    assert refund(shop, charge_id, 300, refund_id) == first
    assert refund(shop, charge_id, None, refund_id) == first
    with pytest.raises(NotRefundable, match=r"stands for a refund of 3\.00 USD"):
        refund(shop, charge_id, 301, refund_id)
    assert shop.balance(team) == TEN - 300
    assert len(shop.sent(path=REFUNDS)) == 1
    shop.hear()
    money_back_agrees(shop, team)


def test_two_at_once_do_not_give_back_twice(shop: CardShop) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)

    async def rivals(db: Database, gateway: StripeGateway) -> None:
        async with connection(db) as conn:
            top_up_id = await find_top_up_id(conn, charge_id)
        assert top_up_id is not None

        async def give() -> None:
            with contextlib.suppress(NotRefundable):
                await refund_top_up(db, gateway, top_up_id, amount_minor=700, reason="a test")

        await asyncio.gather(*(give() for _ in range(5)))

    shop.stage.do(rivals)
    assert shop.balance(team) == TEN - 700
    assert len(shop.stripe.truth("refunds")) == 1
    shop.hear()
    money_back_agrees(shop, team)


# --------------------------------------------------------------------------------- unknown outcomes


@pytest.mark.parametrize(
    ("kind", "when"),
    [
        ("500", "after"),
        ("reset", "before"),
        ("reset", "after"),
        ("half", "after"),
        ("409", "before"),
    ],
)
def test_an_answer_that_is_lost(shop: CardShop, kind: str, when: str) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    shop.stripe.fault(kind, when=when, **CREATE)
    shop.stripe.fault("500", **LIST)
    with pytest.raises(RefundOutcomeUnknown):
        refund(shop, charge_id, 400)
    assert shop.balance(team) == TEN - 400
    with pytest.raises(NotRefundable, match="under way"):
        refund(shop, charge_id, 100)
    assert shop.findings() == []
    assert "settled" in shop.settle_all()
    shop.hear()
    assert shop.balance(team) == TEN - 400
    assert sum(one["amount"] for one in shop.stripe.truth("refunds")) == 400
    money_back_agrees(shop, team)


def test_a_look_at_the_list_finds_it_at_once(shop: CardShop) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    shop.stripe.fault("reset", when="after", **CREATE)
    assert refund(shop, charge_id).refund.state == "succeeded"
    assert len(shop.stripe.truth("refunds")) == 1
    shop.hear()
    money_back_agrees(shop, team)


def test_the_event_instead_of_the_answer(shop: CardShop) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    shop.stripe.fault("reset", when="after", **CREATE)
    shop.stripe.fault("500", **LIST)
    with pytest.raises(RefundOutcomeUnknown):
        refund(shop, charge_id)
    shop.hear()
    assert last_state(shop) == "succeeded"
    assert shop.balance(team) == 0
    money_back_agrees(shop, team)


@pytest.mark.parametrize("kind", ["reset", "500"])
def test_after_a_day_without_a_trace_the_credits_come_back(shop: CardShop, kind: str) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    shop.stripe.fault(kind, count=0, **CREATE)
    with pytest.raises(RefundOutcomeUnknown):
        refund(shop, charge_id)
    shop.pass_time(timedelta(hours=2))
    shop.work()
    assert [one.kind for one in shop.exceptions()] == ["refund_unknown"]
    shop.pass_time(timedelta(hours=20))
    shop.work()
    assert (last_state(shop), shop.balance(team)) == ("pending", 0)
    shop.pass_time(timedelta(hours=26))
    shop.work()
    assert (last_state(shop), shop.balance(team)) == ("failed", TEN)
    assert [one.kind for one in shop.exceptions()] == ["refund_failed"]
    money_back_agrees(shop, team)
    shop.stripe.delete("faults")
    assert refund(shop, charge_id).credits_cents == TEN
    shop.hear()
    money_back_agrees(shop, team)


@pytest.mark.parametrize("kind", ["429", "401"])
def test_a_request_that_was_not_begun_gives_the_credits_back_at_once(
    shop: CardShop, kind: str
) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    shop.stripe.fault(kind, **CREATE)
    with pytest.raises(RefundNotMade, match="credits are in the wallet again"):
        refund(shop, charge_id)
    assert (last_state(shop), shop.balance(team)) == ("failed", TEN)
    assert shop.exceptions() == []
    money_back_agrees(shop, team)


# ---------------------------------------------------------------------------- the processor decides


def test_a_refund_that_takes_its_time(shop: CardShop) -> None:
    team = shop.team(REFUND_PENDS)
    charge_id = top_up(shop, team)
    done = refund(shop, charge_id)
    assert (done.refund.state, shop.balance(team)) == ("pending", 0)
    shop.stripe.advance(5)
    shop.hear()
    assert last_state(shop) == "succeeded"
    assert shop.balance(team) == 0
    money_back_agrees(shop, team)


@pytest.mark.parametrize("currency", ["USD", "EUR"])
def test_a_refund_that_fails_after_all_gives_the_credits_back(
    shop: CardShop, currency: str
) -> None:
    team = shop.team(REFUND_FAILS, currency=currency)
    charge_id = top_up(shop, team)
    assert refund(shop, charge_id).refund.state == "succeeded"
    assert shop.balance(team) == 0
    shop.stripe.advance(5)
    shop.hear()
    assert shop.balance(team) == TEN
    (one,) = shop.exceptions()
    assert (one.kind, "in the wallet again" in one.detail) == ("refund_failed", True)
    money_back_agrees(shop, team)


def test_credits_that_come_back_pay_what_is_owed_first(shop: CardShop) -> None:
    team = shop.team(REFUND_FAILS)
    charge_id = top_up(shop, team)
    disputed = top_up(shop, team, 300)
    assert refund(shop, charge_id).credits_cents == TEN
    assert shop.order(team, paymentMethod="credits", tons=0.15).status_code == 200
    shop.dispute(disputed, "lost")
    shop.hear()
    owed = shop.owed(team)
    assert owed > 0
    shop.stripe.advance(5)
    shop.hear()
    assert (shop.balance(team), shop.owed(team)) == (TEN - owed, 0)
    money_back_agrees(shop, team)


# ----------------------------------------------------------------------------- made by other people


def test_a_refund_in_the_dashboard_takes_its_credits(shop: CardShop) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    at_the_processor(shop, charge_id, 400)
    shop.hear()
    assert (shop.balance(team), shop.owed(team)) == (TEN - 400, 0)
    at_the_processor(shop, charge_id)
    shop.hear()
    assert (shop.balance(team), shop.owed(team)) == (0, 0)
    money_back_agrees(shop, team)


@pytest.mark.parametrize("currency", ["USD", "JPY"])
def test_a_refund_in_the_dashboard_of_spent_credits_leaves_them_owed(
    shop: CardShop, currency: str
) -> None:
    team = shop.team(currency=currency)
    charge_id = top_up(shop, team)
    assert shop.order(team, paymentMethod="credits").status_code == 200
    at_the_processor(shop, charge_id)
    shop.hear()
    assert (shop.balance(team), shop.owed(team)) == (0, ORDER_CENTS)
    money_back_agrees(shop, team)


def test_a_refund_in_the_dashboard_without_any_event(shop: CardShop) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    shop.stripe.post("events", paused=False, drop=True)
    at_the_processor(shop, charge_id)
    for _ in range(2):
        shop.stage.do(lambda db, gateway: reconcile(db, gateway, back=timedelta(hours=1)))
    assert (shop.balance(team), shop.owed(team)) == (0, 0)
    money_back_agrees(shop, team)


# ------------------------------------------------------------------------------------ in the worker


def test_the_timers_job_runs_twice(shop: CardShop) -> None:
    team = shop.team()
    charge_id = top_up(shop, team)
    shop.stripe.fault("reset", when="after", **CREATE)
    shop.stripe.fault("500", **LIST)
    refund_id = new_id()
    with pytest.raises(RefundOutcomeUnknown):
        refund(shop, charge_id, refund_id=refund_id)

    async def run_twice(db: Database, gateway: StripeGateway) -> None:
        ctx = jobs.JobContext(db=db, settings=Settings(), gateway=gateway)
        await jobs.settle_top_up_refund(ctx, refund_id)
        await jobs.settle_top_up_refund(ctx, refund_id)

    shop.stage.do(run_twice)
    assert last_state(shop) == "succeeded"
    assert refund(shop, charge_id, refund_id=refund_id).credits_cents == TEN
    shop.hear()
    money_back_agrees(shop, team)
