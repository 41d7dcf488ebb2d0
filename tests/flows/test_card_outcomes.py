"""What becomes of an order or a top-up by card when the processor answers late, wrongly or not.

Whoever settles it, the card is charged once: after each fault the simulator's own record of charges
and the books must tell the same. What only an order or only a top-up does stands in the files of
their own.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest

from fieldfare.integrations.stripe.model import Declined, NotExecuted, Unknown
from fieldfare.orders.jobs import reconcile
from fieldfare.payments.errors import CardDeclined, ProcessorBusy
from fieldfare.payments.service.outcomes import find_out
from fieldfare.payments.service.settling import settle_with
from tests.support.buying import CANCEL, CREATE, LIST, Buying, payment_of
from tests.support.cards import TIMEOUT_S, CardShop
from tests.support.client import REPLAYED, assert_refused
from tests.support.waiting import wait_until

DECLINED = "pm_card_visa_chargeDeclined"
BUSY = NotExecuted(reason="busy", code="rate_limit", message="")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


# ------------------------------------------------------------------------------- lost answers


@pytest.mark.parametrize(
    ("kind", "when"),
    [
        ("500", "after"), ("reset", "before"), ("reset", "after"), ("half", "before"),
        ("half", "after"), ("hang", "after"), ("409", "before"),
    ],
)  # fmt: skip
def test_a_lost_answer_that_can_be_found_is_found_at_once(
    shop: CardShop, buying: Buying, kind: str, when: str
) -> None:
    team = shop.team()
    shop.stripe.fault(kind, when=when, s=2 * TIMEOUT_S, **CREATE)
    first = buying.ask(team)
    assert first.status_code == 200, first.text
    assert REPLAYED not in first.headers
    again = buying.ask(team)
    assert (again.status_code, again.content) == (200, first.content)
    assert shop.settle_all() == ["settled before"]
    buying.settled(team)


def test_a_request_that_arrives_after_our_time_out_is_charged_once(
    shop: CardShop, buying: Buying
) -> None:
    team = shop.team()
    shop.stripe.fault("hang", s=3 * TIMEOUT_S, **CREATE)
    subject_id = buying.unknown(buying.ask(team))
    # The processor has not begun: it refuses the same key meanwhile, and nothing is proven.
    assert buying.unknown(buying.ask(team)) == subject_id
    wait_until(lambda: len(shop.charges()) == 1)
    settled = buying.ask(team)
    buying.is_of(settled, subject_id)
    assert settled.headers[REPLAYED] == "true"
    buying.settled(team)


def test_a_500_that_did_not_charge_is_failed_only_once_it_is_proven(
    shop: CardShop, buying: Buying
) -> None:
    team = shop.team()
    shop.stripe.fault("500", **CREATE)
    subject_id = buying.unknown(buying.ask(team))
    assert buying.unknown(buying.ask(team)) == subject_id
    assert buying.state(subject_id) == "pending"

    # An hour later a person is told; after 23 hours it is not sent any more.
    shop.pass_time(HOUR + MINUTE)
    assert shop.work() == ["still unknown"]
    (exception,) = shop.exceptions()
    assert (exception.kind, exception.subject) == ("outcome_unknown", subject_id)
    assert buying.unknown(buying.ask(team)) == subject_id
    sent = len(shop.sent())
    shop.pass_time(24 * HOUR)
    shop.work()
    assert buying.unknown(buying.ask(team)) == subject_id
    assert (len(shop.sent()), buying.state(subject_id)) == (sent, "pending")

    # It was last sent an hour after it began; 25 hours after that no list shows it.
    shop.pass_time(58 * MINUTE)
    assert buying.unknown(buying.ask(team)) == subject_id
    shop.pass_time(5 * MINUTE)
    refused = buying.ask(team)
    buying.refused(refused, "card_declined")
    assert buying.ask(team).content == refused.content
    assert shop.exceptions() == []
    buying.settled(team, 0)


@pytest.mark.parametrize(
    ("driver", "charged"),
    [
        ("retry", True), ("retry", False), ("timer", True), ("timer", False),
        # Neither is told of what was not charged.
        ("event", True), ("reconcile", True),
    ],
)  # fmt: skip
def test_a_look_up_that_fails_is_not_taken_for_not_charged(
    shop: CardShop, buying: Buying, driver: str, charged: bool
) -> None:
    """Whoever settles it afterwards, it is charged once and has one answer."""
    team = shop.team()
    subject_id = buying.left_unknown(team, charged=charged)
    shop.stripe.post("search_lag", s=86_400)
    if driver == "timer":
        assert shop.settle_all() == ["settled"]
    elif driver == "event":
        shop.flush_events()
        assert "settled" in shop.work()
    elif driver == "reconcile":
        found = shop.stage.do(partial(reconcile, back=6 * HOUR))
        assert (found["charges"], found["settled"], found["without_order"]) == (1, 1, 0)
    settled = buying.ask(team)
    buying.is_of(settled, subject_id)
    assert settled.headers[REPLAYED] == "true"
    assert buying.ask(team).content == settled.content
    assert (buying.state(subject_id), shop.exceptions()) == ("paid", [])
    assert not [call for call in shop.stripe.truth("requests") if "search" in call["path"]]
    buying.settled(team)


@pytest.mark.parametrize("driver", ["retry", "timer"])
@pytest.mark.parametrize("charged", [True, False])
@pytest.mark.parametrize("minutes", [22 * 60 + 50, 23 * 60 + 59, 24 * 60 + 1])
def test_around_the_hour_at_which_the_processor_forgets_the_key(
    shop: CardShop, buying: Buying, minutes: int, charged: bool, driver: str
) -> None:
    team = shop.team()
    subject_id = buying.left_unknown(team, charged=charged)
    shop.pass_time(minutes * MINUTE)
    may_send = minutes < 23 * 60
    if driver == "timer":
        assert shop.work() == ["settled" if charged or may_send else "still unknown"]
    answer = buying.ask(team)
    if charged or may_send:
        buying.is_of(answer, subject_id)
        buying.settled(team)
    else:
        assert buying.unknown(answer) == subject_id
        assert shop.charges() == []
        shop.pass_time(2 * HOUR)
        assert "settled" in shop.work()
        assert buying.state(subject_id) == "failed"
        buying.settled(team, 0)
    assert len(shop.sent()) == (2 if may_send and not charged else 1)


def test_what_is_sent_again_is_what_was_frozen(shop: CardShop, buying: Buying) -> None:
    team = shop.team()
    subject_id = buying.left_unknown(team, charged=False)
    (before,) = shop.sent()
    shop.give_card(team, DECLINED)
    shop.sql("update accounts.account set currency = 'XPF' where id = %s", team.id)
    shop.sql("insert into db.change values ('tokens', 1) on conflict (topic)"
             " do update set revision = change.revision + 1")  # fmt: skip
    time.sleep(0.5)
    settled = buying.ask(team)
    buying.is_of(settled, subject_id)
    assert settled.json()["currency"] == "USD"
    assert [call["params"] for call in shop.sent()] == [before["params"]] * 2
    assert len({call["idempotency_key"] for call in shop.sent()}) == 1
    buying.settled(team)


def test_it_is_settled_though_its_card_was_taken_away(shop: CardShop, buying: Buying) -> None:
    team = shop.team()
    subject_id = buying.left_unknown(team, charged=True)
    shop.sql("update accounts.account set stripe_customer = null, stripe_payment_method = null"
             " where id = %s", team.id)  # fmt: skip
    buying.is_of(buying.ask(team), subject_id)
    buying.settled(team)


@pytest.mark.parametrize("charged", [True, False])
def test_five_days_without_an_answer_fail_nothing(
    shop: CardShop, buying: Buying, charged: bool
) -> None:
    team = shop.team()
    subject_id = buying.left_unknown(team, charged=charged)
    shop.stripe.fault("500", count=0, **LIST)
    shop.stripe.fault("reset", count=0, **CREATE)
    for _ in range(5):
        shop.pass_time(24 * HOUR)
        assert shop.work() == ["still unknown"]
        assert buying.state(subject_id) == "pending"
        assert [one.subject for one in shop.exceptions()] == [subject_id]
    assert buying.unknown(buying.ask(team)) == subject_id
    shop.stripe.delete("faults")
    shop.pass_time(2 * HOUR)
    assert shop.work() == ["settled"]
    assert buying.state(subject_id) == ("paid" if charged else "failed")
    assert shop.exceptions() == []
    assert buying.ask(team).status_code == (200 if charged else 400)
    buying.settled(team, int(charged))


def test_a_charge_that_does_not_match_settles_nothing(shop: CardShop, buying: Buying) -> None:
    team, cents = shop.team(), buying.sale.cents
    subject_id = buying.left_unknown(team, charged=True)
    change = "update payments.payment set amount_minor = amount_minor + %s where subject_id = %s"
    shop.sql(change, 1, subject_id)
    for _ in range(2):
        assert buying.unknown(buying.ask(team)) == subject_id
    (exception,) = shop.exceptions()
    assert (exception.kind, exception.subject) == ("mismatch", subject_id)
    assert f"amount is {cents}, expected {cents + 1}" in exception.detail
    assert any("amount_minor" in finding for finding in shop.findings())
    shop.sql(change, -1, subject_id)
    assert buying.ask(team).status_code == 200
    assert shop.exceptions() == []
    buying.settled(team)


# ------------------------------------------------------------------------- refused or not begun


@pytest.mark.parametrize("fault", ["429", "401"])
def test_a_request_that_was_not_begun_makes_nothing(
    shop: CardShop, buying: Buying, fault: str
) -> None:
    team = shop.team()
    shop.stripe.fault(fault, **CREATE)
    refused = buying.ask(team)
    assert_refused(refused, 503, "processor_unavailable")
    assert int(refused.headers["retry-after"]) >= 1
    assert shop.charges() == []
    first = buying.ask(team)
    assert (first.status_code, REPLAYED in first.headers) == (200, False)
    assert shop.settle_all() == ["settled before", "settled before"]
    buying.settled(team)


def test_a_request_that_is_refused_makes_nothing(shop: CardShop, buying: Buying) -> None:
    team = shop.team()
    shop.sql("update accounts.account set stripe_customer = 'cus_gone' where id = %s", team.id)
    assert "No such customer" in buying.refused(buying.ask(team), "payment_refused")
    shop.give_card(team, "pm_card_visa")
    assert buying.ask(team).status_code == 200
    buying.settled(team)


@pytest.mark.parametrize("card", ["pm_card_authenticationRequired", DECLINED])
def test_an_intent_that_could_still_be_confirmed_is_not_failed_yet(
    shop: CardShop, buying: Buying, card: str
) -> None:
    team = shop.team(card)
    shop.stripe.fault("500", count=4, **CANCEL)
    subject_id = buying.unknown(buying.ask(team))
    assert buying.state(subject_id) == "pending"
    shop.stripe.delete("faults")
    # The processor kept the 500 under no key of ours: the next try closes the intent.
    assert shop.settle_all() == ["settled"]
    (intent,) = shop.stripe.truth("payment_intents")
    assert intent["status"] == "canceled"
    buying.refused(buying.ask(team), "card_declined")
    buying.settled(team, 0)


def test_who_comes_after_a_refusal_is_told_the_same(shop: CardShop, buying: Buying) -> None:
    """By the payment as it is now: as it was read before the lock, it does not say why yet."""
    team, goods = shop.team(), buying.sale.goods
    stale = payment_of(shop, buying.left_unknown(team, "busy", charged=False))
    for _ in range(2):
        said = shop.stage.do(lambda db, _: settle_with(db, goods, stale, BUSY, first_try=True))
        assert isinstance(said, ProcessorBusy)
    declined = Declined(code="insufficient_funds", intent_id=None)
    other = payment_of(shop, buying.left_unknown(team, "declined", charged=False))
    for _ in range(2):
        said = shop.stage.do(lambda db, _: settle_with(db, goods, other, declined))
        assert isinstance(said, CardDeclined)
        assert "insufficient funds" in said.message
    # Where nothing was made, its client is free to ask again under the same key.
    first = buying.ask(team, "busy")
    assert (first.status_code, REPLAYED in first.headers) == (200, False)
    buying.settled(team)


def test_a_refusal_of_the_first_try_says_nothing_once_it_was_sent_again(
    shop: CardShop, buying: Buying
) -> None:
    team, goods = shop.team(), buying.sale.goods
    subject_id = buying.left_unknown(team, charged=False)
    payment = payment_of(shop, subject_id)
    shop.sql("update payments.payment set last_sent_at = last_sent_at + interval '1 s'"
             " where id = %s", payment.id)  # fmt: skip
    said = shop.stage.do(lambda db, _: settle_with(db, goods, payment, BUSY, first_try=True))
    assert (said, buying.state(subject_id)) == (None, "pending")
    assert buying.ask(team).status_code == 200
    buying.settled(team)


def test_a_payment_that_was_settled_meanwhile_is_not_sent_again(
    shop: CardShop, buying: Buying
) -> None:
    team, goods = shop.team(), buying.sale.goods
    subject_id = buying.left_unknown(team, charged=False)
    stale = payment_of(shop, subject_id)
    said = shop.stage.do(lambda db, _: settle_with(db, goods, stale, BUSY, first_try=True))
    assert isinstance(said, ProcessorBusy)
    assert buying.state(subject_id) == "failed"
    sent = len(shop.sent())
    outcome = shop.stage.do(lambda db, gateway: find_out(db, gateway, stale, stale.created_at))
    assert isinstance(outcome, Unknown)
    assert len(shop.sent()) == sent
    # Its client is free to ask again under the same key.
    assert buying.ask(team).status_code == 200
    buying.settled(team)


# ------------------------------------------------------------------------ retries, rivals and jobs


@pytest.mark.parametrize("card_gone", [False, True])
def test_the_first_answer_outlives_the_card(
    shop: CardShop, buying: Buying, card_gone: bool
) -> None:
    team = shop.team()
    first = buying.ask(team)
    if card_gone:
        shop.sql("update accounts.account set stripe_payment_method = null,"
                 " stripe_customer = null where id = %s", team.id)  # fmt: skip
    else:
        shop.give_card(team, DECLINED)
    again = buying.ask(team)
    assert (again.status_code, again.content) == (200, first.content)
    buying.settled(team)


def test_a_request_that_still_runs_is_409_and_then_has_one_answer(
    shop: CardShop, buying: Buying
) -> None:
    team = shop.team()
    shop.stripe.fault("hang", s=TIMEOUT_S * 0.7, **CREATE)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(buying.ask, team)
        begun = "select 1 from payments.payment where account_id = %s"
        wait_until(lambda: shop.sql(begun, team.id) != [])
        rival = buying.ask(team)
        assert_refused(rival, 409, "idempotency_in_flight", "Idempotency-Key")
        assert int(rival.headers["retry-after"]) >= 1
        first = running.result()
    assert (first.status_code, REPLAYED in first.headers) == (200, False)
    assert buying.ask(team).content == first.content
    assert len(shop.sent()) == 1
    buying.settled(team)


def test_many_at_once_with_one_key_make_one_charge(shop: CardShop, buying: Buying) -> None:
    team = shop.team()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: buying.ask(team), range(40)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    done = {answer.content for answer in answers if answer.status_code == 200}
    assert done == {buying.ask(team).content}
    buying.settled(team)


def test_retries_and_timer_at_once_charge_once(shop: CardShop, buying: Buying) -> None:
    teams = [shop.team() for _ in range(4)]
    for team in teams:
        buying.left_unknown(team, charged=False)
    shop.pass_time(2 * MINUTE)
    with ThreadPoolExecutor(17) as pool:
        timer = pool.submit(shop.work)
        retries = [pool.submit(buying.ask, team) for team in teams for _ in range(4)]
        assert {retry.result().status_code for retry in retries} <= {200, 409, 502}
        timer.result()
    shop.pass_time(HOUR)
    shop.work()
    assert [buying.ask(team).status_code for team in teams] == [200] * 4
    for team in teams:
        buying.given(team)
    assert len(shop.charges()) == 4
    shop.agree(*teams)


def test_every_background_job_may_run_twice(shop: CardShop, buying: Buying) -> None:
    team = shop.team()
    buying.left_unknown(team, charged=True)
    shop.sql("insert into notifications.outbox select gen_random_uuid(), topic, subject_id, due_at,"
             " created_at from notifications.outbox")  # fmt: skip
    assert shop.settle_all() == ["settled", "settled before"]
    buying.settled(team)
