"""What only a top-up does when the processor answers late or not at all, and what of it is owed.

That it is charged once and credited once, whoever settles it, stands in `test_card_outcomes.py`.
"""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from fieldfare import jobs
from fieldfare.db.ids import new_id
from fieldfare.db.pool import Database
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.jobs import JobContext, TryLater
from fieldfare.ledger.service.credits import adjust_credits
from fieldfare.settings import Settings
from tests.support.buying import CREATE, LIST, Buying
from tests.support.cards import TIMEOUT_S, TOP_UP_CENTS, TOP_UP_PATH, CardShop, Team, environment_of
from tests.support.client import REPLAYED, assert_refused
from tests.support.processes import ApiProcess
from tests.support.waiting import wait_until

DECLINED = "pm_card_visa_chargeDeclined"


def inbox(shop: CardShop) -> list[bool]:
    """Of each kept event of a charge that succeeded, whether it is done."""
    rows = shop.sql(
        "select done_at is not null from payments.inbox where kind = 'payment_intent.succeeded'"
    )
    return [row[0] for row in rows]


def charges_in(counts: Mapping[str, Any]) -> dict[str, Any]:
    """What reconciling says of charges."""
    return {name: counts[name] for name in ("charges", "settled", "without_order")}


def test_until_it_is_paid_it_shows_nowhere(shop: CardShop, topping_up: Buying) -> None:
    team = shop.team()
    top_up_id = topping_up.left_unknown(team, charged=False)
    # It is no order.
    assert_refused(shop.get(f"/api/orders/{top_up_id}", team), 404, "order_not_found")
    assert shop.get("/api/credits/ledger", team).json()["total"] == 0
    assert shop.top_up(team, "k").status_code == 200
    assert_refused(shop.get(f"/api/orders/{top_up_id}", team), 404, "order_not_found")
    topping_up.settled(team)


# ------------------------------------------------------------------------ events, jobs and rivals


def test_the_event_before_the_answer(shop: CardShop, topping_up: Buying) -> None:
    team = shop.team()
    shop.stripe.post("events", paused=False)
    shop.stripe.fault("hang", when="after", s=TIMEOUT_S * 0.75, **CREATE)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(shop.top_up, team, "k")
        wait_until(lambda: bool(inbox(shop)))
        assert "settled" in shop.work()
        assert not running.done()
        replayed = shop.top_up(team, "k")
        # The balance moves on before the first answer goes out: it is what it was then.
        assert shop.top_up(team).status_code == 200
        first = running.result()
    assert (first.status_code, REPLAYED in first.headers) == (200, False)
    assert replayed.content == first.content == shop.top_up(team, "k").content
    topping_up.settled(team, 2)


def test_credited_by_event_and_answer_at_once(shop: CardShop) -> None:
    teams = [shop.team() for _ in range(6)]
    shop.stripe.post("events", paused=False, duplicate=2)
    with ThreadPoolExecutor(7) as pool:
        running = [pool.submit(shop.top_up, team, "k") for team in teams]
        while not all(one.done() for one in running):
            shop.work()
        assert {one.result().status_code for one in running} == {200}
    wait_until(lambda: len(inbox(shop)) == len(teams))
    shop.work()
    assert all(inbox(shop))
    assert [shop.balance(team) for team in teams] == [TOP_UP_CENTS] * len(teams)
    assert len(shop.charges()) == len(teams)
    shop.agree(*teams)


def test_a_declined_one_is_settled_by_its_event(shop: CardShop, topping_up: Buying) -> None:
    team = shop.team(DECLINED)
    shop.stripe.fault("reset", when="after", **CREATE)
    shop.stripe.fault("500", count=1, **LIST)
    top_up_id = topping_up.unknown(shop.top_up(team, "k"))
    shop.flush_events()
    assert "settled" in shop.work()
    assert shop.top_up_state(top_up_id) == "failed"
    assert_refused(shop.top_up(team, "k"), 400, "card_declined")
    topping_up.settled(team, 0)


def test_an_event_that_names_another_kind_of_subject_settles_nothing(shop: CardShop) -> None:
    team = shop.team()
    assert shop.top_up(team).status_code == 200
    (charge,) = shop.charges()
    top_up_id = charge["metadata"]["subject_id"]
    card = shop.sql(
        "select stripe_customer, stripe_payment_method from accounts.account where id = %s", team.id
    )[0]
    shop.stripe.client().v1.payment_intents.create(
        {
            "amount": 700, "currency": "usd", "customer": card[0], "payment_method": card[1],
            "confirm": True, "off_session": True,
            "metadata": {"subject": "purchase", "subject_id": top_up_id},
        }
    )  # fmt: skip
    shop.hear()
    assert [one.kind for one in shop.exceptions()] == ["charge_without_order"]
    assert shop.balance(team) == TOP_UP_CENTS


def context_of(db: Database, gateway: StripeGateway) -> JobContext:
    """What jobs work with."""
    return JobContext(db=db, settings=Settings(), gateway=gateway)


def test_the_jobs_may_run_twice(shop: CardShop, topping_up: Buying) -> None:
    team = shop.team()
    top_up_id = UUID(topping_up.left_unknown(team, charged=True))

    async def settle_twice(db: Database, gateway: StripeGateway) -> None:
        ctx = context_of(db, gateway)
        with pytest.raises(TryLater):
            await jobs.settle_top_up(JobContext(db=db, settings=Settings()), top_up_id)
        await jobs.settle_top_up(ctx, top_up_id)
        await jobs.settle_top_up(ctx, top_up_id)
        # One that never was is of no concern.
        await jobs.settle_top_up(ctx, new_id())

    shop.stage.do(settle_twice)
    topping_up.settled(team)
    shop.flush_events()
    rows = [row[0] for row in shop.sql("select id from payments.inbox where done_at is null")]

    async def work_twice(db: Database, gateway: StripeGateway) -> list[jobs.Outcome]:
        ctx = context_of(db, gateway)
        for row in rows * 2:
            await jobs.work_stripe_event(ctx, row)
        return [await jobs.reconcile_recent(ctx), await jobs.reconcile_days(ctx)]

    for outcome in shop.stage.do(work_twice):
        assert charges_in(outcome) == {"charges": 1, "settled": 0, "without_order": 0}
    assert shop.exceptions() == []
    topping_up.settled(team)


def test_one_key_from_two_processes_makes_one_top_up(
    shop: CardShop, topping_up: Buying, tmp_path: Path
) -> None:
    team = shop.team()
    environment = environment_of(shop)
    processes = [
        ApiProcess(shop.database_url, tmp_path / f"api-{n}.log", environment=environment)
        for n in range(2)
    ]
    headers = {"Authorization": f"Bearer {team.token}", "Idempotency-Key": "one"}

    def post(number: int) -> httpx.Response:
        url = f"{processes[number % 2].base_url}{TOP_UP_PATH}"
        return httpx.post(url, json={"amountInUsdCents": 5_000}, headers=headers, timeout=30)

    try:
        for process in processes:
            process.wait_until_ready()
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(post, range(100)))
        again = post(0)
    finally:
        for process in processes:
            process.stop()
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {200, 409}
    assert {one.content for one in answers if one.status_code == 200} == {again.content}
    assert len(shop.sent()) == 1
    topping_up.settled(team)


# -------------------------------------------------------------------------------- what is owed


def leave_owed(shop: CardShop, team: Team, cents: int) -> None:
    """Credits are bought and spent, and then their charge is lost in a dispute."""
    charge_id = shop.top_up(team, cents=cents).json()["id"]
    shop.stage.write(
        lambda conn: adjust_credits(conn, team.id, change_cents=-cents, reason="Spent")
    )
    shop.dispute(charge_id, "lost")
    shop.hear()
    assert (shop.balance(team), shop.owed(team)) == (0, cents)


@pytest.mark.parametrize("lost", ["answer", "nothing"])
@pytest.mark.parametrize(
    ("owed", "left", "still_owed"), [(1_200, 3_800, 0), (5_000, 0, 0), (7_000, 0, 2_000)]
)
def test_what_is_owed_is_taken_first(
    shop: CardShop, topping_up: Buying, owed: int, left: int, still_owed: int, lost: str
) -> None:
    team = shop.team()
    leave_owed(shop, team, owed)
    if lost == "answer":
        topping_up.left_unknown(team, charged=True)
        assert "settled" in shop.settle_all()
    answer = shop.top_up(team, "k")
    assert (answer.status_code, answer.json()["creditBalance"]) == (200, left)
    assert shop.top_up(team, "k").content == answer.content
    balance = shop.get("/api/credits/balance", team).json()
    assert balance == {"creditBalanceUsdCents": left, "owedUsdCents": still_owed}
    entries = shop.get("/api/credits/ledger", team).json()["entries"]
    told = [(entry["type"], entry["amountUsdCents"]) for entry in entries]
    assert told[:2] == [("adjustment", still_owed - owed), ("top_up", TOP_UP_CENTS)]
    findings = shop.findings()
    assert not findings, findings
