"""Disputed orders: opened, won, lost; events in any order, twice, or lost; and the list after."""

import asyncio
from datetime import date, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import msgspec
import pytest

from fieldfare import jobs
from fieldfare.db.pool import Database
from fieldfare.integrations.stripe.disputes import look_up_dispute
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import SeenDispute
from fieldfare.orders.jobs import reconcile
from fieldfare.orders.jobs.disputing import follow_dispute
from fieldfare.orders.service.refund import refund_order
from fieldfare.payments.errors import NotRefundable
from fieldfare.payments.service.exceptions import resolve_exception
from fieldfare.settings import Settings
from tests.support.cards import INTENTS, ORDER_CENTS, CardShop, Team
from tests.support.money_back import held_in, money_back_agrees

LOOK_UP = {"method": "GET", "path": "/v1/disputes/*"}


@pytest.fixture(scope="module")
def open_shop(open_shop: CardShop) -> CardShop:
    """A shop that knows rates."""
    open_shop.set_rate("EUR", "0.9137", date(2026, 11, 20))
    open_shop.set_rate("JPY", "151.37", date(2026, 11, 20))
    return open_shop


def buy(shop: CardShop, team: Team, **fields: Any) -> tuple[str, str]:
    """A paid order: its charge and its purchase."""
    answer = shop.order(team, **fields)
    assert answer.status_code == 200, answer.text
    shop.hear()
    return answer.json()["id"], answer.json()["purchaseId"]


def tonnes(shop: CardShop, team: Team) -> float:
    """What the account is told that it has offset."""
    return float(shop.get("/api/offset-orders", team).json()["stats"]["totalTons"])


def refund(shop: CardShop, purchase_id: str, amount_minor: int | None = None) -> None:
    """An operator gives money of an order back."""
    shop.stage.do(
        lambda db, gateway: refund_order(
            db, gateway, UUID(purchase_id), amount_minor=amount_minor, reason="a test"
        )
    )


def look_up(shop: CardShop, dispute_id: str) -> SeenDispute:
    """A dispute as the processor tells of it now."""
    seen = shop.stage.do(lambda _, gateway: look_up_dispute(gateway, dispute_id))
    assert seen is not None
    return seen


def follow(shop: CardShop, seen: SeenDispute) -> str:
    """Somebody who has looked the dispute up brings our books to it."""
    return shop.stage.do(lambda db, gateway: follow_dispute(db, gateway, seen))


def catch_up(shop: CardShop, back: timedelta = timedelta(hours=6)) -> dict[str, int]:
    """The hourly look at the processor's lists."""
    return shop.stage.do(lambda db, gateway: reconcile(db, gateway, back=back))


# ---------------------------------------------------------------------------- opened, won, lost


def test_an_open_dispute_shows_and_keeps_the_money_apart(shop: CardShop) -> None:
    team = shop.team()
    charge_id, purchase_id = buy(shop, team)
    before = held_in(shop, "disputes").get("USD", 0)
    shop.dispute(charge_id)
    assert "disputed" in shop.hear()
    assert shop.state(purchase_id) == "disputed"
    assert held_in(shop, "disputes").get("USD", 0) == before - ORDER_CENTS * 1_000_000
    assert tonnes(shop, team) == 0.45
    money_back_agrees(shop, team)


def test_a_disputed_order_is_not_refunded(shop: CardShop) -> None:
    team = shop.team()
    charge_id, purchase_id = buy(shop, team)
    shop.dispute(charge_id)
    shop.hear()
    with pytest.raises(NotRefundable, match="disputed"):
        refund(shop, purchase_id)
    assert not shop.stripe.truth("refunds")
    money_back_agrees(shop, team)


def test_a_dispute_that_is_won_leaves_the_order_paid(shop: CardShop) -> None:
    team = shop.team()
    charge_id, purchase_id = buy(shop, team)
    before = held_in(shop, "disputes")
    shop.dispute(charge_id)
    shop.hear()
    shop.dispute(charge_id, "won")
    assert "won" in shop.hear()
    assert shop.state(purchase_id) == "paid"
    assert held_in(shop, "disputes") == before
    assert tonnes(shop, team) == 0.45
    money_back_agrees(shop, team)


def test_a_dispute_that_is_lost_refunds_the_order(shop: CardShop) -> None:
    team = shop.team()
    charge_id, purchase_id = buy(shop, team)
    before = held_in(shop, "disputes")
    shop.dispute(charge_id)
    shop.hear()
    shop.dispute(charge_id, "lost")
    assert "lost" in shop.hear()
    assert shop.state(purchase_id) == "refunded"
    assert held_in(shop, "disputes") == before
    assert tonnes(shop, team) == 0
    lines = shop.sql(
        "select mass_mg - refunded_mg, amount_micro - refunded_micro, refunded_at is not null"
        " from orders.line where purchase_id = %s",
        purchase_id,
    )
    assert set(lines) == {(0, 0, True)}
    (row,) = shop.sql(
        "select origin, state, amount_minor from orders.refund where purchase_id = %s", purchase_id
    )
    assert row == ("dispute", "succeeded", ORDER_CENTS)
    money_back_agrees(shop, team)


@pytest.mark.parametrize(("currency", "charged"), [("EUR", 644), ("JPY", 1066)])
@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_another_currency(shop: CardShop, currency: str, charged: int, outcome: str) -> None:
    team = shop.team(currency=currency)
    charge_id, purchase_id = buy(shop, team)
    shop.dispute(charge_id)
    shop.hear()
    assert shop.state(purchase_id) == "disputed"
    assert (charged, currency) in shop.sql("select amount_minor, currency from payments.dispute")
    shop.dispute(charge_id, outcome)
    shop.hear()
    assert shop.state(purchase_id) == ("paid" if outcome == "won" else "refunded")
    assert currency not in held_in(shop, "disputes")
    money_back_agrees(shop, team)


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_what_a_refund_has_left_is_disputed(shop: CardShop, outcome: str) -> None:
    team = shop.team()
    charge_id, purchase_id = buy(shop, team)
    refund(shop, purchase_id, 200)
    shop.dispute(charge_id)
    shop.hear()
    assert shop.state(purchase_id) == "disputed"
    shop.dispute(charge_id, outcome)
    shop.hear()
    assert shop.state(purchase_id) == ("partly_refunded" if outcome == "won" else "refunded")
    money_back_agrees(shop, team)


def test_a_part_that_is_lost_leaves_the_rest(shop: CardShop) -> None:
    team = shop.team()
    charge_id, purchase_id = buy(shop, team)
    shop.dispute(charge_id, amount=ORDER_CENTS // 4)
    shop.hear()
    shop.dispute(charge_id, "lost")
    shop.hear()
    assert shop.state(purchase_id) == "partly_refunded"
    assert tonnes(shop, team) == pytest.approx(0.45 * 3 / 4)
    money_back_agrees(shop, team)


def test_an_inquiry_moves_no_money(shop: CardShop) -> None:
    team = shop.team()
    charge_id, purchase_id = buy(shop, team)
    shop.dispute(charge_id, inquiry=True)
    assert set(shop.hear()) == {"noted"}
    shop.dispute(charge_id, "lost")
    assert set(shop.hear()) == {"noted"}
    assert shop.state(purchase_id) == "paid"
    money_back_agrees(shop, team)


# ------------------------------------------------------------------------------- in which order


def dispute_events(shop: CardShop, charge_id: str) -> list[str]:
    """The ids of what the processor has said of the disputes of a charge, oldest first."""
    return [
        event["id"]
        for event in shop.stripe.get("events")["data"]
        if event["type"].startswith("charge.dispute.")
        and event["data"]["object"]["charge"] == charge_id
    ]


ORDERS = list(permutations(range(3)))


@pytest.mark.parametrize("outcome", ["won", "lost"])
@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_events_in_any_order_and_twice(
    shop: CardShop, outcome: str, order: tuple[int, ...]
) -> None:
    team = shop.team()
    charge_id, purchase_id = buy(shop, team)
    shop.dispute(charge_id)
    shop.dispute(charge_id, outcome)
    events = dispute_events(shop, charge_id)
    for place in [*order, *order]:
        shop.stripe.http.post(f"/_control/events/{events[place]}/resend")
        shop.work()
    shop.hear()
    assert shop.state(purchase_id) == ("paid" if outcome == "won" else "refunded")
    money_back_agrees(shop, team)


def test_only_the_last_event_comes(shop: CardShop) -> None:
    """Lost before we knew that there was a dispute at all."""
    team = shop.team()
    charge_id, purchase_id = buy(shop, team)
    shop.stripe.post("events", paused=False, drop=True)
    shop.dispute(charge_id)
    shop.stripe.post("events", paused=True, drop=False)
    shop.dispute(charge_id, "lost")
    assert "lost" in shop.hear()
    assert shop.state(purchase_id) == "refunded"
    money_back_agrees(shop, team)


def test_events_that_are_lost_are_repaired_from_the_list(shop: CardShop) -> None:
    team = shop.team()
    bought = [buy(shop, team) for _ in range(3)]
    shop.stripe.post("events", paused=False, drop=True)
    for (charge_id, _), outcome in zip(bought, ("open", "won", "lost"), strict=True):
        shop.dispute(charge_id, outcome)
    assert catch_up(shop)["disputes_moved"] == 3
    assert [shop.state(one) for _, one in bought] == ["disputed", "paid", "refunded"]
    assert catch_up(shop)["disputes_moved"] == 0
    money_back_agrees(shop, team)


def test_a_dispute_of_long_ago_is_still_followed(shop: CardShop) -> None:
    """Its event is lost, and the list of the last days does not reach back to it."""
    team = shop.team()
    charge_id, purchase_id = buy(shop, team)
    shop.dispute(charge_id)
    shop.hear()
    shop.pass_time(timedelta(days=60))
    shop.stripe.post("events", paused=False, drop=True)
    shop.dispute(charge_id, "lost")
    assert catch_up(shop)["disputes_moved"] == 1
    assert shop.state(purchase_id) == "refunded"
    money_back_agrees(shop, team)


def test_what_was_read_before_undoes_nothing(shop: CardShop) -> None:
    """Whoever was killed, or slow, after it had looked the dispute up comes back with old news."""
    team = shop.team()
    charge_id, purchase_id = buy(shop, team)
    dispute_id = shop.dispute(charge_id)
    was_open = look_up(shop, dispute_id)
    shop.dispute(charge_id, "lost")
    was_lost = look_up(shop, dispute_id)
    for seen in (was_lost, was_open, was_lost, was_open):
        follow(shop, seen)
        assert shop.state(purchase_id) == "refunded"
    money_back_agrees(shop, team)


def test_a_job_that_runs_twice_at_once_takes_effect_once(shop: CardShop) -> None:
    team = shop.team()
    charge_id, purchase_id = buy(shop, team)
    dispute_id = shop.dispute(charge_id, "lost")
    seen = look_up(shop, dispute_id)

    async def rivals(db: Database, gateway: StripeGateway) -> list[str]:
        return await asyncio.gather(*(follow_dispute(db, gateway, seen) for _ in range(6)))

    assert sorted(shop.stage.do(rivals)) == ["lost"] + ["noted"] * 5
    assert shop.state(purchase_id) == "refunded"
    money_back_agrees(shop, team)


def test_an_event_waits_while_the_processor_is_away(shop: CardShop) -> None:
    team = shop.team()
    charge_id, purchase_id = buy(shop, team)
    shop.dispute(charge_id)
    shop.stripe.fault("500", count=2, **LOOK_UP)
    assert "later: processor_unavailable" in shop.hear()
    assert "disputed" in shop.settle_all()
    assert shop.state(purchase_id) == "disputed"
    waiting = shop.sql(
        "select count(*) from payments.inbox where done_at is null and kind like 'charge.dispute%%'"
    )
    assert waiting == [(0,)]
    money_back_agrees(shop, team)


def test_a_dispute_of_what_is_not_known_to_be_paid_settles_it_first(shop: CardShop) -> None:
    team = shop.team()
    shop.stripe.fault("reset", when="after", method="POST", path=INTENTS)
    shop.stripe.fault("500", method="GET", path=INTENTS)
    answer = shop.order(team)
    assert answer.status_code == 502
    purchase_id = answer.json()["purchaseId"]
    assert shop.state(purchase_id) == "pending"
    (charge,) = shop.charges()
    shop.dispute(charge["id"], "lost")
    seen = look_up(shop, shop.stripe.truth("disputes")[0]["id"])
    assert follow(shop, seen) == "lost"
    assert shop.state(purchase_id) == "refunded"
    shop.hear()
    money_back_agrees(shop, team)


# ------------------------------------------------------------------------- what a person looks at


def test_a_dispute_of_a_strange_charge_is_put_on_the_list_once(shop: CardShop) -> None:
    team = shop.team()
    charge_id, _ = buy(shop, team)
    dispute_id = shop.dispute(charge_id)
    seen = msgspec.structs.replace(look_up(shop, dispute_id), charge_id="ch_other", intent_id="")
    assert (follow(shop, seen), follow(shop, seen)) == ("noted", "noted")
    (one,) = [one for one in shop.exceptions() if one.kind == "dispute_unclear"]
    assert (one.subject, "ch_other" in one.detail) == (dispute_id, True)
    shop.stage.write(lambda conn: resolve_exception(conn, one.id, "of the other shop"))
    follow(shop, seen)
    assert "dispute_unclear" not in {one.kind for one in shop.exceptions()}


@pytest.mark.parametrize("change", [{"currency": "EUR"}, {"amount_minor": 1}, {"status": "new"}])
def test_what_cannot_be_moves_nothing_and_is_put_on_the_list(
    shop: CardShop, change: dict[str, Any]
) -> None:
    team = shop.team()
    charge_id, purchase_id = buy(shop, team)
    dispute_id = shop.dispute(charge_id)
    shop.hear()
    seen = msgspec.structs.replace(look_up(shop, dispute_id), **{"status": "lost", **change})
    assert follow(shop, seen) == "noted"
    assert shop.state(purchase_id) == "disputed"
    assert [one.kind for one in shop.exceptions()] == ["dispute_unclear"]
    money_back_agrees(shop, team)


def test_more_than_was_left_is_put_on_the_list(shop: CardShop) -> None:
    """A bank can take the whole price although a part of it was refunded."""
    team = shop.team()
    charge_id, purchase_id = buy(shop, team)
    refund(shop, purchase_id, 200)
    suspense = held_in(shop, "suspense").get("USD", 0)
    dispute_id = shop.dispute(charge_id)
    seen = msgspec.structs.replace(
        look_up(shop, dispute_id), amount_minor=ORDER_CENTS, status="lost"
    )
    assert follow(shop, seen) == "lost"
    assert shop.state(purchase_id) == "refunded"
    assert held_in(shop, "suspense").get("USD", 0) == suspense - 200_000_000
    (one,) = shop.exceptions()
    assert "200 USD more was lost" in one.detail
    mine = [text for text in shop.findings() if dispute_id in text or purchase_id in text]
    assert mine == []


def test_an_appeal_goes_on_and_can_be_lost(shop: CardShop) -> None:
    team = shop.team()
    charge_id, purchase_id = buy(shop, team)
    dispute_id = shop.dispute(charge_id)
    seen = look_up(shop, dispute_id)
    states = []
    for status in ("won", "appeal_under_review", "under_review", "lost", "appeal_needs_response"):
        follow(shop, msgspec.structs.replace(seen, status=status))
        states.append(shop.state(purchase_id))
    assert states == ["paid", "disputed", "disputed", "refunded", "refunded"]
    follow(shop, msgspec.structs.replace(seen, status="won"))
    assert shop.state(purchase_id) == "refunded"
    assert [one.kind for one in shop.exceptions()] == ["dispute_unclear"]
    shop.dispute(charge_id, "lost")
    money_back_agrees(shop, team)


# ---------------------------------------------------------------------------------- in the worker


def test_the_workers_jobs_bring_disputes_in(shop: CardShop) -> None:
    team = shop.team()
    charge_id, purchase_id = buy(shop, team)
    shop.dispute(charge_id, "lost")
    shop.flush_events()
    rows = shop.sql("select id from payments.inbox where kind like 'charge.dispute.%%'")
    assert rows

    async def work_twice(db: Database, gateway: StripeGateway) -> None:
        ctx = jobs.JobContext(db=db, settings=Settings(), gateway=gateway)
        for (row,) in rows:
            await jobs.work_stripe_event(ctx, row)
            await jobs.work_stripe_event(ctx, row)
        await jobs.reconcile_recent(ctx)
        await jobs.reconcile_recent(ctx)

    shop.stage.do(work_twice)
    assert shop.state(purchase_id) == "refunded"
    money_back_agrees(shop, team)
