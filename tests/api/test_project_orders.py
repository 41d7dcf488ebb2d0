"""`POST /api/project-orders`: an amount for one project, from credits and by card."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from fieldfare.catalog.model import Rows
from fieldfare.kernel.money import MICRO_PER_CENT
from tests.support.cards import CardShop
from tests.support.client import REPLAYED, Api, assert_refused, certified_and_not
from tests.support.selling import change_catalogue, preset_project
from tests.support.waiting import wait_until
from tests.support.world import LIVE_CENTS

PATH = "/api/project-orders"
JSON = "application/json"
CENTS = 2_500
TONNES = {"projectId": 2, "amountInUsdCents": CENTS, "paymentMethod": "credits"}
"""Of a project at $15.63 a tonne."""
MASS_MG = 1_599_488_163
"""2500 × 10⁹ ÷ 1563 = 1 599 488 163.78…"""
GIFT = {"projectId": 31, "amountInUsdCents": CENTS, "paymentMethod": "credits"}
"""For a project without a unit."""
HEAD = ["id", "dryRun", "amountCharged", "currency", "amountInUsdCents"]
ON_CREDIT = ["paymentMethod", "creditsRemaining"]
TAIL = ["purchaseId", "certificateUrl"]
KINDS = pytest.mark.parametrize("order", [TONNES, GIFT], ids=["tonnes", "gift"])


def placed(api: Api, order: dict[str, Any], **fields: Any) -> Any:
    """The answer to an order with some fields changed."""
    answer = api.post(PATH, order | fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


# ------------------------------------------------------------------------------------- credits


def test_a_project_priced_by_tonnes_gives_tonnes(api: Api) -> None:
    answer = placed(api, TONNES)
    assert list(answer) == [*HEAD, "impact", "project", *ON_CREDIT, *TAIL]
    assert answer["amountCharged"] == answer["amountInUsdCents"] == CENTS
    assert round(answer["impact"]["tons"] * 10**9) == MASS_MG
    assert answer["project"] == {"id": 2, "name": "Community tree planting"}
    assert answer["creditsRemaining"] == api.balance() == LIVE_CENTS - CENTS
    assert UUID(answer["id"]) == UUID(answer["purchaseId"])

    (line,) = api.sql(
        "select kind, project_id, trees, mass_mg, amount_micro, billed_micro, weight_ppm"
        " from orders.line where purchase_id = %s",
        answer["id"],
    )
    price = CENTS * MICRO_PER_CENT
    assert line == ("offset", 2, 0, MASS_MG, price, price, 1_000_000)
    (row,) = certified_and_not(api.get("/api/offset-orders").json())
    assert (row["order_group_id"], row["project_id"]) == (answer["id"], 2)
    assert (row["portfolio_id"], row["amount_paid_by_customer"]) == (None, CENTS)
    assert Decimal(str(row["tons"])).scaleb(9) == MASS_MG
    entry = api.get("/api/credits/ledger").json()["entries"][0]
    assert entry["description"] == "Project order: 1.599488163 t CO₂e, Community tree planting"


def test_a_project_without_a_unit_gets_a_donation(api: Api) -> None:
    answer = placed(api, GIFT)
    assert list(answer) == [*HEAD, "project", *ON_CREDIT, *TAIL]
    assert answer["project"] == {"id": 31, "name": "Climate policy"}
    (line,) = api.sql(
        "select kind, project_id, trees, mass_mg, amount_micro, unit_price_micro"
        " from orders.line where purchase_id = %s",
        answer["id"],
    )
    assert line == ("donation", 31, 0, 0, CENTS * MICRO_PER_CENT, None)
    assert certified_and_not(api.get("/api/offset-orders").json()) == []
    entry = api.get("/api/credits/ledger").json()["entries"][0]
    assert entry["description"] == "Donation: Climate policy"


@pytest.mark.parametrize("cents", [100, 101, 9_999, LIVE_CENTS])
@KINDS
def test_any_amount_is_taken_to_the_cent(api: Api, order: dict[str, Any], cents: int) -> None:
    answer = placed(api, order, amountInUsdCents=cents)
    assert answer["amountCharged"] == cents
    assert api.balance() == LIVE_CENTS - cents


@KINDS
def test_it_is_found_by_its_id(api: Api, order: dict[str, Any]) -> None:
    answer = placed(api, order)
    shown = api.get(f"/api/orders/{answer['purchaseId']}").json()
    assert (shown["kind"], shown["state"], shown["trees"]) == ("project", "paid", 0)
    assert (shown["portfolioId"], shown["projectId"]) == (None, order["projectId"])
    assert shown["tons"] == answer.get("impact", {"tons": 0})["tons"]
    assert (shown["orderGroupId"], shown["amountInUsdCents"]) == (answer["id"], CENTS)


@KINDS
def test_a_form_order_is_the_same_as_json(api: Api, order: dict[str, Any]) -> None:
    form = {name: str(value) for name, value in order.items()} | {"dryRun": "False"}
    answer = api.post(PATH, form=form).json()
    assert (answer["amountCharged"], answer["project"]["id"]) == (CENTS, order["projectId"])
    assert api.balance() == LIVE_CENTS - CENTS


def test_what_is_said_of_persons_is_kept_apart(api: Api) -> None:
    answer = placed(
        api, GIFT, note="For Ada", onBehalfOfName="Ada", onBehalfOfEmail="a@tests.example",
        metadata={"trip": "7"}, sendReceiptEmail=True,
    )  # fmt: skip
    (row,) = api.sql(
        "select note, on_behalf_of_name, on_behalf_of_email, metadata from orders.party"
        " where purchase_id = %s",
        answer["id"],
    )
    assert row == ("For Ada", "Ada", "a@tests.example", {"trip": "7"})
    due = api.sql("select topic from notifications.outbox where subject_id = %s", answer["id"])
    assert due == [("receipt_due",)]


@KINDS
def test_a_dry_run_changes_nothing(frugal_api: Api, order: dict[str, Any]) -> None:
    answer = placed(frugal_api, order, dryRun=True)
    assert (answer["id"], answer["dryRun"], "purchaseId" in answer) == (None, True, False)
    assert answer["creditsRemaining"] == frugal_api.balance() - CENTS


@KINDS
def test_an_amount_beyond_the_balance_deducts_nothing(
    frugal_api: Api, order: dict[str, Any]
) -> None:
    for dry_run in (False, True):
        body = order | {"amountInUsdCents": 99_999_999, "dryRun": dry_run}
        refused = frugal_api.post(PATH, body)
        assert_refused(refused, 400, "insufficient_credits", "paymentMethod")
        test = frugal_api.post(PATH, body, token=frugal_api.world.test_token)
        assert_refused(test, 400, "insufficient_credits", "paymentMethod")


BAD = [
    *(("projectId", text, code) for text, code in (
        ("null", "invalid_project_id"), ('""', "invalid_project_id"), ("0", "invalid_project_id"),
        ("-1", "invalid_project_id"), ("-1e99", "invalid_project_id"),
        ("1.5", "invalid_integer"), ("true", "invalid_integer"), ('"2"', "invalid_integer"),
        ("[2]", "invalid_integer"), ("1e400", "invalid_integer"),
        ("7", "project_not_found"), ("2147483647", "project_not_found"),
        ("2147483648", "project_not_found"), (str(2**53), "invalid_integer"),
        ("30", "use_tree_orders"),
    )),
    *(("amountInUsdCents", text, code) for text, code in (
        ("null", "invalid_amount"), ('""', "invalid_amount"), ("99", "below_minimum"),
        ("0", "below_minimum"), ("-100", "below_minimum"), ("-1e99", "below_minimum"),
        ("100000000", "above_maximum"), ("1e99", "above_maximum"), ("100.5", "invalid_integer"),
        ("true", "invalid_integer"), ('"2500"', "invalid_integer"), ("{}", "invalid_integer"),
    )),
    ("maxAmountCharged", str(CENTS - 1), "price_above_maximum"),
    ("paymentMethod", '"bitcoin"', "invalid_choice"),
    ("dryRun", "1", "invalid_boolean"),
    ("note", '"a\\u202e"', "invalid_text"),
    ("metadata", '{"k": 5}', "invalid_metadata"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "text", "code"), BAD, ids=str)
def test_a_bad_field_is_named_alike_everywhere(
    frugal_api: Api, field: str, text: str, code: str
) -> None:
    values = {"projectId": "2", "amountInUsdCents": str(CENTS), "paymentMethod": '"credits"'}
    members = [f'"{name}":{value}' for name, value in (values | {field: text}).items()]
    body = ("{" + ",".join(members) + "}").encode()
    answers = [
        frugal_api.post(PATH, content=body, content_type=JSON, token=token)
        for token in (frugal_api.world.live_token, frugal_api.world.test_token)
    ]
    for answer in answers:
        assert_refused(answer, 400, code, field)
    assert answers[0].content == answers[1].content


def test_trees_are_ordered_by_number(frugal_api: Api) -> None:
    refused = frugal_api.post(PATH, TONNES | {"projectId": 30})
    told = assert_refused(refused, 400, "use_tree_orders", "projectId")["message"]
    assert "POST /api/tree-orders" in told


def test_a_project_that_is_closed_is_refused_and_a_retry_is_not(own_api: Api) -> None:
    api = own_api
    first = api.post(PATH, TONNES, key="k")
    assert first.status_code == 200
    change_catalogue(api.database_url, Rows(projects=(preset_project(2, is_open=False),)))
    wait_until(lambda: api.post(PATH, TONNES | {"dryRun": True}).status_code == 400)
    assert_refused(api.post(PATH, TONNES, key="another"), 400, "project_closed", "projectId")
    again = api.post(PATH, TONNES, key="k")
    assert (again.content, again.headers[REPLAYED]) == (first.content, "true")
    # Test mode sells the preset, whatever is sold.
    test = api.post(PATH, TONNES, token=api.world.test_token)
    assert test.status_code == 200


# ---------------------------------------------------------------------------------------- keys


@KINDS
def test_a_retry_is_answered_as_the_first_was(api: Api, order: dict[str, Any]) -> None:
    first = api.post(PATH, order, key="k")
    again = api.post(PATH, order | {"amountInUsdCents": 2500.0}, key="k")
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers[REPLAYED] == "true"
    for change in ({"projectId": 1}, {"amountInUsdCents": 2_501}, {"note": "x"}, {"projectId": 7}):
        other = api.post(PATH, order | change, key="k")
        assert_refused(other, 422, "idempotency_mismatch", "Idempotency-Key")
    assert api.balance() == LIVE_CENTS - CENTS


# ----------------------------------------------------------------------------------- test mode


@KINDS
def test_test_mode_answers_as_live_and_writes_nothing(api: Api, order: dict[str, Any]) -> None:
    live, token = placed(api, order), api.world.test_token
    (before,) = api.sql("select count(*) from orders.purchase")
    answer = api.post(PATH, order, token=token, key="k").json()
    assert list(answer) == [*live, "test"]
    assert answer["creditsRemaining"] == 100_000 - CENTS
    for name in ("impact", "project", "amountCharged", "currency"):
        assert answer.get(name) == live.get(name)
    for name in ("id", "purchaseId"):
        assert answer[name].startswith("test_po_")
    by_card = api.post(PATH, order | {"paymentMethod": None}, token=token).json()
    assert (by_card["amountCharged"], "creditsRemaining" in by_card) == (CENTS, False)
    assert api.sql("select count(*) from orders.purchase") == [before]

    shown = api.get(f"/api/orders/{answer['id']}", token).json()
    assert (shown["kind"], shown["state"], shown["test"]) == ("project", "paid", True)
    assert (shown["purchaseId"], shown["portfolioId"], shown["trees"]) == (answer["id"], None, 0)
    assert shown["projectId"] > 0
    assert shown["amountInUsdCents"] > 0


# ---------------------------------------------------------------------------------------- cards


def by_card(order: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The same order, paid by card."""
    return order | {"paymentMethod": "stripe"} | fields


@KINDS
def test_an_amount_by_card_is_charged_once_and_recorded(
    shop: CardShop, order: dict[str, Any]
) -> None:
    team = shop.team()
    first = shop.post(by_card(order), team, "k", path=PATH)
    body = first.json()
    assert body["id"].startswith("ch_")
    assert (body["amountCharged"], body["project"]["id"]) == (CENTS, order["projectId"])
    assert not {"paymentMethod", "creditsRemaining"} & set(body)
    again = shop.post(by_card(order), team, "k", path=PATH)
    assert (again.content, again.headers[REPLAYED]) == (first.content, "true")
    (charge,) = shop.charges()
    assert (charge["id"], charge["amount"]) == (body["id"], CENTS)
    shown = shop.get(f"/api/orders/{body['id']}", team).json()
    assert (shown["purchaseId"], shown["kind"]) == (body["purchaseId"], "project")
    (mass_mg,) = shop.sql("select certified_mg from ledger.wallet where account_id = %s", team.id)
    assert mass_mg == ((MASS_MG if order is TONNES else 0),)
    shop.agree(team)


@pytest.mark.parametrize(
    ("currency", "rate", "charged"),
    [
        # 25.00 × 149.1234 = 3728.085 yen.
        ("JPY", "149.1234", 3_729),
        # 25.00 × 0.9213 = 23.0325 euros.
        ("EUR", "0.9213", 2_304),
    ],
)
@KINDS
def test_the_charge_is_in_the_accounts_currency(
    shop: CardShop, order: dict[str, Any], currency: str, rate: str, charged: int
) -> None:
    shop.set_rate(currency, rate, date(2026, 11, 20))
    team = shop.team(currency=currency)
    wait_until(lambda: shop.post(by_card(order, dryRun=True), team, path=PATH).status_code == 200)
    body = shop.post(by_card(order, maxAmountCharged=charged), team, path=PATH).json()
    assert (body["amountCharged"], body["currency"]) == (charged, currency)
    assert body["amountInUsdCents"] == CENTS
    if order is TONNES:
        assert round(body["impact"]["tons"] * 10**9) == MASS_MG
    capped = shop.post(by_card(order, maxAmountCharged=charged - 1), team, path=PATH)
    assert_refused(capped, 400, "price_above_maximum", "maxAmountCharged")
    assert len(shop.charges()) == 1
    shop.agree(team)


@KINDS
def test_the_bounds_of_a_card(shop: CardShop, order: dict[str, Any]) -> None:
    team = shop.team()
    least = shop.post(by_card(order, amountInUsdCents=100), team, path=PATH).json()
    assert least["amountCharged"] == 100
    most = shop.post(by_card(order, amountInUsdCents=99_999_999), team, path=PATH).json()
    assert most["amountCharged"] == 99_999_999
    # A card in francs takes 99,999,999 of them, which is less than the most that can be asked for.
    shop.set_rate("XAF", "600", date(2026, 11, 20))
    african = shop.team(currency="XAF")
    dry = by_card(order, dryRun=True)
    wait_until(lambda: shop.post(dry, african, path=PATH).status_code == 200)
    over = shop.post(by_card(order, amountInUsdCents=99_999_999), african, path=PATH)
    assert_refused(over, 400, "above_maximum", "amountInUsdCents")
    shop.agree(team, african)


def test_a_charge_whose_answer_was_lost_is_settled(shop: CardShop) -> None:
    team = shop.team()
    shop.stripe.fault("reset", when="after", path="/v1/payment_intents", method="POST", count=1)
    shop.stripe.fault("500", when="before", path="/v1/payment_intents", method="GET", count=1)
    lost = shop.post(by_card(GIFT), team, "k", path=PATH)
    assert (lost.status_code, lost.json()["code"]) == (502, "payment_outcome_unknown")
    shop.settle_all()
    again = shop.post(by_card(GIFT), team, "k", path=PATH)
    assert (again.status_code, again.json()["project"]["id"]) == (200, 31)
    assert len(shop.charges()) == 1
    shop.agree(team)


def test_without_a_card_it_is_403(shop: CardShop) -> None:
    team = shop.team(card=None)
    refused = shop.post(by_card(GIFT), team, path=PATH)
    assert_refused(refused, 403, "no_payment_method", "paymentMethod")
    assert shop.sent() == []
