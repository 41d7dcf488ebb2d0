"""Test mode: a `wren_test_` token gets the live answers' shape, and nothing happens."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from tests.support.client import Api, assert_refused, certified_and_not
from tests.support.lists import DONATIONS, PURCHASES, TREES, OrderList, give, plant

PATH = "/api/offset-orders"
BALANCE_CENTS = 100_000
READS = [
    PATH,
    f"{PATH}?limit=3",
    TREES.path,
    f"{TREES.path}?limit=1",
    PURCHASES.path,
    f"{PURCHASES.path}?limit=1",
    "/api/credits/balance",
    "/api/credits/ledger",
    "/api/portfolios",
    "/api/portfolios?expanded",
]


def count_rows(api: Api) -> dict[str, int]:
    """How many rows each table of the product has."""
    with psycopg.connect(api.database_url) as conn:
        tables = conn.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_type = 'BASE TABLE'"
            " and table_schema not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        return {
            f"{schema}.{table}": conn.execute(
                sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table))
            ).fetchall()[0][0]
            for schema, table in tables
        }


def shape(value: Any) -> Any:
    """What there is in a body besides its values: names, and what lists hold."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        merged: dict[str, Any] = {}
        for part in value:
            merged |= shape(part) or {}
        return [merged]
    return None


def assert_test_answer_of_shape(test: Any, live: Any) -> None:
    """Hold a test answer against a live one: the same names all through, and `test: true`."""
    assert test["test"] is True
    assert "test" not in live
    without_mark = {name: part for name, part in test.items() if name != "test"}
    assert shape(without_mark) == shape(live)
    assert [name for name in test if name != "test"] == list(live)


@pytest.fixture
def idle_api(calm_api: Api) -> Iterator[Api]:
    """An API in whose database not a row is more or fewer when the test is over."""
    before = count_rows(calm_api)
    assert before["orders.purchase"] >= 0
    yield calm_api
    assert count_rows(calm_api) == before


@pytest.mark.parametrize("fields", [{}, {"note": "Thanks"}, {"metadata": {"a": "b"}}], ids=str)
def test_an_order_is_answered_as_live_and_marked(api: Api, fields: dict[str, Any]) -> None:
    test = api.order(api.world.test_token, **fields)
    live = api.order(**fields)
    assert_test_answer_of_shape(test, live)
    assert test["id"].startswith("test_oo_")
    assert test["purchaseId"].startswith("test_oo_")
    assert "/test_oo_" in test["certificateUrl"]
    assert (test["currency"], test["dryRun"]) == ("USD", False)
    for name in ("amountCharged", "amountInUsdCents", "tons", "portfolio", "paymentMethod"):
        assert test[name] == live[name]


def test_the_balance_is_new_on_every_request(idle_api: Api) -> None:
    token = idle_api.world.test_token
    answers = [idle_api.order(token, tons=20) for _ in range(3)]
    assert {answer["creditsRemaining"] for answer in answers} == {BALANCE_CENTS - 46_220}
    assert len({answer["id"] for answer in answers}) == 3
    assert idle_api.balance(token) == BALANCE_CENTS


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_order_over_the_balance_gets_the_real_400(idle_api: Api, *, dry_run: bool) -> None:
    body = {"tons": 43.2714, "paymentMethod": "credits", "dryRun": dry_run}
    token = idle_api.world.test_token
    answer = idle_api.post(PATH, body, token=token)
    told = assert_refused(answer, 400, "insufficient_credits", "paymentMethod")["message"]
    assert "$1000.01" in told
    assert "$1000.00" in told
    fits = idle_api.post(PATH, body | {"tons": 43.2713}, token=token).json()
    assert (fits["amountCharged"], fits["creditsRemaining"]) == (BALANCE_CENTS, 0)


@pytest.mark.parametrize("method", ["stripe", None])
def test_a_card_order_needs_no_card(idle_api: Api, method: str | None) -> None:
    token = idle_api.world.test_token
    answer = idle_api.order(token, tons=1, paymentMethod=method)
    assert (answer["amountCharged"], answer["currency"], answer["test"]) == (2311, "USD", True)
    assert answer["id"].startswith("test_oo_")
    assert not {"paymentMethod", "creditsRemaining"} & set(answer)
    assert (answer["purchaseId"], "certificateUrl" in answer) == (answer["id"], True)


@pytest.mark.parametrize("method", ["stripe", "credits"])
def test_a_dry_run_is_as_live_but_for_the_mark(idle_api: Api, method: str) -> None:
    fields = {"tons": 2, "paymentMethod": method, "dryRun": True, "portfolioId": 21}
    body = idle_api.post(PATH, fields, token=idle_api.world.test_token).json()
    live = idle_api.post(PATH, fields | {"tons": 0.5}).json()
    assert_test_answer_of_shape(body, live)
    assert (body["id"], body["dryRun"]) == (None, True)
    assert body.get("creditsRemaining") == (
        BALANCE_CENTS - body["amountCharged"] if method == "credits" else None
    )


@pytest.mark.parametrize("path", READS)
def test_a_list_is_a_sample_of_exactly_the_live_shape(api: Api, path: str) -> None:
    # What the sample shows has a live counterpart: a deduction, metadata under the same name.
    api.order(metadata={"sample": "x"})
    plant(api, metadata={"sample": "x"})
    live = api.get(path)
    test = api.get(path, api.world.test_token)
    assert (test.status_code, live.status_code) == (200, 200)
    assert_test_answer_of_shape(test.json(), live.json())


def test_a_bare_array_is_a_sample_of_exactly_the_live_shape(api: Api) -> None:
    give(api, metadata={"sample": "x"})
    live = DONATIONS.get(api).json()
    test = DONATIONS.get(api, api.world.test_token).json()
    assert shape(test) == shape(live)
    assert [list(row) for row in test] == [list(row) for row in live]
    assert [list(row) for row in DONATIONS.get(api, api.world.test_token, limit=1).json()] == [
        list(live[0])
    ]


def test_every_order_of_the_sample_is_a_purchase_of_it(idle_api: Api) -> None:
    token = idle_api.world.test_token
    purchases = {row["stripeChargeId"]: row for row in PURCHASES.rows(idle_api, token)}
    created = [row["createdAt"] for row in purchases.values()]
    assert created == sorted(created, reverse=True)
    listed = {
        ("test_oo_", "hasOffsetOrders"): {
            row["order_group_id"] for row in certified_and_not(idle_api.get(PATH, token).json())
        },
        ("test_to_", "hasTreeOrders"): {row["orderGroupId"] for row in TREES.rows(idle_api, token)},
        ("test_po_", "hasProjectDonations"): {
            row["orderGroupId"] for row in DONATIONS.rows(idle_api, token)
        },
    }
    for (prefix, flag), groups in listed.items():
        assert groups
        assert groups == {name for name, row in purchases.items() if row[flag]}
        assert all(name.startswith(prefix) for name in groups)
    assert set().union(*listed.values()) == set(purchases)
    for name, row in purchases.items():
        assert (row["purchaseId"], row["currency"], row["state"]) == (name, "USD", "paid")
        assert row["certificateUrl"].endswith(f"/certificates/{name}")
        shown = idle_api.get(f"/api/orders/{name}", token).json()
        assert shown["amountCharged"] == row["amountCharged"] == row["totalAmountPaidByCustomer"]
        assert shown["trees"] == row["totalTrees"]
    (trees,) = TREES.rows(idle_api, token)
    assert trees["id"].startswith("test_to_")
    assert (trees["provider"], trees["amountCharged"]) == ("WeForest", 120 * trees["amountOfTrees"])
    (donation,) = DONATIONS.rows(idle_api, token)
    assert donation["id"].startswith("test_po_")
    assert donation["userId"] not in (idle_api.world.team_id, idle_api.world.second_id)


def test_the_sample_list_adds_up(idle_api: Api) -> None:
    body = idle_api.get(PATH, idle_api.world.test_token).json()
    certified, uncertified = body["offsetOrders"], body["uncertifiedOffsetOrders"]
    assert certified
    assert uncertified
    total = sum(round(row["tons"] * 10**9) for row in certified)
    assert round(body["stats"]["totalTons"] * 10**9) == total
    for row in certified_and_not(body):
        assert row["id"].startswith("test_oo_")
        assert row["order_group_id"].startswith("test_oo_")
        assert row["certificate_url"].endswith(f"/certificates/{row['order_group_id']}")
        assert row["charge_currency"] == "USD"
    created = [row["created_at"] for row in certified]
    assert created == sorted(created, reverse=True)
    (entry,) = idle_api.get("/api/credits/ledger", idle_api.world.test_token).json()["entries"]
    assert entry["id"].startswith("test_cr_")
    assert entry["balanceAfterUsdCents"] == BALANCE_CENTS


def test_the_sample_can_be_paged_and_filtered(idle_api: Api) -> None:
    token = idle_api.world.test_token
    whole = idle_api.get(PATH, token).json()
    pages = [idle_api.get(PATH, token, limit=5).json()]
    while cursor := pages[-1]["nextCursor"]:
        pages.append(idle_api.get(PATH, token, limit=5, cursor=cursor).json())
    for name in ("offsetOrders", "uncertifiedOffsetOrders"):
        assert [row for page in pages for row in page[name]] == whole[name]

    group_id = whole["offsetOrders"][0]["order_group_id"]
    group = idle_api.get(PATH, token, order_group_id=group_id).json()
    assert {row["order_group_id"] for row in certified_and_not(group)} == {group_id}
    for nothing in (
        {"created_before": "2000-01-01"},
        {"metadata[sample]": "false"},
        {"order_group_id": "test_oo_1"},
        {"offset": "1", "metadata[x]": "y"},
    ):
        assert certified_and_not(idle_api.get(PATH, token, **nothing).json()) == []


@pytest.mark.parametrize("listing", [TREES, DONATIONS, PURCHASES], ids=lambda one: one.path)
def test_every_sample_list_can_be_paged_and_filtered(idle_api: Api, listing: OrderList) -> None:
    token = idle_api.world.test_token
    whole = listing.rows(idle_api, token)
    pages = listing.pages(idle_api, token, limit=1)
    assert [row for page in pages for row in page] == whole
    assert all(len(page) == 1 for page in pages)

    row = whole[-1]
    assert listing.rows(idle_api, token, order_group_id=row[listing.group]) == [row]
    assert listing.rows(idle_api, token, **{"metadata[sample]": "true"}) == whole
    assert listing.rows(idle_api, token, created_after=row["createdAt"]) == whole
    assert row not in listing.rows(idle_api, token, created_before=row["createdAt"], limit=5)
    for nothing in (
        {"created_before": row["createdAt"]},
        {"metadata[sample]": "false"},
        {"order_group_id": "test_oo_1"},
        {"order_group_id": row[listing.group], "metadata[x]": "y"},
    ):
        assert listing.rows(idle_api, token, **nothing) == []


def test_an_order_placed_or_listed_can_be_looked_up(api: Api) -> None:
    token = api.world.test_token
    live = api.order()
    shown = api.get(f"/api/orders/{live['purchaseId']}").json()
    rows = certified_and_not(api.get(PATH, token).json())
    for purchase_id in (api.order(token)["purchaseId"], rows[0]["order_group_id"]):
        found = api.get(f"/api/orders/{purchase_id}", token).json()
        assert_test_answer_of_shape(found, shown)
        assert (found["purchaseId"], found["orderGroupId"]) == (purchase_id, purchase_id)
        assert (found["kind"], found["state"], found["currency"]) == ("offset", "paid", "USD")


def test_it_shows_nothing_of_its_account_nor_of_any_other(api: Api) -> None:
    placed = [
        order(api, who, note="Ours alone")
        for order in (Api.order, plant, give)
        for who in (None, api.world.second_token)
    ]
    token = api.world.test_token
    lists = (PATH, TREES.path, DONATIONS.path, PURCHASES.path)
    paths = [f"{path}?order_group_id={one['id']}" for path in lists for one in placed]
    for path in (*READS, DONATIONS.path, *paths):
        text = api.get(path, token).text
        assert "Ours alone" not in text
        assert all(one["id"] not in text for one in placed)
    for one in placed:
        answer = api.get(f"/api/orders/{one['purchaseId']}", token)
        assert_refused(answer, 404, "order_not_found")
        assert answer.content == api.get(f"/api/orders/{uuid4()}", token).content


@pytest.mark.parametrize(
    "name",
    [
        "%00", "test_oo_", "test_oo_" + "g" * 32, "test_xx_" + "0" * 32, "a" * 5_000, "%E2%82%AC",
        "test_oo_" + "0" * 31, "test_oo_" + "0" * 33, "TEST_OO_" + "0" * 32,
    ],
)  # fmt: skip
def test_an_id_of_another_form_is_not_there(idle_api: Api, name: str) -> None:
    answer = idle_api.get(f"/api/orders/{name}", idle_api.world.test_token)
    assert_refused(answer, 404, "order_not_found")


def test_a_live_token_knows_no_test_order(idle_api: Api) -> None:
    placed = idle_api.order(idle_api.world.test_token)
    assert_refused(idle_api.get(f"/api/orders/{placed['id']}"), 404, "order_not_found")
    assert certified_and_not(idle_api.get(PATH, order_group_id=placed["id"]).json()) == []


def test_nothing_is_written(idle_api: Api) -> None:
    token = idle_api.world.test_token
    placed = idle_api.order(token, key="k", sendReceiptEmail=True, note="N", metadata={"a": "b"})
    form = {"tons": "1", "onBehalfOfEmail": "grace@tests.example", "sendReceiptEmail": "true"}
    assert idle_api.post(PATH, form=form, token=token, key="k").status_code == 200
    assert idle_api.order(token, dryRun=True)["test"] is True
    for path in (*READS, DONATIONS.path, f"/api/orders/{placed['id']}"):
        assert idle_api.get(path, token).status_code == 200
