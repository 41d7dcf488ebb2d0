"""What becomes of a refund when the processor answers late, wrongly, in part or not at all.

After each fault the simulator's own record of refunds and the books must tell the same.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest

from fieldfare import jobs
from fieldfare.db.pool import Database
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import NotExecuted, Refunded
from fieldfare.jobs import JobContext
from fieldfare.kernel.errors import ProblemError
from fieldfare.orders.service.refund_settling import settle_refund_with
from fieldfare.payments.errors import NotRefundable, RefundOutcomeUnknown
from fieldfare.settings import Settings
from tests.support.cards import ORDER_CENTS, TIMEOUT_S, CardShop
from tests.support.refunds import (
    CREATE,
    LIST,
    REFUNDS,
    bought,
    refund,
    refund_at_processor,
    refunded_minor,
)
from tests.support.waiting import wait_until

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def sent(shop: CardShop) -> list[str]:
    """The keys of all requests for a refund, in their order."""
    return [call["idempotency_key"] for call in shop.sent(path=REFUNDS)]


def left_unknown(shop: CardShop, purchase_id: str, *, made: bool, amount: int | None = None) -> str:
    """A refund whose answer was lost, made or not, and could not be looked up; gives its id."""
    shop.stripe.fault("reset", when="after" if made else "before", **CREATE)
    shop.stripe.fault("500", count=1, **LIST)
    with pytest.raises(RefundOutcomeUnknown):
        refund(shop, purchase_id, amount, "k")
    assert len(shop.stripe.truth("refunds")) == int(made)
    return str(shop.sql("select id::text from orders.refund where purchase_id = %s"
                        " order by created_at desc limit 1", purchase_id)[0][0])  # fmt: skip


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
    purchase_id, _ = bought(shop, team)
    shop.stripe.fault(kind, when=when, s=2 * TIMEOUT_S, **CREATE)
    done = refund(shop, purchase_id, 204, "k")
    assert (done.state, refund(shop, purchase_id, 204, "k")) == ("succeeded", done)
    assert "settled before" in shop.settle_all()
    assert len(shop.stripe.truth("refunds")) == 1
    shop.agree(team)


def test_a_request_that_arrives_after_our_time_out_is_made_once(shop: CardShop) -> None:
    team = shop.team()
    purchase_id, _ = bought(shop, team)
    shop.stripe.fault("hang", s=3 * TIMEOUT_S, **CREATE)
    with pytest.raises(RefundOutcomeUnknown, match="Do not refund again"):
        refund(shop, purchase_id, key="k")
    with pytest.raises(RefundOutcomeUnknown):
        refund(shop, purchase_id, key="k")
    with pytest.raises(NotRefundable, match="on its way back"):
        refund(shop, purchase_id)
    wait_until(lambda: len(shop.stripe.truth("refunds")) == 1)
    assert refund(shop, purchase_id, key="k").state == "succeeded"
    assert len(set(sent(shop))) == 1
    shop.agree(team)


def test_a_500_that_gave_nothing_back_fails_only_once_that_is_proven(shop: CardShop) -> None:
    team = shop.team()
    purchase_id, _ = bought(shop, team)
    shop.stripe.fault("500", **CREATE)
    for _ in range(2):
        with pytest.raises(RefundOutcomeUnknown):
            refund(shop, purchase_id, key="k")
    ((refund_id,),) = shop.sql("select id::text from orders.refund where purchase_id = %s",
                               purchase_id)  # fmt: skip

    # An hour later a person is told; after 23 hours it is not sent any more.
    shop.pass_time(HOUR + MINUTE)
    assert "still unknown" in shop.work()
    (exception,) = shop.exceptions()
    assert (exception.kind, exception.subject) == ("refund_unknown", refund_id)
    times = len(sent(shop))
    shop.pass_time(24 * HOUR)
    assert shop.work() == ["still unknown"]
    assert (len(sent(shop)), len(set(sent(shop)))) == (times, 1)
    assert refunded_minor(shop, purchase_id) == 0

    # Twenty-five hours after it was last sent no list shows it.
    shop.pass_time(2 * HOUR)
    assert shop.work() == ["settled"]
    (exception,) = shop.exceptions()
    assert (exception.kind, exception.subject) == ("refund_failed", refund_id)
    with pytest.raises(ProblemError, match="never_carried_out"):
        refund(shop, purchase_id, key="k")
    assert shop.state(purchase_id) == "paid"
    shop.agree(team)
    assert refund(shop, purchase_id).state == "succeeded"
    shop.agree(team)


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("minutes", [22 * 60 + 50, 23 * 60 + 59, 24 * 60 + 1])
def test_around_the_hour_at_which_the_processor_forgets_the_key(
    shop: CardShop, minutes: int, made: bool
) -> None:
    team = shop.team()
    purchase_id, _ = bought(shop, team)
    left_unknown(shop, purchase_id, made=made)
    shop.pass_time(minutes * MINUTE)
    may_send = minutes < 23 * 60
    ends = made or may_send
    assert shop.work() == ["settled before", "settled" if ends else "still unknown"]
    assert len(sent(shop)) == (2 if may_send and not made else 1)
    assert refunded_minor(shop, purchase_id) == (ORDER_CENTS if ends else 0)
    if not ends:
        shop.pass_time(2 * HOUR)
        assert "settled" in shop.work()
        assert shop.state(purchase_id) == "paid"
    shop.agree(team)


def test_what_is_sent_again_is_what_was_frozen(shop: CardShop) -> None:
    team = shop.team()
    purchase_id, _ = bought(shop, team)
    left_unknown(shop, purchase_id, made=False, amount=204)
    assert shop.settle_all()[-1] == "settled"
    first, second = shop.sent(path=REFUNDS)
    assert first["params"] == second["params"]
    assert first["idempotency_key"] == second["idempotency_key"]
    assert first["params"]["metadata"]["subject_id"] == purchase_id
    shop.agree(team)


@pytest.mark.parametrize("made", [True, False])
def test_five_days_without_an_answer_fail_nothing(shop: CardShop, made: bool) -> None:
    team = shop.team()
    purchase_id, _ = bought(shop, team)
    refund_id = left_unknown(shop, purchase_id, made=made)
    shop.stripe.fault("500", count=0, **LIST)
    shop.stripe.fault("reset", count=0, **CREATE)
    for _ in range(5):
        shop.pass_time(24 * HOUR)
        assert shop.work()[-1] == "still unknown"
        assert [one.subject for one in shop.exceptions()] == [refund_id]
    assert shop.state(purchase_id) == "paid"
    shop.stripe.delete("faults")
    shop.pass_time(2 * HOUR)
    assert shop.work() == ["settled"]
    assert shop.state(purchase_id) == ("refunded" if made else "paid")
    assert [one.kind for one in shop.exceptions()] == ([] if made else ["refund_failed"])
    shop.agree(team)


def test_the_event_instead_of_the_answer(shop: CardShop) -> None:
    team = shop.team()
    purchase_id, _ = bought(shop, team)
    left_unknown(shop, purchase_id, made=True)
    shop.flush_events()
    assert "refunds brought in" in shop.work()
    assert shop.state(purchase_id) == "refunded"
    assert shop.settle_all() == ["settled before", "settled before"]
    shop.agree(team)


def test_the_event_before_and_at_once_with_the_answer(shop: CardShop) -> None:
    team = shop.team()
    orders = [bought(shop, team)[0] for _ in range(6)]
    shop.hear()
    shop.stripe.post("events", paused=False, duplicate=1)
    shop.stripe.fault("hang", when="after", s=0.3, count=3, **CREATE)
    with ThreadPoolExecutor(7) as pool:
        asked = [pool.submit(refund, shop, purchase_id) for purchase_id in orders]
        while not all(one.done() for one in asked):
            shop.work()
            time.sleep(0.02)
        assert {one.result().state for one in asked} == {"succeeded"}
    shop.flush_events()
    shop.settle_all()
    assert {shop.state(purchase_id) for purchase_id in orders} == {"refunded"}
    shop.agree(team)


def test_an_event_while_the_processor_is_away_is_worked_on_later(shop: CardShop) -> None:
    team = shop.team()
    purchase_id, charge_id = bought(shop, team)
    shop.hear()
    refund_at_processor(shop, charge_id)
    shop.stripe.fault("500", count=0, **LIST)
    shop.flush_events()
    assert shop.work().count("later: processor_unavailable") == 2
    assert shop.state(purchase_id) == "paid"
    shop.stripe.delete("faults")
    assert "refunds brought in" in shop.settle_all()
    assert shop.state(purchase_id) == "refunded"
    shop.agree(team)


def test_a_refund_racing_one_made_at_the_processor(shop: CardShop) -> None:
    team = shop.team()
    orders = [bought(shop, team) for _ in range(6)]
    shop.hear()
    shop.stripe.post("events", paused=False)

    def ask(purchase_id: str) -> str:
        try:
            return refund(shop, purchase_id, 500).state
        except ProblemError as refusal:
            return refusal.code

    def click(charge_id: str) -> None:
        shop.stripe.http.post(
            REFUNDS,
            data={"charge": charge_id, "amount": "500"},
            headers={"Authorization": f"Bearer {shop.stripe.secret_key}"},
        )

    with ThreadPoolExecutor(12) as pool:
        for one in [pool.submit(click, charge_id) for _, charge_id in orders]:
            one.add_done_callback(lambda done: done.result())
        said = [one.result() for one in [pool.submit(ask, order_id) for order_id, _ in orders]]
    assert set(said) <= {"succeeded", "refund_not_made", "not_refundable"}
    shop.flush_events()
    shop.settle_all()
    assert [refunded_minor(shop, order_id) for order_id, _ in orders] == [500] * 6
    shop.agree(team)


def test_a_refund_that_does_not_match_takes_no_effect(shop: CardShop) -> None:
    team = shop.team()
    purchase_id, _ = bought(shop, team)
    refund_id = left_unknown(shop, purchase_id, made=True, amount=204)
    change = "update payments.refund set amount_minor = amount_minor + %s where id = %s"
    shop.sql(change, 1, refund_id)
    assert "still unknown" in shop.settle_all()
    (exception,) = shop.exceptions()
    assert (exception.kind, exception.subject) == ("mismatch", refund_id)
    assert "amount is 204, expected 205" in exception.detail
    assert [one for one in shop.findings() if one.startswith(f"payments.refund id={refund_id}")]
    shop.sql(change, -1, refund_id)
    shop.pass_time(HOUR)
    assert shop.work() == ["settled"]
    assert (refunded_minor(shop, purchase_id), shop.exceptions()) == (204, [])
    shop.agree(team)


def test_a_refusal_of_the_first_try_says_nothing_once_it_was_sent_again(shop: CardShop) -> None:
    team = shop.team()
    purchase_id, _ = bought(shop, team)
    refund_id = UUID(left_unknown(shop, purchase_id, made=False))
    shop.sql("update payments.refund set last_sent_at = last_sent_at + interval '1 s'"
             " where id = %s", refund_id)  # fmt: skip
    busy = NotExecuted(reason="busy", code="rate_limit", message="")
    ended = shop.stage.do(lambda db, _: settle_refund_with(db, refund_id, busy, first_try=True))
    assert ended is False
    assert refund(shop, purchase_id, key="k").state == "succeeded"
    shop.agree(team)


def test_what_the_processor_did_after_all_takes_effect(shop: CardShop) -> None:
    team = shop.team()
    purchase_id, charge_id = bought(shop, team)
    refund_id = UUID(left_unknown(shop, purchase_id, made=True, amount=204))
    busy = NotExecuted(reason="busy", code="rate_limit", message="")
    shop.stage.do(lambda db, _: settle_refund_with(db, refund_id, busy, first_try=True))
    assert refunded_minor(shop, purchase_id) == 0
    made = shop.stripe.truth("refunds")[0]
    seen = Refunded(
        refund_id=made["id"], charge_id=charge_id, amount_minor=204, currency="USD",
        our_id=str(refund_id),
    )  # fmt: skip
    for _ in range(2):
        assert shop.stage.do(lambda db, _: settle_refund_with(db, refund_id, seen))
        assert refunded_minor(shop, purchase_id) == 204
    shop.agree(team)


def test_a_refund_is_settled_once_however_often_its_job_runs(shop: CardShop) -> None:
    team = shop.team()
    purchase_id, _ = bought(shop, team)
    refund_id = UUID(left_unknown(shop, purchase_id, made=True))

    async def settle_twice(db: Database, gateway: StripeGateway) -> None:
        ctx = JobContext(db=db, settings=Settings(), gateway=gateway)
        await jobs.settle_refund(ctx, refund_id)
        await jobs.settle_refund(ctx, refund_id)

    shop.stage.do(settle_twice)
    assert shop.state(purchase_id) == "refunded"
    shop.agree(team)
