"""Each state of an order, as `GET /api/orders/{purchaseId}` and the lists tell of it."""

from typing import Any

import pytest

from tests.support.buying import CREATE, LIST
from tests.support.cards import ORDER_CENTS, PATH, CardShop, Team
from tests.support.client import certified_and_not
from tests.support.refunds import refund

DECLINED = "pm_card_visa_chargeDeclined"


def shown(shop: CardShop, team: Team, purchase_id: str) -> Any:
    """The order as it is told of."""
    answer = shop.get(f"/api/orders/{purchase_id}", team)
    assert answer.status_code == 200, answer.text
    return answer.json()


def listed(shop: CardShop, team: Team) -> list[Any]:
    """The account's purchases."""
    rows: list[Any] = shop.get("/api/purchases", team).json()["purchases"]
    return rows


def test_pending_until_the_charge_is_known_and_then_paid(shop: CardShop) -> None:
    team = shop.team()
    shop.stripe.fault("reset", when="after", **CREATE)
    shop.stripe.fault("500", count=1, **LIST)
    answer = shop.order(team, "k")
    assert (answer.status_code, answer.json()["code"]) == (502, "payment_outcome_unknown")
    purchase_id = answer.json()["purchaseId"]
    assert f"/api/orders/{purchase_id}" in answer.json()["message"]

    pending = shown(shop, team, purchase_id)
    assert (pending["state"], pending["orderGroupId"]) == ("pending", purchase_id)
    assert (pending["paidAt"], pending["certificateUrl"]) == (None, None)
    assert pending["amountCharged"] == ORDER_CENTS
    assert listed(shop, team) == []

    # The same request with its key, once the outcome can be found, is answered as if at first.
    settled = shop.order(team, "k")
    assert (settled.status_code, settled.json()["purchaseId"]) == (200, purchase_id)
    paid = shown(shop, team, purchase_id)
    assert (paid["state"], paid["orderGroupId"]) == ("paid", settled.json()["id"])
    assert paid["certificateUrl"] == settled.json()["certificateUrl"]
    assert shown(shop, team, paid["orderGroupId"]) == paid
    assert [row["state"] for row in listed(shop, team)] == ["paid"]
    shop.agree(team)


def test_failed_if_the_card_was_not_charged(shop: CardShop) -> None:
    team = shop.team(DECLINED)
    assert shop.order(team).json()["code"] == "card_declined"
    rows = shop.sql("select id::text from orders.purchase where account_id = %s", team.id)
    failed = shown(shop, team, rows[0][0])
    assert (failed["state"], failed["paidAt"]) == ("failed", None)
    assert (failed["amountRefunded"], failed["certificateUrl"]) == (0, None)
    assert listed(shop, team) == []
    assert certified_and_not(shop.get(PATH, team).json()) == []


def test_refunded_in_part_and_then_wholly(shop: CardShop) -> None:
    team = shop.team()
    purchase_id = shop.order(team).json()["purchaseId"]
    refund(shop, purchase_id, 200)
    part = shown(shop, team, purchase_id)
    assert (part["state"], part["amountRefunded"]) == ("partly_refunded", 200)
    assert part["refundedAt"] is None
    (first,) = part["refunds"]
    assert (first["state"], first["amount"], first["currency"]) == ("succeeded", 200, "USD")
    # 200/704 of 0.45 t, rounded down to a milligram.
    assert round(first["tons"] * 10**9) == 450_000_000 * 200 // 704
    assert [(row["state"], row["refunded"]) for row in listed(shop, team)] == [
        ("partly_refunded", False)
    ]

    refund(shop, purchase_id)
    whole = shown(shop, team, purchase_id)
    assert (whole["state"], whole["amountRefunded"]) == ("refunded", ORDER_CENTS)
    assert whole["refundedAt"].endswith("Z")
    assert [one["amount"] for one in whole["refunds"]] == [200, ORDER_CENTS - 200]
    assert round(sum(one["tons"] for one in whole["refunds"]), 9) == whole["tons"] == 0.45
    assert [(row["state"], row["refunded"]) for row in listed(shop, team)] == [("refunded", True)]
    (row,) = certified_and_not(shop.get(PATH, team).json())
    assert (row["refunded_tons"], row["refunded_at"] is not None) == (0.45, True)
    assert shop.get(PATH, team).json()["stats"]["totalTons"] == 0
    shop.agree(team)


@pytest.mark.parametrize(("outcome", "state"), [("won", "paid"), ("lost", "refunded")])
def test_disputed_until_the_bank_decides(shop: CardShop, outcome: str, state: str) -> None:
    team = shop.team()
    placed = shop.order(team).json()
    shop.hear()
    shop.dispute(placed["id"])
    shop.hear()
    assert shown(shop, team, placed["purchaseId"])["state"] == "disputed"
    assert [(row["state"], row["refunded"]) for row in listed(shop, team)] == [("disputed", False)]

    shop.dispute(placed["id"], outcome)
    shop.hear()
    ended = shown(shop, team, placed["purchaseId"])
    assert ended["state"] == state
    lost = outcome == "lost"
    assert (ended["amountRefunded"] == ORDER_CENTS, ended["refundedAt"] is not None) == (lost, lost)
    assert [row["refunded"] for row in listed(shop, team)] == [lost]
