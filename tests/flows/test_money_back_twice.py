"""Money of an order that goes back twice, or comes back to us and goes once more.

A refund can fail weeks after it was made, somebody at the processor can be giving back what we are
giving back, and a bank can take what was refunded. What must hold: an order never gives up more
than its customer got, and whatever is left over is in the book `suspense` and in front of a person.
"""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from fieldfare.db.pool import Database
from fieldfare.integrations.stripe.disputes import look_up_dispute
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import SeenDispute
from fieldfare.orders.jobs.disputing import follow_dispute
from fieldfare.orders.jobs.refunding import reconcile_refunds
from fieldfare.payments.errors import NotRefundable, RefundOutcomeUnknown
from fieldfare.payments.service.balance import import_balance
from tests.support.books import strict_findings
from tests.support.cards import ORDER_CENTS, TOP_UP_CENTS, CardShop
from tests.support.money_back import held_in
from tests.support.refunds import CREATE, LIST, bought, refund, refund_at_processor, refunded_minor
from tests.support.waiting import wait_until

FAILING, PENDING = "pm_card_refundFail", "pm_card_pendingRefund"
WEEKS = timedelta(weeks=3)


@pytest.fixture
def shop(own_shop: CardShop) -> CardShop:
    """A shop with a balance of its own, in which charges show at once."""
    own_shop.stripe.post("settings", settle_delay_s=0)
    return own_shop


def fail_refunds(shop: CardShop) -> None:
    """The processor's refunds on such a card come back to us, weeks after they were made."""
    shop.pass_time(WEEKS)
    wait_until(lambda: {one["status"] for one in shop.stripe.truth("refunds")} == {"failed"})


def left_unknown(shop: CardShop, purchase_id: str, amount: int | None, *, made: bool) -> None:
    """A refund whose answer was lost, made or not, and could not be looked up."""
    shop.stripe.fault("reset", when="after" if made else "before", **CREATE)
    shop.stripe.fault("500", count=1, **LIST)
    with pytest.raises(RefundOutcomeUnknown):
        refund(shop, purchase_id, amount, "k")


# ------------------------------------------------------------------------------ it comes back to us


@pytest.mark.parametrize(
    ("again", "refunded"), [(500, 500), (300, 500), (600, 600), (ORDER_CENTS, ORDER_CENTS)]
)
def test_what_is_given_in_place_of_a_refund_that_came_back_takes_no_more_of_the_order(
    shop: CardShop, again: int, refunded: int
) -> None:
    team = shop.team(FAILING)
    purchase_id, charge_id = bought(shop, team)
    refund(shop, purchase_id, 500)
    fail_refunds(shop)
    shop.hear()
    assert [one.kind for one in shop.exceptions()] == ["refund_failed"]
    # As `fieldfare exceptions list` says: once more, in the processor's dashboard.
    refund_at_processor(shop, charge_id, again)
    for _ in range(2):
        shop.hear()
        assert refunded_minor(shop, purchase_id) == refunded
    assert shop.state(purchase_id) == ("refunded" if refunded == ORDER_CENTS else "partly_refunded")
    assert [one.kind for one in shop.exceptions()] == ["refund_failed"]
    shop.stage.do(import_balance)
    # What is still owed to the customer, and nothing else.
    owed = max(500 - again, 0) * 1_000_000
    assert held_in(shop, "suspense").get("USD", 0) == owed
    shop.agree(team)


def test_of_what_comes_back_a_part_is_owed_while_another_is_on_its_way(shop: CardShop) -> None:
    team = shop.team(PENDING)
    purchase_id, charge_id = bought(shop, team)
    refund(shop, purchase_id, 500)
    shop.settle_all()
    assert refunded_minor(shop, purchase_id) == 500
    # As the bank of a closed account does it, which no test card does after so long.
    shop.sql("update payments.refund set failure_code = 'expired_or_canceled_card'")
    refund_at_processor(shop, charge_id, 204)
    shop.hear()
    with pytest.raises(NotRefundable, match=r"2\.04 USD can still go back"):
        refund(shop, purchase_id, 205)
    shop.settle_all()
    assert refunded_minor(shop, purchase_id) == 500
    assert shop.exceptions() == []


@pytest.mark.parametrize("bought_is", ["order", "credits"])
def test_a_refund_that_fails_weeks_later_and_whose_event_is_lost_is_noticed(
    shop: CardShop, bought_is: str
) -> None:
    team = shop.team(FAILING)
    if bought_is == "order":
        refund(shop, bought(shop, team)[0], 500)
    else:
        refund_at_processor(shop, shop.top_up(team).json()["id"])
    shop.hear()
    fail_refunds(shop)
    shop.stripe.delete("events")

    async def look(db: Database, gateway: StripeGateway) -> None:
        # The list of what was made lately does not reach back as far.
        await reconcile_refunds(db, gateway, created_from=datetime.now(UTC) + 2 * WEEKS)

    shop.stage.do(look)
    assert shop.exceptions() == []
    shop.stage.do(import_balance)
    for _ in range(2):
        shop.stage.do(look)
        assert [one.kind for one in shop.exceptions()] == ["refund_failed"]
    assert shop.balance(team) == (0 if bought_is == "order" else TOP_UP_CENTS)
    shop.agree(team)
    assert strict_findings(shop) == []


# ------------------------------------------------------------------------------------ it goes twice


def test_what_is_on_its_way_twice_leaves_nothing_to_refund(shop: CardShop) -> None:
    team = shop.team(PENDING)
    purchase_id, charge_id = bought(shop, team)
    left_unknown(shop, purchase_id, None, made=False)
    refund_at_processor(shop, charge_id)
    shop.hear()
    for amount in (None, 100, -100):
        with pytest.raises(NotRefundable, match="on its way back"):
            refund(shop, purchase_id, amount)
    shop.settle_all()
    assert shop.state(purchase_id) == "refunded"


@pytest.mark.parametrize("ours", [True, False])
def test_a_refund_of_what_a_bank_has_taken_is_told_to_a_person(shop: CardShop, ours: bool) -> None:
    team = shop.team()
    purchase_id, charge_id = bought(shop, team)
    if ours:
        left_unknown(shop, purchase_id, 300, made=True)
    else:
        refund_at_processor(shop, charge_id, 300)
    dispute_id = shop.dispute(charge_id)

    async def lose_all(db: Database, gateway: StripeGateway) -> str:
        seen = await look_up_dispute(gateway, dispute_id)
        assert isinstance(seen, SeenDispute)
        # A bank can take the whole price although a part of it was refunded.
        lost = msgspec.structs.replace(seen, amount_minor=ORDER_CENTS, status="lost")
        return await follow_dispute(db, gateway, lost)

    assert shop.stage.do(lose_all) == "lost"
    assert (shop.state(purchase_id), shop.exceptions()) == ("refunded", [])
    if ours:
        with pytest.raises(NotRefundable, match="The card got this refund"):
            refund(shop, purchase_id, 300, "k")
    else:
        shop.stage.do(
            lambda db, gateway: reconcile_refunds(
                db, gateway, created_from=datetime.now(UTC) - WEEKS
            )
        )
    (exception,) = shop.exceptions()
    (made,) = shop.stripe.truth("refunds")
    assert exception.kind == "mismatch"
    assert made["id"] in exception.detail
    assert "300 USD more has gone back" in exception.detail
    assert refunded_minor(shop, purchase_id) == ORDER_CENTS
    assert held_in(shop, "suspense") == {"USD": -300_000_000}
    assert shop.findings() == []
