"""What becomes of a card order when the processor answers late, wrongly, in part or not at all.

After each fault the simulator's own record of charges and the books must tell the same.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from fieldfare.db.pool import connection
from fieldfare.integrations.stripe.model import Declined, NotExecuted, Unknown
from fieldfare.orders.service.settle import ORDERS
from fieldfare.payments.errors import CardDeclined, ProcessorBusy
from fieldfare.payments.model import Payment
from fieldfare.payments.service.outcomes import find_out, find_payment_of
from fieldfare.payments.service.settling import settle_with
from tests.support.cards import INTENTS, ORDER_CENTS, TIMEOUT_S, CardShop, Team, card_shop
from tests.support.client import assert_refused
from tests.support.waiting import wait_until

REPLAYED = "idempotency-replayed"
CREATE = {"method": "POST", "path": INTENTS}
LIST = {"method": "GET", "path": INTENTS}
CANCEL = {"method": "POST", "path": f"{INTENTS}/*/cancel"}
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


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


def unknown(answer: httpx.Response) -> str:
    """Check that an answer says that nothing is known, and what to do; gives the purchase."""
    assert answer.status_code == 502, answer.text
    body: dict[str, str] = answer.json()
    assert (body["code"], REPLAYED in answer.headers) == ("payment_outcome_unknown", False)
    assert f"/api/orders/{body['purchaseId']}" in body["message"]
    assert "same Idempotency-Key" in body["message"]
    return body["purchaseId"]


def left_unknown(shop: CardShop, team: Team, key: str = "k", *, charged: bool) -> str:
    """An order whose answer was lost, with or without its charge, and could not be looked up."""
    shop.stripe.fault("reset", when="after" if charged else "before", **CREATE)
    shop.stripe.fault("500", count=1, **LIST)
    purchase_id = unknown(shop.order(team, key))
    assert len(shop.charges()) == int(charged)
    return purchase_id


def payment_of(shop: CardShop, purchase_id: str) -> Payment:
    """The payment of an order, as it is now."""

    async def read(db: Any, _: Any) -> Payment | None:
        async with connection(db) as conn:
            return await find_payment_of(conn, UUID(purchase_id))

    payment = shop.stage.do(read)
    assert payment is not None
    return payment


def test_who_comes_after_a_refusal_is_told_the_same(shop: CardShop) -> None:
    """By the payment as it is now: as it was read before the lock, it does not say why yet."""
    team = shop.team()
    busy = NotExecuted(reason="busy", code="rate_limit", message="")
    stale = payment_of(shop, left_unknown(shop, team, "busy", charged=False))
    for _ in range(2):
        said = shop.stage.do(lambda db, _: settle_with(db, ORDERS, stale, busy, first_try=True))
        assert isinstance(said, ProcessorBusy)
    declined = Declined(code="insufficient_funds", intent_id=None)
    other = payment_of(shop, left_unknown(shop, team, "declined", charged=False))
    for _ in range(2):
        said = shop.stage.do(lambda db, _: settle_with(db, ORDERS, other, declined))
        assert isinstance(said, CardDeclined)
        assert "insufficient funds" in said.message


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
    first = shop.order(team, "k")
    assert first.status_code == 200, first.text
    assert REPLAYED not in first.headers
    again = shop.order(team, "k")
    assert (again.status_code, again.content) == (200, first.content)
    assert shop.settle_all() == ["settled before"]
    shop.agree(team)


def test_a_request_that_arrives_after_our_time_out_is_charged_once(shop: CardShop) -> None:
    team = shop.team()
    shop.stripe.fault("hang", s=3 * TIMEOUT_S, **CREATE)
    purchase_id = unknown(shop.order(team, "k"))
    # The processor has not begun: it refuses the same key meanwhile, and nothing is proven.
    assert unknown(shop.order(team, "k")) == purchase_id
    wait_until(lambda: len(shop.charges()) == 1)
    settled = shop.order(team, "k")
    assert settled.status_code == 200
    assert settled.json()["purchaseId"] == purchase_id
    assert settled.headers[REPLAYED] == "true"
    shop.agree(team)


def test_a_500_that_did_not_charge_is_failed_only_once_it_is_proven(shop: CardShop) -> None:
    team = shop.team()
    shop.stripe.fault("500", **CREATE)
    purchase_id = unknown(shop.order(team, "k"))
    assert unknown(shop.order(team, "k")) == purchase_id
    assert shop.state(purchase_id) == "pending"
    found = shop.get(f"/api/orders/{purchase_id}", team).json()
    assert (found["state"], found["orderGroupId"]) == ("pending", purchase_id)

    # An hour later a person is told; after 23 hours it is not sent any more.
    shop.pass_time(HOUR + MINUTE)
    assert shop.work() == ["still unknown"]
    (exception,) = shop.exceptions()
    assert (exception.kind, exception.subject) == ("outcome_unknown", purchase_id)
    assert unknown(shop.order(team, "k")) == purchase_id
    sent = len(shop.sent())
    shop.pass_time(24 * HOUR)
    shop.work()
    assert unknown(shop.order(team, "k")) == purchase_id
    assert (len(shop.sent()), shop.state(purchase_id)) == (sent, "pending")

    # It was last sent an hour after it began; 25 hours after that no list shows it.
    shop.pass_time(58 * MINUTE)
    assert unknown(shop.order(team, "k")) == purchase_id
    shop.pass_time(5 * MINUTE)
    refused = shop.order(team, "k")
    assert_refused(refused, 400, "card_declined", "paymentMethod")
    assert shop.order(team, "k").content == refused.content
    assert shop.exceptions() == []
    shop.agree(team)


@pytest.mark.parametrize("fault", ["429", "401"])
def test_a_request_that_was_not_begun_makes_nothing(shop: CardShop, fault: str) -> None:
    team = shop.team()
    shop.stripe.fault(fault, **CREATE)
    refused = shop.order(team, "k")
    assert_refused(refused, 503, "processor_unavailable")
    assert int(refused.headers["retry-after"]) >= 1
    assert shop.charges() == []
    first = shop.order(team, "k")
    assert (first.status_code, REPLAYED in first.headers) == (200, False)
    assert shop.settle_all() == ["settled before", "settled before"]
    shop.agree(team)


def test_a_request_that_is_refused_makes_nothing(shop: CardShop) -> None:
    team = shop.team()
    shop.sql("update accounts.account set stripe_customer = 'cus_gone' where id = %s", team.id)
    refused = shop.order(team, "k")
    assert_refused(refused, 400, "payment_refused", "paymentMethod")
    assert "No such customer" in refused.json()["message"]
    shop.give_card(team, "pm_card_visa")
    assert shop.order(team, "k").status_code == 200
    shop.agree(team)


@pytest.mark.parametrize("charged", [True, False])
@pytest.mark.parametrize("driver", ["retry", "timer"])
def test_a_look_up_that_fails_is_not_taken_for_not_charged(
    shop: CardShop, charged: bool, driver: str
) -> None:
    team = shop.team()
    purchase_id = left_unknown(shop, team, charged=charged)
    shop.stripe.post("search_lag", s=86_400)
    if driver == "timer":
        assert shop.settle_all() == ["settled"]
    settled = shop.order(team, "k")
    assert (settled.status_code, settled.json()["purchaseId"]) == (200, purchase_id)
    assert settled.headers[REPLAYED] == "true"
    assert not [call for call in shop.stripe.truth("requests") if "search" in call["path"]]
    shop.agree(team)


@pytest.mark.parametrize("driver", ["retry", "timer"])
@pytest.mark.parametrize("charged", [True, False])
@pytest.mark.parametrize("minutes", [22 * 60 + 50, 23 * 60 + 59, 24 * 60 + 1])
def test_around_the_hour_at_which_the_processor_forgets_the_key(
    shop: CardShop, minutes: int, charged: bool, driver: str
) -> None:
    team = shop.team()
    purchase_id = left_unknown(shop, team, charged=charged)
    shop.pass_time(minutes * MINUTE)
    may_send = minutes < 23 * 60
    if driver == "timer":
        assert shop.work() == ["settled" if charged or may_send else "still unknown"]
    answer = shop.order(team, "k")
    if charged or may_send:
        assert (answer.status_code, answer.json()["purchaseId"]) == (200, purchase_id)
        assert len(shop.charges()) == 1
    else:
        assert unknown(answer) == purchase_id
        assert shop.charges() == []
        shop.pass_time(2 * HOUR)
        assert "settled" in shop.work()
        assert shop.state(purchase_id) == "failed"
    assert len(shop.sent()) == (2 if may_send and not charged else 1)
    shop.agree(team)


def test_what_is_sent_again_is_what_was_frozen(shop: CardShop) -> None:
    team = shop.team()
    purchase_id = left_unknown(shop, team, charged=False)
    (before,) = shop.sent()
    shop.give_card(team, "pm_card_visa_chargeDeclined")
    shop.sql("update accounts.account set currency = 'XPF' where id = %s", team.id)
    shop.sql("insert into db.change values ('tokens', 1) on conflict (topic)"
             " do update set revision = change.revision + 1")  # fmt: skip
    time.sleep(0.5)
    settled = shop.order(team, "k")
    assert (settled.status_code, settled.json()["purchaseId"]) == (200, purchase_id)
    assert (settled.json()["amountCharged"], settled.json()["currency"]) == (ORDER_CENTS, "USD")
    assert [call["params"] for call in shop.sent()] == [before["params"]] * 2
    assert len({call["idempotency_key"] for call in shop.sent()}) == 1
    shop.agree(team)


def test_an_order_is_settled_though_its_card_was_taken_away(shop: CardShop) -> None:
    team = shop.team()
    purchase_id = left_unknown(shop, team, charged=True)
    shop.sql("update accounts.account set stripe_customer = null, stripe_payment_method = null"
             " where id = %s", team.id)  # fmt: skip
    settled = shop.order(team, "k")
    assert (settled.status_code, settled.json()["purchaseId"]) == (200, purchase_id)
    shop.agree(team)


@pytest.mark.parametrize("charged", [True, False])
def test_five_days_without_an_answer_fail_nothing(shop: CardShop, charged: bool) -> None:
    team = shop.team()
    purchase_id = left_unknown(shop, team, charged=charged)
    shop.stripe.fault("500", count=0, **LIST)
    shop.stripe.fault("reset", count=0, **CREATE)
    for _ in range(5):
        shop.pass_time(24 * HOUR)
        assert shop.work() == ["still unknown"]
        assert shop.state(purchase_id) == "pending"
        assert [one.subject for one in shop.exceptions()] == [purchase_id]
    assert unknown(shop.order(team, "k")) == purchase_id
    shop.stripe.delete("faults")
    shop.pass_time(2 * HOUR)
    assert shop.work() == ["settled"]
    assert shop.state(purchase_id) == ("paid" if charged else "failed")
    assert shop.exceptions() == []
    assert shop.order(team, "k").status_code == (200 if charged else 400)
    shop.agree(team)


@pytest.mark.parametrize("card", ["pm_card_authenticationRequired", "pm_card_visa_chargeDeclined"])
def test_an_intent_that_could_still_be_confirmed_is_not_failed_yet(
    shop: CardShop, card: str
) -> None:
    team = shop.team(card)
    shop.stripe.fault("500", count=4, **CANCEL)
    purchase_id = unknown(shop.order(team, "k"))
    assert shop.state(purchase_id) == "pending"
    shop.stripe.delete("faults")
    # The processor kept the 500 under no key of ours: the next try closes the intent.
    assert shop.settle_all() == ["settled"]
    (intent,) = shop.stripe.truth("payment_intents")
    assert intent["status"] == "canceled"
    assert_refused(shop.order(team, "k"), 400, "card_declined", "paymentMethod")
    shop.agree(team)


def test_a_request_that_still_runs_is_409_and_then_has_one_answer(shop: CardShop) -> None:
    team = shop.team()
    shop.stripe.fault("hang", s=TIMEOUT_S * 0.7, **CREATE)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(shop.order, team, "k")
        wait_until(lambda: shop.sql("select 1 from orders.purchase where account_id = %s", team.id)
                   != [])  # fmt: skip
        rival = shop.order(team, "k")
        assert_refused(rival, 409, "idempotency_in_flight", "Idempotency-Key")
        assert int(rival.headers["retry-after"]) >= 1
        first = running.result()
    assert (first.status_code, REPLAYED in first.headers) == (200, False)
    assert shop.order(team, "k").content == first.content
    assert len(shop.sent()) == 1
    shop.agree(team)


def test_many_at_once_with_one_key_make_one_charge(shop: CardShop) -> None:
    team = shop.team()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: shop.order(team, "k"), range(40)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    done = {answer.content for answer in answers if answer.status_code == 200}
    assert done == {shop.order(team, "k").content}
    shop.agree(team)


def test_retries_and_timer_at_once_charge_once(shop: CardShop) -> None:
    teams = [shop.team() for _ in range(4)]
    for team in teams:
        left_unknown(shop, team, charged=False)
    shop.pass_time(2 * MINUTE)
    with ThreadPoolExecutor(17) as pool:
        timer = pool.submit(shop.work)
        retries = [pool.submit(shop.order, team, "k") for team in teams for _ in range(4)]
        assert {retry.result().status_code for retry in retries} <= {200, 409, 502}
        timer.result()
    shop.pass_time(HOUR)
    shop.work()
    assert [shop.order(team, "k").status_code for team in teams] == [200] * 4
    assert len(shop.charges()) == 4
    shop.agree(*teams)


def test_a_charge_that_does_not_match_settles_nothing(shop: CardShop) -> None:
    team = shop.team()
    purchase_id = left_unknown(shop, team, charged=True)
    change = "update payments.payment set amount_minor = amount_minor + %s where subject_id = %s"
    shop.sql(change, 1, purchase_id)
    for _ in range(2):
        assert unknown(shop.order(team, "k")) == purchase_id
    (exception,) = shop.exceptions()
    assert (exception.kind, exception.subject) == ("mismatch", purchase_id)
    assert f"amount is {ORDER_CENTS}, expected {ORDER_CENTS + 1}" in exception.detail
    assert any("amount_minor" in finding for finding in shop.findings())
    shop.sql(change, -1, purchase_id)
    assert shop.order(team, "k").status_code == 200
    assert shop.exceptions() == []
    shop.agree(team)


def test_a_refusal_of_the_first_try_says_nothing_once_it_was_sent_again(shop: CardShop) -> None:
    team = shop.team()
    purchase_id = left_unknown(shop, team, charged=False)
    payment = payment_of(shop, purchase_id)
    shop.sql("update payments.payment set last_sent_at = last_sent_at + interval '1 s'"
             " where id = %s", payment.id)  # fmt: skip
    busy = NotExecuted(reason="busy", code="rate_limit", message="")
    said = shop.stage.do(lambda db, _: settle_with(db, ORDERS, payment, busy, first_try=True))
    assert (said, shop.state(purchase_id)) == (None, "pending")
    assert shop.order(team, "k").status_code == 200
    shop.agree(team)


def test_a_payment_that_was_settled_meanwhile_is_not_sent_again(shop: CardShop) -> None:
    team = shop.team()
    purchase_id = left_unknown(shop, team, charged=False)
    stale = payment_of(shop, purchase_id)
    busy = NotExecuted(reason="busy", code="rate_limit", message="")
    said = shop.stage.do(lambda db, _: settle_with(db, ORDERS, stale, busy, first_try=True))
    assert isinstance(said, ProcessorBusy)
    assert shop.state(purchase_id) == "failed"
    sent = len(shop.sent())
    outcome = shop.stage.do(lambda db, gateway: find_out(db, gateway, stale, stale.created_at))
    assert isinstance(outcome, Unknown)
    assert len(shop.sent()) == sent
    # Its client is free to order again under the same key.
    assert shop.order(team, "k").status_code == 200
    shop.agree(team)


def test_every_background_job_may_run_twice(shop: CardShop) -> None:
    team = shop.team()
    left_unknown(shop, team, charged=True)
    shop.sql("insert into notifications.outbox select gen_random_uuid(), topic, subject_id, due_at,"
             " created_at from notifications.outbox")  # fmt: skip
    assert shop.settle_all() == ["settled", "settled before"]
    shop.agree(team)
