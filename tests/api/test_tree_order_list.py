"""`GET /api/tree-orders`: an account's tree orders, those that went back among them."""

from uuid import UUID

from fieldfare.catalog.model import Rows
from tests.support.client import Api
from tests.support.lists import DONATIONS, TREES, give, plant
from tests.support.refunded import give_back
from tests.support.selling import WEFOREST, change_catalogue, preset_project
from tests.support.waiting import wait_until

ROW = [
    "id", "orderGroupId", "amountOfTrees", "createdAt", "note", "provider", "fulfillmentStatus",
    "fulfilledAt", "paymentMethod", "amountCharged", "currency", "onBehalfOfName", "metadata",
    "certificateUrl", "refundedTrees",
]  # fmt: skip


def test_a_row_says_everything_of_its_order(api: Api) -> None:
    answer = plant(
        api, amountOfTrees=7, note="For a birthday", onBehalfOfName="Grace Hopper",
        onBehalfOfEmail="grace@tests.example", metadata={"party": "40"},
    )  # fmt: skip
    body = TREES.get(api).json()
    assert list(body) == ["treeOrders"]
    (row,) = body["treeOrders"]
    assert list(row) == ROW
    assert UUID(row["id"]).version == 7
    assert row["id"] not in (answer["id"], answer["purchaseId"])
    shown = api.get(f"/api/orders/{answer['purchaseId']}").json()
    assert row == {
        "id": row["id"],
        "orderGroupId": answer["id"],
        "amountOfTrees": 7,
        "createdAt": shown["paidAt"],
        "note": "For a birthday",
        "provider": "WeForest",
        "fulfillmentStatus": "pending",
        "fulfilledAt": None,
        "paymentMethod": "credits",
        "amountCharged": 840,
        "currency": "USD",
        "onBehalfOfName": "Grace Hopper",
        "metadata": {"party": "40"},
        "certificateUrl": answer["certificateUrl"],
        "refundedTrees": 0,
    }
    assert "grace@tests.example" not in TREES.get(api).text


def test_what_was_left_out_of_an_order_is_null(api: Api) -> None:
    plant(api)
    (row,) = TREES.rows(api)
    assert (row["note"], row["onBehalfOfName"], row["metadata"]) == (None, None, {})


def test_nobody_s_list_is_empty(api: Api) -> None:
    for token in (api.world.live_token, api.world.poor_token, api.world.bare_token):
        assert TREES.get(api, token).content == b'{"treeOrders":[]}'
        paged = TREES.get(api, token, limit=5).content
        assert paged == b'{"treeOrders":[],"nextCursor":null}'


def test_other_kinds_of_order_are_not_in_it(api: Api) -> None:
    api.order()
    give(api)
    assert TREES.rows(api) == []
    answer = plant(api)
    assert [row["orderGroupId"] for row in TREES.rows(api)] == [answer["id"]]
    assert len(DONATIONS.rows(api)) == 1


def test_a_user_s_own_orders_are_not_the_team_s(api: Api) -> None:
    own = plant(api, api.world.personal_token)
    assert [row["orderGroupId"] for row in TREES.rows(api, api.world.personal_token)] == [own["id"]]
    assert TREES.rows(api) == []


def test_what_is_planted_while_a_list_is_read_belongs_to_the_next_reading(api: Api) -> None:
    placed = [plant(api, amountOfTrees=n)["id"] for n in range(1, 8)]
    first = TREES.get(api, limit=3)
    seen, cursor = TREES.rows_of(first), TREES.cursor_of(first)
    while cursor is not None:
        plant(api, amountOfTrees=99)
        page = TREES.get(api, limit=3, cursor=cursor)
        seen, cursor = seen + TREES.rows_of(page), TREES.cursor_of(page)
    assert [row["orderGroupId"] for row in seen] == placed[::-1]
    assert [row["amountOfTrees"] for row in TREES.rows(api)][:2] == [99, 99]


def test_trees_that_went_back_show_in_part_or_are_cancelled(api: Api) -> None:
    whole, part, none = (plant(api, amountOfTrees=n) for n in (4, 8, 16))
    give_back(api.database_url, whole["purchaseId"])
    give_back(api.database_url, part["purchaseId"], 240)
    rows = {row["orderGroupId"]: row for row in TREES.rows(api)}
    shown = {
        name: (row["amountOfTrees"], row["refundedTrees"], row["fulfillmentStatus"])
        for name, row in rows.items()
    }
    assert shown == {
        whole["id"]: (4, 4, "cancelled"),
        part["id"]: (8, 2, "pending"),
        none["id"]: (16, 0, "pending"),
    }
    assert rows[whole["id"]]["amountCharged"] == 480


def test_the_provider_has_the_name_that_it_has_today(own_api: Api) -> None:
    plant(own_api)
    assert [row["provider"] for row in TREES.rows(own_api)] == ["WeForest"]
    renamed = preset_project(WEFOREST, provider_name="Grove")
    change_catalogue(own_api.database_url, Rows(projects=(renamed,)))
    wait_until(lambda: [row["provider"] for row in TREES.rows(own_api)] == ["Grove"])
