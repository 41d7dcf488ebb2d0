"""Refunds of orders, whole and in part: books, wallet and processor tell the same afterwards."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fieldfare.kernel.errors import ProblemError
from fieldfare.ledger.service.credits import adjust_credits
from fieldfare.orders.jobs import reconcile
from fieldfare.orders.service.history import list_recent_purchases
from fieldfare.payments.errors import NotRefundable, RefundNotMade, RefundOutcomeUnknown
from tests.support.cards import ORDER_CENTS, CardShop, Team
from tests.support.refunds import (
    CREATE,
    LIST,
    bought,
    certified_mg,
    refund,
    refund_at_processor,
    refunded_minor,
    standing,
)
from tests.support.waiting import wait_until

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ORDER_MG = 450_000_000
SPREAD: dict[str, Any] = {"tons": 0.45, "portfolioId": 12}
"""$10.40 over seven projects, one of them not certified."""
SPREAD_CENTS = 1040


@pytest.fixture(scope="module")
def open_shop(open_shop: CardShop) -> CardShop:
    """A shop that knows rates."""
    for currency, rate in (("EUR", "0.9137"), ("JPY", "157.31"), ("KWD", "0.3071")):
        open_shop.set_rate(currency, rate, datetime.now(UTC).date())
    return open_shop


def rich_team(shop: CardShop, cents: int = 10_000) -> Team:
    """An account with credits and no card."""
    team = shop.team(card=None)
    shop.stage.write(
        lambda conn: adjust_credits(conn, team.id, change_cents=cents, reason="A test")
    )
    return team


def movement(shop: CardShop, refund_id: object) -> dict[tuple[str, str], int]:
    """A refund's legs in the journal, in millionths of a hundredth, by book and currency."""
    rows = shop.sql(
        "select book, currency, sum(amount_micro) from ledger.journal where movement_id = %s"
        " group by 1, 2",
        str(refund_id),
    )
    return {(book, currency): int(micro) for book, currency, micro in rows}


# ------------------------------------------------------------------------------------ from credits


def test_credits_come_back_with_all_that_they_bought(shop: CardShop) -> None:
    team = rich_team(shop)
    answer = shop.order(team, paymentMethod="credits", **SPREAD).json()
    before = certified_mg(shop, team)
    done = refund(shop, answer["purchaseId"])
    assert (done.state, done.amount_minor, done.mass_mg) == ("succeeded", SPREAD_CENTS, ORDER_MG)
    assert shop.balance(team) == 10_000
    assert shop.state(answer["purchaseId"]) == "refunded"
    assert standing(shop, answer["purchaseId"]) == (0, 0, 0)
    assert certified_mg(shop, team) < before
    newest = shop.get("/api/credits/ledger", team).json()["entries"][0]
    assert (newest["type"], newest["amountUsdCents"]) == ("refund", SPREAD_CENTS)
    assert (newest["orderGroupId"], newest["description"]) == (
        answer["purchaseId"], "Refund: 0.45 t CO₂e",
    )  # fmt: skip
    legs = movement(shop, done.id)
    assert legs["credits", "USD"] == 1_040_000_000
    assert legs["credits", "USD"] == -legs["partners", "USD"] - legs["margin", "USD"]
    assert shop.findings() == []


def test_parts_of_credits_come_back_and_then_the_rest(shop: CardShop) -> None:
    team = rich_team(shop)
    purchase_id = shop.order(team, paymentMethod="credits", **SPREAD).json()["purchaseId"]
    for amount in (1, 333, 7):
        refund(shop, purchase_id, amount)
        assert shop.state(purchase_id) == "partly_refunded"
    assert refunded_minor(shop, purchase_id) == 341
    assert shop.balance(team) == 10_000 - SPREAD_CENTS + 341
    mass_mg, _, amount_micro = standing(shop, purchase_id)
    assert amount_micro == 699_000_000
    # Each part was rounded down by less than a milligram.
    assert 0 <= mass_mg - ORDER_MG * 699 // SPREAD_CENTS <= 3
    assert refund(shop, purchase_id).amount_minor == 699
    assert standing(shop, purchase_id) == (0, 0, 0)
    assert shop.balance(team) == 10_000
    assert shop.findings() == []


def test_an_order_of_a_cent_can_be_refunded(shop: CardShop) -> None:
    team = rich_team(shop)
    answer = shop.order(team, paymentMethod="credits", tons=0.0001, portfolioId=12).json()
    assert answer["amountCharged"] == 1
    refund(shop, answer["purchaseId"])
    assert shop.balance(team) == 10_000
    assert shop.findings() == []


# ----------------------------------------------------------------------------------------- by card


@pytest.mark.parametrize("currency", ["USD", "EUR", "JPY", "KWD"])
def test_a_card_gets_its_money_back_in_what_it_was_charged(shop: CardShop, currency: str) -> None:
    team = shop.team(currency=currency)
    purchase_id, charge_id = bought(shop, team, **SPREAD)
    (charge,) = shop.charges()
    part = charge["amount"] // 30 * 10
    first = refund(shop, purchase_id, part)
    assert (first.state, first.amount_minor, first.currency) == ("succeeded", part, currency)
    assert first.amount_micro == 1_040_000_000 * part // charge["amount"]
    assert shop.state(purchase_id) == "partly_refunded"
    shop.agree(team)
    refund(shop, purchase_id)
    assert shop.state(purchase_id) == "refunded"
    assert standing(shop, purchase_id) == (0, 0, 0)
    made = shop.stripe.truth("refunds")
    assert [one["amount"] for one in made] == [part, charge["amount"] - part]
    assert {one["charge"] for one in made} == {charge_id}
    legs = movement(shop, first.id)
    if currency != "USD":
        assert legs["processor", currency] == -legs["exchange", currency]
        assert legs["exchange", "USD"] == first.amount_micro
    shop.agree(team)


def test_what_goes_back_is_shown_everywhere(shop: CardShop) -> None:
    team = shop.team()
    purchase_id, _ = bought(shop, team)
    refund(shop, purchase_id, 204)
    body = shop.get(f"/api/orders/{purchase_id}", team).json()
    assert (body["state"], body["amountRefunded"]) == ("partly_refunded", 204)
    (shown,) = body["refunds"]
    assert shown["id"]
    assert {name: shown[name] for name in ("state", "amount", "currency", "trees")} == {
        "state": "succeeded", "amount": 204, "currency": "USD", "trees": 0,
    }  # fmt: skip
    assert shown["tons"] == pytest.approx(0.45 * 204 / ORDER_CENTS, abs=1e-9)
    assert body["refundedAt"] is None
    (row,) = shop.get("/api/purchases", team).json()["purchases"]
    assert (row["state"], row["refunded"]) == ("partly_refunded", False)
    refund(shop, purchase_id)
    body = shop.get(f"/api/orders/{purchase_id}", team).json()
    assert (body["state"], body["amountRefunded"], len(body["refunds"])) == ("refunded", 704, 2)
    assert body["refundedAt"] is not None
    listed = shop.get("/api/offset-orders", team).json()
    assert listed["stats"]["totalTons"] == 0
    shop.agree(team)


def test_the_public_feed_shows_what_stands(shop: CardShop) -> None:
    team = shop.team()
    purchase_id, _ = bought(shop, team)

    def shown() -> list[int]:
        recent = shop.stage.write(
            lambda conn: list_recent_purchases(conn, without_ids=[], at_most=30)
        )
        return [one.mass_mg for one in recent if str(one.id) == purchase_id]

    assert shown() == [ORDER_MG]
    part = refund(shop, purchase_id, 204)
    assert shown() == [ORDER_MG - part.mass_mg]
    refund(shop, purchase_id)
    assert shown() == []


# ------------------------------------------------------------------------------------ what may not


def test_more_than_was_paid_is_refused(shop: CardShop) -> None:
    team = shop.team()
    purchase_id, _ = bought(shop, team)
    with pytest.raises(NotRefundable, match=r"7\.04 USD can still go back"):
        refund(shop, purchase_id, ORDER_CENTS + 1)
    refund(shop, purchase_id, 700)
    with pytest.raises(NotRefundable, match=r"0\.04 USD can still go back"):
        refund(shop, purchase_id, 5)
    refund(shop, purchase_id)
    with pytest.raises(NotRefundable, match="refunded already"):
        refund(shop, purchase_id)
    shop.agree(team)


def test_what_was_never_paid_or_is_not_known_yet_is_refused(shop: CardShop) -> None:
    team = shop.team("pm_card_visa_chargeDeclined")
    assert shop.order(team).status_code == 400
    ((failed_id,),) = shop.sql(
        "select id::text from orders.purchase where account_id = %s", team.id
    )
    with pytest.raises(NotRefundable, match="never charged"):
        refund(shop, failed_id)
    shop.give_card(team, "pm_card_visa")
    shop.stripe.fault("500", method="POST", path="/v1/payment_intents")
    pending_id = shop.order(team, "k").json()["purchaseId"]
    with pytest.raises(NotRefundable, match="not known yet"):
        refund(shop, pending_id)
    with pytest.raises(ProblemError, match="no such order"):
        refund(shop, "0193a0f4-7c1e-7a52-9d8e-2b0d5a3c1f6e")


def test_what_the_processor_refuses_is_told_and_changes_nothing(shop: CardShop) -> None:
    team = shop.team()
    purchase_id, charge_id = bought(shop, team)
    # Somebody was faster in the dashboard, and no event has told of it yet.
    refund_at_processor(shop, charge_id, 700)
    with pytest.raises(RefundNotMade, match="greater than unrefunded amount"):
        refund(shop, purchase_id)
    assert (shop.state(purchase_id), shop.exceptions()) == ("paid", [])
    shop.hear()
    assert refunded_minor(shop, purchase_id) == 700
    shop.agree(team)


@pytest.mark.parametrize("fault", ["429", "401"])
def test_a_refund_that_was_not_begun_can_be_asked_for_again(shop: CardShop, fault: str) -> None:
    team = shop.team()
    purchase_id, _ = bought(shop, team)
    shop.stripe.fault(fault, **CREATE)
    with pytest.raises(RefundNotMade):
        refund(shop, purchase_id, key="k")
    with pytest.raises(RefundNotMade):
        refund(shop, purchase_id, key="k")
    assert shop.stripe.truth("refunds") == []
    assert refund(shop, purchase_id, key="k2").state == "succeeded"
    shop.agree(team)


# ---------------------------------------------------------------------------------- twice is once


def test_the_same_request_twice_is_one_refund(shop: CardShop) -> None:
    team, rich = shop.team(), rich_team(shop)
    by_card, _ = bought(shop, team)
    by_credits = shop.order(rich, paymentMethod="credits").json()["purchaseId"]
    for purchase_id in (by_card, by_credits):
        first = refund(shop, purchase_id, 100, "ticket-1")
        assert refund(shop, purchase_id, 100, "ticket-1") == first
        assert refund(shop, purchase_id, None, "ticket-1") == first
        with pytest.raises(NotRefundable, match="another key"):
            refund(shop, purchase_id, 101, "ticket-1")
        assert refund(shop, purchase_id, 100, "ticket-2").id != first.id
        assert refunded_minor(shop, purchase_id) == 200
    shop.agree(team)


@pytest.mark.parametrize("keyed", [True, False])
def test_rivals_give_back_no_more_than_was_paid(shop: CardShop, keyed: bool) -> None:
    team = shop.team()
    purchase_id, _ = bought(shop, team)

    def ask(number: int) -> str:
        try:
            return refund(shop, purchase_id, 200, "one" if keyed else f"k{number}").state
        except (NotRefundable, ProblemError) as refusal:
            return refusal.code

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(ask, range(8)))
    shop.settle_all()
    assert refunded_minor(shop, purchase_id) == (200 if keyed else 600)
    if keyed:
        assert set(said) <= {"succeeded", "refund_outcome_unknown"}
    else:
        assert said.count("succeeded") == 3
    shop.agree(team)


# ------------------------------------------------------------------------------ in the dashboard


@pytest.mark.parametrize("amounts", [(None,), (204, 500), (1, 2, 3)])
def test_refunds_made_at_the_processor_are_brought_in_by_its_events(
    shop: CardShop, amounts: tuple[int | None, ...]
) -> None:
    team = shop.team()
    purchase_id, charge_id = bought(shop, team)
    shop.hear()
    for amount in amounts:
        refund_at_processor(shop, charge_id, amount)
    assert shop.state(purchase_id) == "paid"
    shop.flush_events()
    shop.hear()
    back = sum(amount or ORDER_CENTS for amount in amounts)
    assert refunded_minor(shop, purchase_id) == back
    assert shop.state(purchase_id) == ("refunded" if back == ORDER_CENTS else "partly_refunded")
    origins = shop.sql(
        "select distinct origin from orders.refund where purchase_id = %s", purchase_id
    )
    assert origins == [("processor",)]
    shop.agree(team)


def test_refunds_whose_events_were_lost_are_found_in_the_processors_list(shop: CardShop) -> None:
    team = shop.team()
    purchase_id, charge_id = bought(shop, team)
    refund_at_processor(shop, charge_id, 204)
    shop.stripe.post("events", drop=True)

    def look() -> dict[str, int]:
        return shop.stage.do(lambda db, gateway: reconcile(db, gateway, back=DAY))

    first = look()
    assert (first["refunds"], refunded_minor(shop, purchase_id)) == (1, 204)
    assert look()["refunds"] == 1
    assert refunded_minor(shop, purchase_id) == 204
    shop.agree(team)


def test_a_refund_of_an_order_that_is_not_known_to_be_paid_yet(shop: CardShop) -> None:
    team = shop.team()
    shop.stripe.fault("reset", when="after", method="POST", path="/v1/payment_intents")
    shop.stripe.fault("500", method="GET", path="/v1/payment_intents")
    purchase_id = shop.order(team, "k").json()["purchaseId"]
    (charge,) = shop.charges()
    refund_at_processor(shop, charge["id"])
    shop.stripe.delete("faults")
    # Whichever event comes first.
    shop.hear()
    assert shop.state(purchase_id) == "refunded"
    shop.agree(team)


def test_a_refund_of_a_charge_that_is_not_ours_is_noted(shop: CardShop) -> None:
    team = shop.team()
    customer, card = shop.sql(
        "select stripe_customer, stripe_payment_method from accounts.account where id = %s", team.id
    )[0]
    intent = shop.stripe.client().v1.payment_intents.create(
        {
            "amount": 500, "currency": "usd", "customer": customer, "payment_method": card,
            "confirm": True, "off_session": True,
        }
    )  # fmt: skip
    refund_at_processor(shop, str(intent.latest_charge))
    shop.flush_events()
    assert "noted" in shop.work()
    assert shop.sql("select count(*) from payments.inbox where done_at is null") == [(0,)]
    assert shop.findings() == []


def test_a_refund_made_at_the_processor_that_takes_its_time(shop: CardShop) -> None:
    team = shop.team("pm_card_pendingRefund")
    purchase_id, charge_id = bought(shop, team)
    refund_at_processor(shop, charge_id, 500)
    shop.hear()
    assert shop.state(purchase_id) == "paid"
    with pytest.raises(NotRefundable, match=r"2\.04 USD can still go back"):
        refund(shop, purchase_id, 205)
    shop.agree(team)
    shop.pass_time(2 * HOUR)
    assert "settled" in shop.work()
    assert (refunded_minor(shop, purchase_id), shop.exceptions()) == (500, [])
    shop.agree(team)


def test_a_refund_made_at_the_processor_that_had_failed_when_it_was_seen(shop: CardShop) -> None:
    team = shop.team("pm_card_refundFail")
    purchase_id, charge_id = bought(shop, team)
    refund_at_processor(shop, charge_id)
    shop.pass_time(MINUTE)
    wait_until_failed(shop)
    shop.hear()
    assert (shop.state(purchase_id), shop.exceptions(), shop.findings()) == ("paid", [], [])


# ---------------------------------------------------------------------- refunds that end later


def test_a_refund_that_the_processor_takes_its_time_over(shop: CardShop) -> None:
    team = shop.team("pm_card_pendingRefund")
    purchase_id, _ = bought(shop, team)
    first = refund(shop, purchase_id, 500, "k")
    assert (first.state, shop.state(purchase_id)) == ("pending", "paid")
    with pytest.raises(NotRefundable, match=r"2\.04 USD can still go back"):
        refund(shop, purchase_id, 205)
    second = refund(shop, purchase_id, 204)
    with pytest.raises(NotRefundable, match="on its way back"):
        refund(shop, purchase_id)
    assert {second.state, refund(shop, purchase_id, 500, "k").state} == {"pending"}
    body = shop.get(f"/api/orders/{purchase_id}", team).json()
    assert [one["state"] for one in body["refunds"]] == ["pending", "pending"]
    assert shop.findings() == []
    shop.pass_time(2 * HOUR)
    assert sorted(shop.work()) == ["settled", "settled", "settled before"]
    assert (shop.state(purchase_id), shop.exceptions()) == ("refunded", [])
    shop.agree(team)


def test_a_refund_that_fails_after_it_succeeded_needs_a_person(shop: CardShop) -> None:
    team = shop.team("pm_card_refundFail")
    purchase_id, charge_id = bought(shop, team)
    done = refund(shop, purchase_id, 500)
    assert done.state == "succeeded"
    shop.pass_time(MINUTE)
    for _ in range(2):
        wait_until_failed(shop)
        shop.hear()
        (exception,) = shop.exceptions()
        assert (exception.kind, exception.subject) == ("refund_failed", str(done.id))
        assert "500 USD" in exception.detail
    # The order was refunded; its customer is owed the money, and gets it by another refund.
    assert (shop.state(purchase_id), refunded_minor(shop, purchase_id)) == ("partly_refunded", 500)
    shop.agree(team)
    refund_at_processor(shop, charge_id)
    shop.hear()
    assert (shop.state(purchase_id), refunded_minor(shop, purchase_id)) == ("refunded", 704)
    newest = shop.sql("select id::text, amount_minor from orders.refund where purchase_id = %s"
                      " order by created_at desc limit 1", purchase_id)[0]  # fmt: skip
    assert newest[1] == 204
    legs = movement(shop, newest[0])
    assert (legs["processor", "USD"], legs["suspense", "USD"]) == (704_000_000, -500_000_000)
    assert shop.findings() == []


def test_a_refund_that_fails_before_it_succeeded_never_took_effect(shop: CardShop) -> None:
    team = shop.team("pm_card_refundFail")
    purchase_id, _ = bought(shop, team)
    # Its answer is lost, and it has failed by the time anybody looks.
    shop.stripe.fault("reset", when="after", **CREATE)
    shop.stripe.fault("500", **LIST)
    with pytest.raises(RefundOutcomeUnknown):
        refund(shop, purchase_id)
    shop.pass_time(2 * MINUTE)
    wait_until_failed(shop)
    assert shop.work() == ["settled before", "settled"]
    assert (shop.state(purchase_id), standing(shop, purchase_id)[0]) == ("paid", ORDER_MG)
    (exception,) = shop.exceptions()
    assert exception.kind == "refund_failed"
    assert "never took effect" in exception.detail
    shop.agree(team)


def wait_until_failed(shop: CardShop) -> None:
    """The simulator ends its refunds in its own time."""
    wait_until(lambda: {one["status"] for one in shop.stripe.truth("refunds")} == {"failed"})
