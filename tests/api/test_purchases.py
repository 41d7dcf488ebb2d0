"""`GET /api/purchases`: every order group of an account, of whatever kind, as one row."""

import json
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx

from fieldfare.orders.service.refund import refund_order
from tests.support.buying import CREATE, LIST
from tests.support.cards import CardShop, Team
from tests.support.client import Api, certified_and_not
from tests.support.lists import DONATIONS, PURCHASES, TREES, give, plant
from tests.support.refunded import give_back

ROW = [
    "stripeChargeId", "createdAt", "totalAmountPaidByCustomer", "totalTons", "totalTrees",
    "hasOffsetOrders", "hasProjectDonations", "hasTreeOrders", "paymentMethod", "state", "refunded",
    "certificateUrl", "purchaseId", "amountCharged", "currency", "amountRefunded",
    "amountRefundedInUsdCents", "refundedTons", "refundedTrees", "refundedAt",
]  # fmt: skip
DECLINED = "pm_card_visa_chargeDeclined"


def bought(shop: CardShop, team: Team) -> list[dict[str, Any]]:
    """The account's purchases."""
    rows: list[dict[str, Any]] = shop.get(PURCHASES.path, team).json()["purchases"]
    return rows


def plant_by_card(shop: CardShop, team: Team, trees: int) -> httpx.Response:
    """An order of trees, paid by the card on file."""
    headers = {"Authorization": f"Bearer {team.token}"}
    return shop.http.post(TREES.path, json={"amountOfTrees": trees}, headers=headers)


def test_there_is_one_row_for_an_order_of_each_kind(api: Api) -> None:
    offset = api.order(tons=1.5, note="Private", metadata={"a": "b"})
    trees = plant(api, amountOfTrees=7)
    donation = give(api, amountInUsdCents=250)
    body = PURCHASES.get(api).json()
    assert list(body) == ["purchases"]
    assert [row["stripeChargeId"] for row in body["purchases"]] == [
        donation["id"], trees["id"], offset["id"],
    ]  # fmt: skip
    assert all(list(row) == ROW for row in body["purchases"])

    rows = {row["stripeChargeId"]: row for row in PURCHASES.rows(api)}
    lines = certified_and_not(api.get("/api/offset-orders").json())
    certified = [line["tons"] for line in lines if line["standing"] == "certified"]
    assert 0 < len(certified) < len(lines)
    tons = sum(Decimal(str(one)) for one in certified)
    assert rows[offset["id"]] == whole_row(api, offset) | {
        "totalAmountPaidByCustomer": offset["amountCharged"],
        "totalTons": tons,
        "hasOffsetOrders": True,
    }
    assert rows[trees["id"]] == whole_row(api, trees) | {
        "totalAmountPaidByCustomer": 840,
        "totalTrees": 7,
        "hasTreeOrders": True,
    }
    assert rows[donation["id"]] == whole_row(api, donation) | {
        "totalAmountPaidByCustomer": 250,
        "hasProjectDonations": True,
    }


def whole_row(api: Api, answer: Any) -> dict[str, Any]:
    """What a row says of an order paid from credits of which nothing is told by its kind."""
    shown = api.get(f"/api/orders/{answer['purchaseId']}").json()
    return {
        "stripeChargeId": answer["id"],
        "createdAt": shown["createdAt"],
        "totalTons": 0,
        "totalTrees": 0,
        "hasOffsetOrders": False,
        "hasProjectDonations": False,
        "hasTreeOrders": False,
        "paymentMethod": "credits",
        "state": "paid",
        "refunded": False,
        "certificateUrl": answer["certificateUrl"],
        "purchaseId": answer["purchaseId"],
        "amountCharged": answer["amountCharged"],
        "currency": "USD",
        "amountRefunded": 0,
        "amountRefundedInUsdCents": 0,
        "refundedTons": 0,
        "refundedTrees": 0,
        "refundedAt": None,
    }


def test_only_certified_tonnes_are_in_a_row_s_total(api: Api) -> None:
    for portfolio_id in (1, 2, 4):
        api.order(portfolioId=portfolio_id, tons=portfolio_id)
    lines = certified_and_not(api.get("/api/offset-orders").json())
    standings = {line["order_group_id"]: line["standing"] for line in lines}
    assert set(standings.values()) == {"certified", "external_standard", "uncertified"}
    shown = [(standings[row["stripeChargeId"]], row["totalTons"]) for row in PURCHASES.rows(api)]
    assert shown == [("certified", 4), ("external_standard", 0), ("uncertified", 0)]


def test_nobody_s_list_is_empty_and_credits_are_no_purchase(api: Api) -> None:
    assert api.balance() > 0
    for token in (api.world.live_token, api.world.poor_token, api.world.bare_token):
        assert PURCHASES.get(api, token).content == b'{"purchases":[]}'
        paged = PURCHASES.get(api, token, limit=5).content
        assert paged == b'{"purchases":[],"nextCursor":null}'


def test_a_user_s_own_orders_are_not_the_team_s(api: Api) -> None:
    own = [plant(api, api.world.personal_token), api.order(api.world.personal_token)]
    rows = PURCHASES.rows(api, api.world.personal_token)
    assert [row["stripeChargeId"] for row in rows] == [one["id"] for one in own[::-1]]
    assert PURCHASES.rows(api) == []


def test_what_is_bought_while_a_list_is_read_belongs_to_the_next_reading(api: Api) -> None:
    placed = [buy(api)["id"] for buy in (plant, give, plant, give, plant)]
    first = PURCHASES.get(api, limit=2)
    seen, cursor = PURCHASES.rows_of(first), PURCHASES.cursor_of(first)
    while cursor is not None:
        plant(api)
        page = PURCHASES.get(api, limit=2, cursor=cursor)
        seen, cursor = seen + PURCHASES.rows_of(page), PURCHASES.cursor_of(page)
    assert [row["stripeChargeId"] for row in seen] == placed[::-1]
    assert len(PURCHASES.rows(api)) > len(placed)


def test_what_went_back_stands_beside_what_was_bought(api: Api) -> None:
    offset, trees = api.order(portfolioId=4, tons=1), plant(api, amountOfTrees=10)
    before = {row["stripeChargeId"]: row for row in PURCHASES.rows(api)}
    give_back(api.database_url, offset["purchaseId"], 1040)
    give_back(api.database_url, trees["purchaseId"])
    rows = {row["stripeChargeId"]: row for row in PURCHASES.rows(api)}
    assert rows[offset["id"]] == before[offset["id"]] | {
        "state": "partly_refunded",
        "amountRefunded": 1040,
        "amountRefundedInUsdCents": 1040,
        "refundedTons": Decimal("0.333333333"),
    }
    assert rows[trees["id"]] == before[trees["id"]] | {
        "state": "refunded",
        "refunded": True,
        "amountRefunded": 1200,
        "amountRefundedInUsdCents": 1200,
        "refundedTrees": 10,
        "refundedAt": rows[trees["id"]]["refundedAt"],
    }
    assert rows[trees["id"]]["refundedAt"].endswith("Z")


def test_a_card_s_purchase_is_called_by_its_charge(shop: CardShop) -> None:
    shop.set_rate("EUR", "0.91", date(2026, 11, 20))
    team = shop.team(currency="EUR")
    answer = plant_by_card(shop, team, 5)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    (row,) = bought(shop, team)
    assert row["stripeChargeId"] == body["id"]
    assert row["stripeChargeId"].startswith("ch_")
    assert (row["purchaseId"], row["paymentMethod"]) == (body["purchaseId"], "stripe")
    assert (row["totalAmountPaidByCustomer"], row["totalTrees"]) == (600, 5)
    assert (row["amountCharged"], row["currency"]) == (546, "EUR")
    for name in (body["id"], body["purchaseId"]):
        found = shop.get(PURCHASES.path, team, order_group_id=name).json()["purchases"]
        assert found == [row]
    other = shop.team()
    assert shop.get(PURCHASES.path, other, order_group_id=body["id"]).json()["purchases"] == []


def test_a_part_that_went_back_to_a_card_is_exact_in_dollars_too(shop: CardShop) -> None:
    shop.set_rate("EUR", "0.91", date(2026, 11, 20))
    team = shop.team(currency="EUR")
    purchase_id = UUID(plant_by_card(shop, team, 5).json()["purchaseId"])
    refunded = shop.stage.do(
        lambda db, gateway: refund_order(db, gateway, purchase_id, amount_minor=100, reason="Half")
    )
    assert refunded.state == "succeeded"
    (row,) = json.loads(shop.get(PURCHASES.path, team).text, parse_float=Decimal)["purchases"]
    assert (row["state"], row["refunded"]) == ("partly_refunded", False)
    assert (row["amountCharged"], row["amountRefunded"]) == (546, 100)
    # 600 cents × 100/546, to the millionth of a cent; of five trees that is not one.
    assert (row["amountRefundedInUsdCents"], row["refundedTrees"]) == (Decimal("109.890109"), 0)
    assert shop.findings() == []


def test_what_is_not_paid_is_in_no_list(shop: CardShop) -> None:
    team = shop.team(DECLINED)
    assert plant_by_card(shop, team, 5).json()["code"] == "card_declined"
    assert shop.order(team).json()["code"] == "card_declined"
    states = shop.sql("select state from orders.purchase where account_id = %s", team.id)
    assert states == [("failed",), ("failed",)]
    assert_nothing_listed(shop, team)


def test_what_may_yet_be_paid_is_listed_once_it_is(shop: CardShop) -> None:
    team = shop.team()
    # The charge is made, its answer lost, and the first look for it too.
    shop.stripe.fault("reset", when="after", **CREATE)
    shop.stripe.fault("500", count=1, **LIST)
    answer = plant_by_card(shop, team, 5)
    assert (answer.status_code, answer.json()["code"]) == (502, "payment_outcome_unknown")
    assert_nothing_listed(shop, team)
    shop.settle_all()
    (row,) = bought(shop, team)
    assert (row["state"], row["purchaseId"]) == ("paid", answer.json()["purchaseId"])
    (trees,) = shop.get(TREES.path, team).json()["treeOrders"]
    assert trees["orderGroupId"] == row["stripeChargeId"]


def assert_nothing_listed(shop: CardShop, team: Team) -> None:
    """No list of the account has a row."""
    assert bought(shop, team) == []
    assert shop.get(TREES.path, team).json()["treeOrders"] == []
    assert shop.get(DONATIONS.path, team).json() == []
    assert certified_and_not(shop.get("/api/offset-orders", team).json()) == []
