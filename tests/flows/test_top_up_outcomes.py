"""What becomes of a top-up when the processor answers late, wrongly, in part or not at all.

Whoever settles it, the card is charged once and the wallet credited once: after each fault the
simulator's own record of charges, the credits and the books must tell the same.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from fieldfare import jobs
from fieldfare.db.ids import new_id
from fieldfare.db.pool import Database, connection
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import NotExecuted
from fieldfare.jobs import JobContext, TryLater
from fieldfare.ledger.service.credits import adjust_credits
from fieldfare.orders.jobs import reconcile
from fieldfare.payments.errors import (
    CardDeclined,
    NoPaymentMethod,
    ProcessorBusy,
    RefillUnderway,
    TopUpOutcomeUnknown,
)
from fieldfare.payments.model import Payment
from fieldfare.payments.rules import IN_DOLLARS
from fieldfare.payments.service.outcomes import find_payment_of
from fieldfare.payments.service.settling import settle_with
from fieldfare.payments.service.top_ups import TOP_UPS, charge_top_up
from fieldfare.settings import Settings
from tests.support.cards import (
    INTENTS,
    TIMEOUT_S,
    TOP_UP_CENTS,
    TOP_UP_PATH,
    CardShop,
    Team,
    card_shop,
    environment_of,
)
from tests.support.client import assert_refused
from tests.support.processes import ApiProcess
from tests.support.serving import Serving, nothing_runs
from tests.support.waiting import wait_until

REPLAYED = "idempotency-replayed"
CREATE = {"method": "POST", "path": INTENTS}
LIST = {"method": "GET", "path": INTENTS}
CANCEL = {"method": "POST", "path": f"{INTENTS}/*/cancel"}
DECLINED = "pm_card_visa_chargeDeclined"
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
LEASE = timedelta(seconds=31)


@pytest.fixture(scope="module")
def open_shop(server_url: str, template: str) -> Iterator[CardShop]:
    """One API and simulator for the module."""
    with card_shop(server_url, template) as shop:
        yield shop


@pytest.fixture
def shop(open_shop: CardShop) -> CardShop:
    """The shop without a memory of other tests."""
    open_shop.begin()
    open_shop.sql("delete from payments.inbox")
    return open_shop


def inbox(shop: CardShop) -> list[bool]:
    """Of each kept event of a charge that succeeded, whether it is done."""
    rows = shop.sql(
        "select done_at is not null from payments.inbox where kind = 'payment_intent.succeeded'"
    )
    return [row[0] for row in rows]


def unknown(answer: httpx.Response) -> str:
    """Check that an answer says that nothing is known, and what to do; gives the top-up."""
    assert answer.status_code == 502, answer.text
    body: dict[str, str] = answer.json()
    assert (body["code"], REPLAYED in answer.headers) == ("payment_outcome_unknown", False)
    assert "Do not top up again" in body["message"]
    assert "GET /api/credits/ledger" in body["message"]
    assert "same Idempotency-Key" in body["message"]
    return body["purchaseId"]


def left_unknown(shop: CardShop, team: Team, key: str = "k", *, charged: bool) -> str:
    """A top-up whose answer was lost, with or without its charge, and could not be looked up."""
    before = len(shop.charges())
    shop.stripe.fault("reset", when="after" if charged else "before", **CREATE)
    shop.stripe.fault("500", count=1, **LIST)
    top_up_id = unknown(shop.top_up(team, key))
    assert len(shop.charges()) == before + int(charged)
    assert (shop.top_up_state(top_up_id), shop.balance(team)) == ("pending", 0)
    return top_up_id


def credited(shop: CardShop, team: Team, times: int = 1) -> None:
    """Check that so many top-ups were charged and credited, and that everything tells the same."""
    assert len([charge for charge in shop.charges() if charge["paid"]]) == times
    assert shop.balance(team) == times * TOP_UP_CENTS
    entries = shop.get("/api/credits/ledger", team).json()["entries"]
    assert [entry["type"] for entry in entries] == ["top_up"] * times
    shop.agree(team)


def charges_in(counts: Mapping[str, Any]) -> dict[str, Any]:
    """What reconciling says of charges."""
    return {name: counts[name] for name in ("charges", "settled", "without_order")}


# ------------------------------------------------------------------------------- lost answers


@pytest.mark.parametrize(
    ("kind", "when"),
    [
        ("500", "after"), ("reset", "before"), ("reset", "after"), ("half", "before"),
        ("half", "after"), ("hang", "after"), ("409", "before"),
    ],
)  # fmt: skip
def test_a_lost_answer_that_can_be_found_is_found_at_once(
    shop: CardShop, kind: str, when: str
) -> None:
    team = shop.team()
    shop.stripe.fault(kind, when=when, s=2 * TIMEOUT_S, **CREATE)
    first = shop.top_up(team, "k")
    assert (first.status_code, REPLAYED in first.headers) == (200, False)
    again = shop.top_up(team, "k")
    assert (again.status_code, again.content) == (200, first.content)
    assert shop.settle_all() == ["settled before"]
    credited(shop, team)


def test_a_500_that_did_not_charge_is_failed_only_once_it_is_proven(shop: CardShop) -> None:
    team = shop.team()
    shop.stripe.fault("500", **CREATE)
    top_up_id = unknown(shop.top_up(team, "k"))
    assert unknown(shop.top_up(team, "k")) == top_up_id
    assert shop.top_up_state(top_up_id) == "pending"
    # It is no order, and shows nowhere before it is paid.
    assert_refused(shop.get(f"/api/orders/{top_up_id}", team), 404, "order_not_found")
    assert shop.get("/api/credits/ledger", team).json()["total"] == 0

    shop.pass_time(HOUR + MINUTE)
    assert shop.work() == ["still unknown"]
    (exception,) = shop.exceptions()
    assert (exception.kind, exception.subject) == ("outcome_unknown", top_up_id)
    sent = len(shop.sent())
    shop.pass_time(24 * HOUR)
    shop.work()
    assert unknown(shop.top_up(team, "k")) == top_up_id
    assert (len(shop.sent()), shop.top_up_state(top_up_id)) == (sent, "pending")

    shop.pass_time(63 * MINUTE)
    refused = shop.top_up(team, "k")
    assert_refused(refused, 400, "card_declined")
    assert (shop.top_up(team, "k").content, shop.exceptions()) == (refused.content, [])
    credited(shop, team, 0)


@pytest.mark.parametrize(
    ("driver", "charged"),
    [
        ("retry", True), ("retry", False), ("timer", True), ("timer", False),
        # Neither is told of what was not charged.
        ("event", True), ("reconcile", True),
    ],
)  # fmt: skip
def test_whoever_settles_it_charges_and_credits_once(
    shop: CardShop, driver: str, charged: bool
) -> None:
    team = shop.team()
    top_up_id = left_unknown(shop, team, charged=charged)
    if driver == "timer":
        assert shop.settle_all() == ["settled"]
    elif driver == "event":
        shop.flush_events()
        assert "settled" in shop.work()
    elif driver == "reconcile":
        found = shop.stage.do(partial(reconcile, back=6 * HOUR))
        assert charges_in(found) == {"charges": 1, "settled": 1, "without_order": 0}
    settled = shop.top_up(team, "k")
    assert (settled.status_code, settled.headers[REPLAYED]) == (200, "true")
    assert settled.json()["creditBalance"] == TOP_UP_CENTS
    assert shop.top_up(team, "k").content == settled.content
    assert shop.top_up_state(top_up_id) == "paid"
    assert shop.exceptions() == []
    credited(shop, team)


@pytest.mark.parametrize("driver", ["retry", "timer"])
@pytest.mark.parametrize("charged", [True, False])
@pytest.mark.parametrize("minutes", [22 * 60 + 50, 23 * 60 + 59, 24 * 60 + 1])
def test_around_the_hour_at_which_the_processor_forgets_the_key(
    shop: CardShop, minutes: int, charged: bool, driver: str
) -> None:
    team = shop.team()
    top_up_id = left_unknown(shop, team, charged=charged)
    shop.pass_time(minutes * MINUTE)
    may_send = minutes < 23 * 60
    if driver == "timer":
        assert shop.work() == ["settled" if charged or may_send else "still unknown"]
    answer = shop.top_up(team, "k")
    if charged or may_send:
        assert answer.status_code == 200
        credited(shop, team)
    else:
        assert unknown(answer) == top_up_id
        shop.pass_time(2 * HOUR)
        assert "settled" in shop.work()
        assert shop.top_up_state(top_up_id) == "failed"
        credited(shop, team, 0)
    assert len(shop.sent()) == (2 if may_send and not charged else 1)


def test_what_is_sent_again_is_what_was_frozen(shop: CardShop) -> None:
    team = shop.team()
    left_unknown(shop, team, charged=False)
    (before,) = shop.sent()
    shop.give_card(team, DECLINED)
    settled = shop.top_up(team, "k")
    assert settled.status_code == 200
    assert [call["params"] for call in shop.sent()] == [before["params"]] * 2
    assert len({call["idempotency_key"] for call in shop.sent()}) == 1
    credited(shop, team)


def test_it_is_settled_though_its_card_was_taken_away(shop: CardShop) -> None:
    team = shop.team()
    left_unknown(shop, team, charged=True)
    shop.sql("update accounts.account set stripe_customer = null, stripe_payment_method = null"
             " where id = %s", team.id)  # fmt: skip
    assert shop.top_up(team, "k").status_code == 200
    credited(shop, team)


@pytest.mark.parametrize("charged", [True, False])
def test_five_days_without_an_answer_fail_nothing(shop: CardShop, charged: bool) -> None:
    team = shop.team()
    top_up_id = left_unknown(shop, team, charged=charged)
    shop.stripe.fault("500", count=0, **LIST)
    shop.stripe.fault("reset", count=0, **CREATE)
    for _ in range(5):
        shop.pass_time(24 * HOUR)
        assert shop.work() == ["still unknown"]
        assert shop.top_up_state(top_up_id) == "pending"
        assert [one.subject for one in shop.exceptions()] == [top_up_id]
    assert unknown(shop.top_up(team, "k")) == top_up_id
    shop.stripe.delete("faults")
    shop.pass_time(2 * HOUR)
    assert shop.work() == ["settled"]
    assert shop.exceptions() == []
    credited(shop, team, int(charged))


# ------------------------------------------------------------------------- refused or not begun


@pytest.mark.parametrize("fault", ["429", "401"])
def test_a_request_that_was_not_begun_makes_nothing(shop: CardShop, fault: str) -> None:
    team = shop.team()
    shop.stripe.fault(fault, **CREATE)
    refused = shop.top_up(team, "k")
    assert_refused(refused, 503, "processor_unavailable")
    assert int(refused.headers["retry-after"]) >= 1
    assert shop.charges() == []
    first = shop.top_up(team, "k")
    assert (first.status_code, REPLAYED in first.headers) == (200, False)
    assert shop.settle_all() == ["settled before", "settled before"]
    credited(shop, team)


def test_a_request_that_is_refused_makes_nothing(shop: CardShop) -> None:
    team = shop.team()
    shop.sql("update accounts.account set stripe_customer = 'cus_gone' where id = %s", team.id)
    message = assert_refused(shop.top_up(team, "k"), 400, "payment_refused")["message"]
    assert "No such customer" in message
    assert "paymentMethod" not in message
    shop.give_card(team, "pm_card_visa")
    assert shop.top_up(team, "k").status_code == 200
    credited(shop, team)


@pytest.mark.parametrize("card", ["pm_card_authenticationRequired", DECLINED])
def test_an_intent_that_could_still_be_confirmed_is_not_failed_yet(
    shop: CardShop, card: str
) -> None:
    team = shop.team(card)
    shop.stripe.fault("500", count=4, **CANCEL)
    top_up_id = unknown(shop.top_up(team, "k"))
    assert shop.top_up_state(top_up_id) == "pending"
    shop.stripe.delete("faults")
    assert shop.settle_all() == ["settled"]
    (intent,) = shop.stripe.truth("payment_intents")
    assert intent["status"] == "canceled"
    assert_refused(shop.top_up(team, "k"), 400, "card_declined")
    credited(shop, team, 0)


def test_a_charge_that_does_not_match_credits_nothing(shop: CardShop) -> None:
    team = shop.team()
    top_up_id = left_unknown(shop, team, charged=True)
    change = "update payments.payment set amount_minor = amount_minor + %s where subject_id = %s"
    shop.sql(change, 1, top_up_id)
    for _ in range(2):
        assert unknown(shop.top_up(team, "k")) == top_up_id
    (exception,) = shop.exceptions()
    assert (exception.kind, exception.subject) == ("mismatch", top_up_id)
    assert f"amount is {TOP_UP_CENTS}, expected {TOP_UP_CENTS + 1}" in exception.detail
    assert any("amount_minor" in finding for finding in shop.findings())
    shop.sql(change, -1, top_up_id)
    assert shop.top_up(team, "k").status_code == 200
    assert shop.exceptions() == []
    credited(shop, team)


def payment_of(shop: CardShop, top_up_id: str) -> Payment:
    """The payment of a top-up, as it is now."""

    async def read(db: Database, _: StripeGateway) -> Payment | None:
        async with connection(db) as conn:
            return await find_payment_of(conn, UUID(top_up_id))

    payment = shop.stage.do(read)
    assert payment is not None
    return payment


def test_a_refusal_of_the_first_try_says_nothing_once_it_was_sent_again(shop: CardShop) -> None:
    team = shop.team()
    top_up_id = left_unknown(shop, team, charged=False)
    payment = payment_of(shop, top_up_id)
    shop.sql("update payments.payment set last_sent_at = last_sent_at + interval '1 s'"
             " where id = %s", payment.id)  # fmt: skip
    busy = NotExecuted(reason="busy", code="rate_limit", message="")
    said = shop.stage.do(lambda db, _: settle_with(db, TOP_UPS, payment, busy, first_try=True))
    assert (said, shop.top_up_state(top_up_id)) == (None, "pending")
    assert shop.top_up(team, "k").status_code == 200
    credited(shop, team)


def test_who_comes_after_a_refusal_is_told_of_it(shop: CardShop) -> None:
    team = shop.team()
    top_up_id = left_unknown(shop, team, charged=False)
    stale = payment_of(shop, top_up_id)
    busy = NotExecuted(reason="busy", code="rate_limit", message="")
    for _ in range(2):
        said = shop.stage.do(lambda db, _: settle_with(db, TOP_UPS, stale, busy, first_try=True))
        assert isinstance(said, ProcessorBusy)
    # Nothing was made, so its client is free to ask again under the same key.
    first = shop.top_up(team, "k")
    assert (first.status_code, REPLAYED in first.headers) == (200, False)
    credited(shop, team)


# ------------------------------------------------------------------------ events, jobs and rivals


def test_the_event_before_the_answer(shop: CardShop) -> None:
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
    credited(shop, team, 2)


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


def test_a_declined_one_is_settled_by_its_event(shop: CardShop) -> None:
    team = shop.team(DECLINED)
    shop.stripe.fault("reset", when="after", **CREATE)
    shop.stripe.fault("500", count=1, **LIST)
    top_up_id = unknown(shop.top_up(team, "k"))
    shop.flush_events()
    assert "settled" in shop.work()
    assert shop.top_up_state(top_up_id) == "failed"
    assert_refused(shop.top_up(team, "k"), 400, "card_declined")
    credited(shop, team, 0)


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
    shop.flush_events()
    shop.work()
    assert [one.kind for one in shop.exceptions()] == ["charge_without_order"]
    assert shop.balance(team) == TOP_UP_CENTS


def context_of(db: Database, gateway: StripeGateway) -> JobContext:
    """What jobs work with."""
    return JobContext(db=db, settings=Settings(), gateway=gateway)


def test_the_jobs_may_run_twice(shop: CardShop) -> None:
    team = shop.team()
    top_up_id = UUID(left_unknown(shop, team, charged=True))

    async def settle_twice(db: Database, gateway: StripeGateway) -> None:
        ctx = context_of(db, gateway)
        with pytest.raises(TryLater):
            await jobs.settle_top_up(JobContext(db=db, settings=Settings()), top_up_id)
        await jobs.settle_top_up(ctx, top_up_id)
        await jobs.settle_top_up(ctx, top_up_id)
        # One that never was is of no concern.
        await jobs.settle_top_up(ctx, new_id())

    shop.stage.do(settle_twice)
    credited(shop, team)
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
    credited(shop, team)


def test_retries_and_timer_at_once_charge_once(shop: CardShop) -> None:
    teams = [shop.team() for _ in range(4)]
    for team in teams:
        left_unknown(shop, team, charged=False)
    shop.pass_time(2 * MINUTE)
    with ThreadPoolExecutor(17) as pool:
        timer = pool.submit(shop.work)
        retries = [pool.submit(shop.top_up, team, "k") for team in teams for _ in range(4)]
        assert {retry.result().status_code for retry in retries} <= {200, 409, 502}
        timer.result()
    shop.pass_time(HOUR)
    shop.work()
    assert [shop.top_up(team, "k").status_code for team in teams] == [200] * 4
    assert [shop.balance(team) for team in teams] == [TOP_UP_CENTS] * 4
    assert len(shop.charges()) == 4
    shop.agree(*teams)


def test_one_key_from_two_processes_makes_one_top_up(shop: CardShop, tmp_path: Path) -> None:
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
    credited(shop, team)


# -------------------------------------------------------------------------------- what is owed


def leave_owed(shop: CardShop, team: Team, cents: int) -> None:
    """Credits are bought and spent, and then their charge is lost in a dispute."""
    charge_id = shop.top_up(team, cents=cents).json()["id"]
    shop.stage.write(
        lambda conn: adjust_credits(conn, team.id, change_cents=-cents, reason="Spent")
    )
    shop.dispute(charge_id, "lost")
    shop.flush_events()
    shop.work()
    assert (shop.balance(team), shop.owed(team)) == (0, cents)


@pytest.mark.parametrize("lost", ["answer", "nothing"])
@pytest.mark.parametrize(
    ("owed", "left", "still_owed"), [(1_200, 3_800, 0), (5_000, 0, 0), (7_000, 0, 2_000)]
)
def test_what_is_owed_is_taken_first(
    shop: CardShop, owed: int, left: int, still_owed: int, lost: str
) -> None:
    team = shop.team()
    leave_owed(shop, team, owed)
    if lost == "answer":
        left_unknown(shop, team, charged=True)
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


# ---------------------------------------------------------------------------------- refills


def refill(shop: CardShop, team: Team, cents: int = TOP_UP_CENTS) -> Any:
    """A refill of an account, as the job that makes them asks for it."""
    return shop.stage.do(
        lambda db, gateway: charge_top_up(
            db, gateway, account_id=team.id, amount_cents=cents, exchange=IN_DOLLARS,
            origin="refill",
        )
    )  # fmt: skip


def refills_ended(shop: CardShop) -> list[str]:
    """The refills that the outbox tells the end of."""
    rows = shop.sql(
        "select subject_id::text from notifications.outbox where topic = 'refill_ended'"
    )
    return [row[0] for row in rows]


def test_a_refill_is_charged_and_its_end_is_told_once(shop: CardShop) -> None:
    team = shop.team()
    paid = refill(shop, team)
    assert isinstance(paid, bytes)
    ((top_up_id, origin),) = shop.sql(
        "select id::text, origin from payments.top_up where charge_id = %s",
        json.loads(paid)["id"],
    )
    assert origin == "refill"
    shop.flush_events()
    shop.settle_all()
    assert refills_ended(shop) == [top_up_id]
    credited(shop, team)


def test_a_declined_refill_is_told_of_and_the_next_may_begin(shop: CardShop) -> None:
    team = shop.team(DECLINED)
    for times in (1, 2):
        with pytest.raises(CardDeclined):
            refill(shop, team)
        assert len(refills_ended(shop)) == times
    credited(shop, team, 0)


def test_a_refill_without_a_card_makes_nothing(shop: CardShop) -> None:
    with pytest.raises(NoPaymentMethod):
        refill(shop, shop.team(card=None))
    assert refills_ended(shop) == []


def test_one_refill_is_under_way_at_most(shop: CardShop) -> None:
    team, other = shop.team(), shop.team()
    shop.stripe.fault("reset", when="before", **CREATE)
    shop.stripe.fault("500", count=1, **LIST)
    with pytest.raises(TopUpOutcomeUnknown):
        refill(shop, team)
    with pytest.raises(RefillUnderway):
        refill(shop, team)
    # Neither a request nor another account's refill is held up by it.
    assert shop.top_up(team).status_code == 200
    assert isinstance(refill(shop, other), bytes)
    assert shop.settle_all().count("settled") == 1
    assert isinstance(refill(shop, team), bytes)
    assert (shop.balance(team), shop.balance(other)) == (3 * TOP_UP_CENTS, TOP_UP_CENTS)
    assert len(refills_ended(shop)) == 3
    shop.agree(team, other)


# ---------------------------------------------------------------------------- kill -9, at each step


@pytest.fixture
def serving(shop: CardShop, tmp_path: Path) -> Iterator[Serving]:
    """The API as a process of its own for one test."""
    served_by = shop.base_url
    process = Serving(shop, tmp_path / "api.log")
    try:
        yield process
    finally:
        process.stop()
        shop.move_to(served_by)


@contextmanager
def locked(shop: CardShop, statement: str) -> Iterator[None]:
    """Hold up whoever needs what `statement` locks."""
    with psycopg.connect(shop.database_url) as conn:
        conn.execute(statement)
        yield
        conn.rollback()


@contextmanager
def hung(shop: CardShop, when: str) -> Iterator[None]:
    """Hold up the processor's answer to the charge."""
    shop.stripe.fault("hang", when=when, s=1.0, **CREATE)
    yield


def sessions(shop: CardShop, condition: str) -> bool:
    """Whether a session of the API is in some condition."""
    return bool(shop.sql(
        "select 1 from pg_stat_activity where datname = current_database()"
        f" and application_name = 'fieldfare-api' and {condition}"
    ))  # fmt: skip


def waits_for_a_lock(shop: CardShop) -> bool:
    """Whether a session of the API waits for another one."""
    return sessions(shop, "wait_event_type = 'Lock'")


def pending(shop: CardShop) -> set[str]:
    """The top-ups that are not settled."""
    rows = shop.sql("select id::text from payments.top_up where state = 'pending'")
    return {row[0] for row in rows}


Hold = Callable[[CardShop], AbstractContextManager[None]]
STEPS: list[tuple[str, Hold, Callable[[CardShop], bool]]] = [
    (
        "before anything is recorded",
        lambda shop: locked(shop, "lock table payments.top_up in exclusive mode"),
        waits_for_a_lock,
    ),
    (
        "in the statement that opens it",
        lambda shop: locked(shop, "lock table notifications.outbox in exclusive mode"),
        waits_for_a_lock,
    ),
    (
        "sent and not yet charged",
        lambda shop: hung(shop, "before"),
        lambda shop: bool(pending(shop)),
    ),
    (
        "charged and not yet answered",
        lambda shop: hung(shop, "after"),
        lambda shop: not pending(shop).isdisjoint(
            charge["metadata"]["subject_id"] for charge in shop.charges()
        ),
    ),
    (
        "paid, and before the credit",
        lambda shop: locked(shop, "lock table ledger.wallet in exclusive mode"),
        waits_for_a_lock,
    ),
    (
        "between the credit and the card's side",
        lambda shop: locked(shop, "lock table ledger.journal in exclusive mode"),
        waits_for_a_lock,
    ),
]  # fmt: skip


def try_to_top_up(shop: CardShop, team: Team, key: str) -> int | None:
    """The status of a top-up, or None if the connection broke."""
    try:
        return shop.top_up(team, key).status_code
    except httpx.TransportError:
        return None


CHARGED = slice(3, None)
"""The steps at which an event tells of the charge."""


@pytest.mark.parametrize(
    ("healer", "steps"), [("retry", slice(0, None)), ("timer", CHARGED), ("event", CHARGED)]
)
def test_kill_at_each_step(shop: CardShop, serving: Serving, healer: str, steps: slice) -> None:
    team = shop.team()
    for number, (name, hold, reached) in enumerate(STEPS[steps], start=1):
        shop.stripe.delete("faults")
        key = f"step {number}"
        with ThreadPoolExecutor(1) as pool, hold(shop):
            running = pool.submit(try_to_top_up, shop, team, key)
            wait_until(partial(reached, shop))
            serving.kill()
            assert running.result() is None, name
        serving.start()
        wait_until(lambda: not sessions(shop, "state = 'active'"))
        wait_until(lambda: nothing_runs(shop))
        if healer == "event":
            shop.flush_events()
            shop.work()
        shop.pass_time(LEASE)
        if healer == "timer":
            shop.settle_all()
        if healer != "retry":
            assert shop.balance(team) == number * TOP_UP_CENTS, name
        answer = shop.top_up(team, key)
        assert answer.status_code == 200, f"{name}: {answer.text}"
        assert answer.json()["creditBalance"] == number * TOP_UP_CENTS, name
        shop.settle_all()
        credited(shop, team, number)
