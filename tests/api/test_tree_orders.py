"""`POST /api/tree-orders`: trees by number, from credits and by card."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from fieldfare.catalog.model import Rows
from fieldfare.kernel.money import MICRO_PER_CENT
from tests.support.cards import CardShop
from tests.support.client import REPLAYED, Api, assert_refused
from tests.support.selling import WEFOREST, change_catalogue, preset_project, provider_at
from tests.support.waiting import wait_until
from tests.support.world import LIVE_CENTS

PATH = "/api/tree-orders"
TREE_CENTS = 120
ORDER = {"amountOfTrees": 5, "paymentMethod": "credits"}
ORDER_CENTS = 600
HEAD = ["id", "dryRun", "amountCharged", "currency", "amountInUsdCents", "impact", "provider"]
TAIL = ["purchaseId", "certificateUrl"]
ON_CREDIT = ["paymentMethod", "creditsRemaining"]
JSON = "application/json"


def placed(api: Api, **fields: Any) -> Any:
    """The answer to an order of five trees from credits unless `fields` say otherwise."""
    answer = api.post(PATH, ORDER | fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


# ------------------------------------------------------------------------------------- credits


def test_trees_are_priced_paid_and_recorded(api: Api) -> None:
    answer = placed(api)
    assert list(answer) == [*HEAD, *ON_CREDIT, *TAIL]
    assert (answer["amountCharged"], answer["amountInUsdCents"]) == (ORDER_CENTS, ORDER_CENTS)
    assert (answer["currency"], answer["dryRun"]) == ("USD", False)
    assert (answer["impact"], answer["provider"]) == ({"trees": 5}, "WeForest")
    assert answer["paymentMethod"] == "credits"
    assert answer["creditsRemaining"] == api.balance() == LIVE_CENTS - ORDER_CENTS
    assert UUID(answer["id"]) == UUID(answer["purchaseId"])

    (line,) = api.sql(
        "select kind, project_id, trees, mass_mg, amount_micro, billed_micro, weight_ppm,"
        " unit_price_micro, partner_micro + margin_micro from orders.line where purchase_id = %s",
        answer["id"],
    )
    price = ORDER_CENTS * MICRO_PER_CENT
    assert line == (
        "tree", WEFOREST, 5, 0, price, price, 1_000_000, TREE_CENTS * MICRO_PER_CENT, price
    )  # fmt: skip
    wallet = api.sql(
        "select trees, certified_mg from ledger.wallet where account_id = %s",
        api.world.team_id,
    )  # fmt: skip
    assert wallet == [(5, 0)]
    entry = api.get("/api/credits/ledger").json()["entries"][0]
    assert entry["description"] == "Tree order: 5 trees, WeForest"
    assert (entry["amountUsdCents"], entry["orderGroupId"]) == (-ORDER_CENTS, answer["id"])


def test_it_is_found_by_its_id(api: Api) -> None:
    answer = placed(api)
    shown = api.get(f"/api/orders/{answer['purchaseId']}").json()
    assert (shown["kind"], shown["state"], shown["paymentMethod"]) == ("tree", "paid", "credits")
    assert (shown["trees"], shown["tons"]) == (5, 0)
    assert (shown["portfolioId"], shown["projectId"]) == (None, WEFOREST)
    assert (shown["orderGroupId"], shown["amountInUsdCents"]) == (answer["id"], ORDER_CENTS)
    assert shown["certificateUrl"] == answer["certificateUrl"]
    other = api.get(f"/api/orders/{answer['purchaseId']}", api.world.second_token)
    assert_refused(other, 404, "order_not_found")


@pytest.mark.parametrize("text", ["5", "5.0", "0.5e1", "+5"])
def test_a_form_order_is_the_same_as_json(calm_api: Api, text: str) -> None:
    before = calm_api.balance()
    form = {"amountOfTrees": text, "paymentMethod": "credits", "dryRun": "False", "note": ""}
    answer = calm_api.post(PATH, form=form)
    assert (answer.status_code, answer.json()["impact"]) == (200, {"trees": 5})
    assert calm_api.balance() == before - ORDER_CENTS


@pytest.mark.parametrize("text", ["5", "5.0", "5e0", "50e-1"])
def test_a_whole_number_in_json_is_one_however_it_is_written(calm_api: Api, text: str) -> None:
    body = f'{{"amountOfTrees": {text}, "paymentMethod": "credits", "dryRun": true}}'
    answer = calm_api.post(PATH, content=body.encode(), content_type=JSON)
    assert (answer.status_code, answer.json()["amountCharged"]) == (200, ORDER_CENTS)


def test_what_is_said_of_persons_is_kept_apart(api: Api) -> None:
    answer = placed(
        api, note="For Ada\r\nwith love", onBehalfOfName="Ada", onBehalfOfEmail="a@tests.example",
        metadata={"trip": "7"},
    )  # fmt: skip
    (row,) = api.sql(
        "select note, on_behalf_of_name, on_behalf_of_email, metadata from orders.party"
        " where purchase_id = %s",
        answer["id"],
    )
    assert row == ("For Ada\nwith love", "Ada", "a@tests.example", {"trip": "7"})
    tags = api.sql("select key, value from orders.tag where purchase_id = %s", answer["id"])
    assert tags == [("trip", "7")]


@pytest.mark.parametrize("asked", [True, False])
def test_a_receipt_is_due_if_it_was_asked_for(api: Api, *, asked: bool) -> None:
    answer = placed(api, sendReceiptEmail=asked)
    (due,) = api.sql(
        "select count(*) from notifications.outbox where subject_id = %s", answer["id"]
    )
    assert due == (int(asked),)


def test_a_dry_run_shows_what_would_remain_and_changes_nothing(frugal_api: Api) -> None:
    answer = placed(frugal_api, dryRun=True)
    assert list(answer) == [*HEAD, *ON_CREDIT]
    assert (answer["id"], answer["dryRun"], answer["impact"]) == (None, True, {"trees": 5})
    assert answer["creditsRemaining"] == frugal_api.balance() - ORDER_CENTS


@pytest.mark.parametrize("dry_run", [False, True])
def test_trees_beyond_the_balance_deduct_nothing(frugal_api: Api, *, dry_run: bool) -> None:
    body = ORDER | {"amountOfTrees": 10_000_000, "dryRun": dry_run}
    refused = assert_refused(
        frugal_api.post(PATH, body), 400, "insufficient_credits", "paymentMethod"
    )
    assert "$12000000.00" in refused["message"]
    test = frugal_api.post(PATH, body, token=frugal_api.world.test_token)
    assert_refused(test, 400, "insufficient_credits", "paymentMethod")


def test_the_price_cap_holds(frugal_api: Api) -> None:
    capped = frugal_api.post(PATH, ORDER | {"maxAmountCharged": ORDER_CENTS - 1})
    assert_refused(capped, 400, "price_above_maximum", "maxAmountCharged")
    assert placed(frugal_api, maxAmountCharged=ORDER_CENTS, dryRun=True)["dryRun"] is True


BAD_TREES = [
    *((text, "invalid_amount_of_trees", False) for text in (
        "0", "-1", "-0", "10000001", "1e8", "1e99", "-1e99",
    )),
    *((text, "invalid_integer", False) for text in (
        "1.5", "0.1", "true", "false", "NaN", "Infinity", "1e400", '"five"', '"1,000"', "1e-1",
        "1" * 31,
    )),
    *((text, "invalid_integer", True) for text in ('"5"', "[5]", "{}", '{"a": 5}')),
    ("null", "invalid_amount_of_trees", True),
    ('""', "invalid_amount_of_trees", False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "only_json"), BAD_TREES, ids=lambda value: str(value))
def test_a_bad_number_of_trees_is_named_alike_everywhere(
    frugal_api: Api, text: str, code: str, *, only_json: bool
) -> None:
    api, tokens = frugal_api, (frugal_api.world.live_token, frugal_api.world.test_token)
    body = f'{{"amountOfTrees": {text}, "paymentMethod": "credits"}}'.encode()
    answers = [api.post(PATH, content=body, content_type=JSON, token=token) for token in tokens]
    form = {"amountOfTrees": text.strip('"'), "paymentMethod": "credits"}
    forms = [] if only_json else [api.post(PATH, form=form, token=token) for token in tokens]
    for answer in (*answers, *forms):
        # What Python's JSON calls a number and JSON does not is blamed on the field as well.
        is_no_json = text in ("NaN", "Infinity") and answer in answers
        assert_refused(answer, 400, "invalid_number" if is_no_json else code, "amountOfTrees")
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"amountOfTrees": None}, "invalid_amount_of_trees", "amountOfTrees"),
        ({"paymentMethod": "bitcoin"}, "invalid_choice", "paymentMethod"),
        ({"dryRun": "yes"}, "invalid_boolean", "dryRun"),
        ({"sendReceiptEmail": 1}, "invalid_boolean", "sendReceiptEmail"),
        ({"note": "a\u0000"}, "invalid_text", "note"),
        ({"onBehalfOfName": "n" * 201}, "invalid_text", "onBehalfOfName"),
        ({"onBehalfOfEmail": "n" * 321}, "invalid_text", "onBehalfOfEmail"),
        ({"metadata": {"k": 5}}, "invalid_metadata", "metadata"),
        ({"maxAmountCharged": 1.5}, "invalid_integer", "maxAmountCharged"),
        (
            {"amountOfTrees": 1_000_000, "paymentMethod": "stripe", "dryRun": True},
            "above_maximum",
            "amountOfTrees",
        ),
    ],
    ids=str,
)
def test_every_other_field_is_held_to_the_rules_of_all_orders(
    frugal_api: Api, fields: dict[str, Any], code: str, param: str
) -> None:
    for token in (frugal_api.world.live_token, frugal_api.world.test_token):
        assert_refused(frugal_api.post(PATH, ORDER | fields, token=token), 400, code, param)


# ---------------------------------------------------------------------------------------- keys


def test_a_retry_is_answered_as_the_first_was(api: Api) -> None:
    first = api.post(PATH, ORDER | {"metadata": {"a": "1", "b": "2"}}, key="k")
    form = {
        "metadata[b]": "2", "metadata[a]": "1", "paymentMethod": "credits", "amountOfTrees": "5.0",
    }  # fmt: skip
    again = api.post(PATH, form=form, key="k")
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers[REPLAYED] == "true"
    assert api.balance() == LIVE_CENTS - ORDER_CENTS


@pytest.mark.parametrize(
    "change",
    [
        {"amountOfTrees": 6},
        {"note": "Twice"},
        {"sendReceiptEmail": True},
        {"paymentMethod": "stripe"},
        {"amountOfTrees": 10_000_000},
        {"maxAmountCharged": 1},
    ],
    ids=str,
)
def test_the_same_key_with_another_body_is_422(calm_api: Api, change: dict[str, Any]) -> None:
    key = f"changed by {change}"
    first = calm_api.post(PATH, ORDER, key=key)
    assert first.status_code == 200
    other = calm_api.post(PATH, ORDER | change, key=key)
    assert_refused(other, 422, "idempotency_mismatch", "Idempotency-Key")
    assert calm_api.post(PATH, ORDER, key=key).content == first.content


def test_each_path_has_keys_of_its_own(api: Api) -> None:
    trees = api.post(PATH, ORDER, key="k")
    tonnes = api.order(key="k")
    assert trees.json()["id"] != tonnes["id"]
    assert api.post(PATH, ORDER, key="k").headers[REPLAYED] == "true"


# ----------------------------------------------------------------------------------- test mode


def test_test_mode_answers_as_live_and_writes_nothing(api: Api) -> None:
    live = placed(api)
    token = api.world.test_token
    (before,) = api.sql("select count(*) from orders.purchase")
    for fields in ({}, {"paymentMethod": None}, {"dryRun": True}):
        answer = api.post(PATH, ORDER | fields, token=token, key="k").json()
        assert answer["test"] is True
        assert (answer["amountCharged"], answer["provider"]) == (ORDER_CENTS, "WeForest")
    answer = api.post(PATH, ORDER, token=token).json()
    assert list(answer) == [*live, "test"]
    assert answer["creditsRemaining"] == 100_000 - ORDER_CENTS
    for name in ("id", "purchaseId"):
        assert answer[name].startswith("test_to_")
    assert "/test_to_" in answer["certificateUrl"]
    assert api.sql("select count(*) from orders.purchase") == [before]

    shown = api.get(f"/api/orders/{answer['id']}", token).json()
    assert (shown["kind"], shown["state"], shown["test"]) == ("tree", "paid", True)
    assert (shown["purchaseId"], shown["portfolioId"]) == (answer["id"], None)
    assert shown["trees"] * TREE_CENTS == shown["amountInUsdCents"] > 0
    assert (shown["projectId"], shown["tons"]) == (WEFOREST, 0)


# ---------------------------------------------------------------------------------------- cards


CARD = {"amountOfTrees": 5}


def test_trees_by_card_are_charged_once_and_recorded(shop: CardShop) -> None:
    team = shop.team()
    first = shop.post(CARD | {"note": "Ours"}, team, "k", path=PATH)
    body = first.json()
    assert list(body) == [*HEAD, *TAIL]
    assert body["id"].startswith("ch_")
    assert (body["amountCharged"], body["impact"]) == (ORDER_CENTS, {"trees": 5})
    again = shop.post(CARD | {"note": "Ours"}, team, "k", path=PATH)
    assert (again.content, again.headers[REPLAYED]) == (first.content, "true")
    (charge,) = shop.charges()
    assert (charge["id"], charge["amount"]) == (body["id"], ORDER_CENTS)
    shown = [
        shop.get(f"/api/orders/{one}", team).json() for one in (body["purchaseId"], body["id"])
    ]
    assert shown[0] == shown[1]
    assert (shown[0]["kind"], shown[0]["trees"], shown[0]["state"]) == ("tree", 5, "paid")
    wallet = shop.sql("select trees from ledger.wallet where account_id = %s", team.id)
    assert wallet == [(5,)]
    shop.agree(team)


@pytest.mark.parametrize(
    ("currency", "rate", "charged"),
    [
        # 6.00 × 149.1234 = 894.7404 yen.
        ("JPY", "149.1234", 895),
        # 6.00 × 0.9213 = 5.5278 euros.
        ("EUR", "0.9213", 553),
    ],
)
def test_the_charge_is_in_the_accounts_currency(
    shop: CardShop, currency: str, rate: str, charged: int
) -> None:
    shop.set_rate(currency, rate, date(2026, 11, 20))
    team = shop.team(currency=currency)
    dry = CARD | {"dryRun": True}
    wait_until(lambda: shop.post(dry, team, path=PATH).status_code == 200)
    body = shop.post(CARD | {"maxAmountCharged": charged}, team, path=PATH).json()
    assert (body["amountCharged"], body["currency"]) == (charged, currency)
    assert body["amountInUsdCents"] == ORDER_CENTS
    (charge,) = shop.charges()
    assert (charge["amount"], charge["currency"]) == (charged, currency.lower())
    capped = shop.post(CARD | {"maxAmountCharged": charged - 1}, team, path=PATH)
    assert_refused(capped, 400, "price_above_maximum", "maxAmountCharged")
    shop.agree(team)


def test_a_charge_whose_answer_was_lost_is_settled(shop: CardShop) -> None:
    team = shop.team()
    shop.stripe.fault("reset", when="after", path="/v1/payment_intents", method="POST", count=1)
    shop.stripe.fault("500", when="before", path="/v1/payment_intents", method="GET", count=1)
    lost = shop.post(CARD, team, "k", path=PATH)
    assert (lost.status_code, lost.json()["code"]) == (502, "payment_outcome_unknown")
    shop.settle_all()
    shown = shop.get(f"/api/orders/{lost.json()['purchaseId']}", team).json()
    assert (shown["state"], shown["kind"], shown["trees"]) == ("paid", "tree", 5)
    again = shop.post(CARD, team, "k", path=PATH)
    assert (again.status_code, again.json()["impact"]) == (200, {"trees": 5})
    assert again.json()["id"] == shown["orderGroupId"]
    assert len(shop.charges()) == 1
    shop.agree(team)


def test_a_declined_card_and_none_at_all(shop: CardShop) -> None:
    declined = shop.team("pm_card_visa_chargeDeclined")
    first = shop.post(CARD, declined, "k", path=PATH)
    assert_refused(first, 400, "card_declined", "paymentMethod")
    assert shop.post(CARD, declined, "k", path=PATH).headers[REPLAYED] == "true"
    nobody = shop.team(card=None)
    assert_refused(shop.post(CARD, nobody, path=PATH), 403, "no_payment_method", "paymentMethod")
    assert shop.post(CARD | {"dryRun": True}, nobody, path=PATH).status_code == 200
    assert shop.charges() == []
    shop.agree(declined, nobody)


def test_one_tree_is_enough_for_a_card(shop: CardShop) -> None:
    team = shop.team()
    assert shop.post({"amountOfTrees": 1}, team, path=PATH).json()["amountCharged"] == TREE_CENTS
    most = shop.post({"amountOfTrees": 833_334}, team, path=PATH)
    assert_refused(most, 400, "above_maximum", "amountOfTrees")
    assert len(shop.charges()) == 1


# --------------------------------------------------------------------------- another provider


def test_what_a_provider_costs_and_whether_it_plants(own_shop: CardShop) -> None:
    """A provider at seven cents; then none that sells; then none at all."""
    shop, url = own_shop, own_shop.database_url
    team = shop.team()
    dear = shop.post(CARD, team, "dear", path=PATH)
    assert dear.json()["provider"] == "WeForest"

    def dry(**fields: Any) -> Any:
        return shop.post(CARD | {"dryRun": True} | fields, team, path=PATH)

    change_catalogue(url, provider_at(7 * MICRO_PER_CENT, since=datetime.now(UTC)))
    wait_until(lambda: dry().json().get("provider") != "WeForest")
    told = assert_refused(dry(), 400, "below_minimum", "amountOfTrees")["message"]
    assert "amountOfTrees 8 or more" in told
    assert "credits" in told
    assert_refused(dry(amountOfTrees=7), 400, "below_minimum", "amountOfTrees")
    passing = shop.post({"amountOfTrees": 8}, team, path=PATH).json()
    assert (passing["amountCharged"], passing["provider"]) == (56, "Sapling Trust")

    closed = preset_project(WEFOREST, is_open=False)
    change_catalogue(url, Rows(projects=(closed,)))
    wait_until(lambda: dry().status_code == 400 and dry().json()["code"] == "trees_sold_out")
    assert_refused(dry(), 400, "trees_sold_out")
    again = shop.post(CARD, team, "dear", path=PATH)
    assert (again.content, again.headers[REPLAYED]) == (dear.content, "true")

    gone = preset_project(WEFOREST, is_tree_provider=False)
    change_catalogue(url, Rows(projects=(gone,)))
    wait_until(lambda: dry().status_code == 503)
    refused = dry()
    assert_refused(refused, 503, "no_tree_provider")
    assert int(refused.headers["retry-after"]) >= 1
    shop.agree(team)
