"""A refill as it is charged: one at most is under way, and its end is told once."""

import json
from typing import Any

import pytest

from fieldfare.payments.errors import (
    CardDeclined,
    NoPaymentMethod,
    RefillUnderway,
    TopUpOutcomeUnknown,
)
from fieldfare.payments.rules import IN_DOLLARS
from fieldfare.payments.service.top_ups import charge_top_up
from tests.support.buying import CREATE, LIST, Buying
from tests.support.cards import TOP_UP_CENTS, CardShop, Team

DECLINED = "pm_card_visa_chargeDeclined"


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


def test_a_refill_is_charged_and_its_end_is_told_once(shop: CardShop, topping_up: Buying) -> None:
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
    topping_up.settled(team)


def test_a_declined_refill_is_told_of_and_the_next_may_begin(
    shop: CardShop, topping_up: Buying
) -> None:
    team = shop.team(DECLINED)
    for times in (1, 2):
        with pytest.raises(CardDeclined):
            refill(shop, team)
        assert len(refills_ended(shop)) == times
    topping_up.settled(team, 0)


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
