"""`POST /api/tree-orders/preview`: what trees would cost, in dollars and in the account's money."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.support.cards import CardShop
from tests.support.client import Api, assert_refused
from tests.support.waiting import wait_until

PATH = "/api/tree-orders/preview"
ORDERS = "/api/tree-orders"
FIELDS = ["amountOfTrees", "priceInUSD", "priceInUserCurrency", "currency"]


def count_purchases(api: Api) -> int:
    """How many orders there are in the books."""
    ((count,),) = api.sql("select count(*) from orders.purchase")
    return int(count)


@pytest.mark.parametrize(
    ("trees", "price"),
    [(1, b"1.2"), (5, b"6"), (10, b"12"), (12_345, b"14814"), (10_000_000, b"12000000")],
)
def test_prices_are_exact_numbers_in_whole_units(calm_api: Api, trees: int, price: bytes) -> None:
    answer = calm_api.post(PATH, {"amountOfTrees": trees})
    assert answer.status_code == 200
    assert answer.content == (
        b'{"amountOfTrees":%d,"priceInUSD":%b,"priceInUserCurrency":%b,"currency":"USD"}'
        % (trees, price, price)
    )


def test_a_form_and_a_test_token_get_the_same(calm_api: Api) -> None:
    live = calm_api.post(PATH, form={"amountOfTrees": "5"})
    assert (live.status_code, list(live.json())) == (200, FIELDS)
    test = calm_api.post(PATH, {"amountOfTrees": 5}, token=calm_api.world.test_token)
    assert test.json() == live.json() | {"test": True}
    assert list(test.json()) == [*FIELDS, "test"]


def test_it_is_no_write(calm_api: Api) -> None:
    before = count_purchases(calm_api), calm_api.balance()
    world = calm_api.world
    for token in (world.bare_token, world.personal_token, world.poor_token, world.live_token):
        answer = calm_api.post(PATH, {"amountOfTrees": 5}, token=token, key="k")
        assert (answer.status_code, answer.json()["priceInUSD"]) == (200, 6)
        assert "idempotency-replayed" not in answer.headers
    assert (count_purchases(calm_api), calm_api.balance()) == before
    assert_refused(calm_api.post(PATH, {"amountOfTrees": 5}, token=""), 403, "token_missing")
    for key in ("", "k" * 256):
        refused = calm_api.post(PATH, {"amountOfTrees": 5}, key=key)
        assert_refused(refused, 400, "invalid_idempotency_key", "Idempotency-Key")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_amount_of_trees"),
        ({"amountOfTrees": None}, "invalid_amount_of_trees"),
        ({"amountOfTrees": 0}, "invalid_amount_of_trees"),
        ({"amountOfTrees": -5}, "invalid_amount_of_trees"),
        ({"amountOfTrees": 10_000_001}, "invalid_amount_of_trees"),
        ({"amountOfTrees": 1.5}, "invalid_integer"),
        ({"amountOfTrees": True}, "invalid_integer"),
        ({"amountOfTrees": "5"}, "invalid_integer"),
        ({"amountOfTrees": [5]}, "invalid_integer"),
    ],
    ids=str,
)
def test_a_bad_number_is_refused_as_an_order_refuses_it(
    calm_api: Api, body: dict[str, Any], code: str
) -> None:
    for token in (calm_api.world.live_token, calm_api.world.test_token):
        refused = calm_api.post(PATH, body, token=token)
        assert_refused(refused, 400, code, "amountOfTrees")
        ordered = calm_api.post(ORDERS, body | {"paymentMethod": "credits"}, token=token)
        assert ordered.content == refused.content


def test_what_an_order_says_besides_is_ignored(calm_api: Api) -> None:
    body = {"amountOfTrees": 5, "paymentMethod": "bitcoin", "dryRun": 7, "note": 5}
    assert calm_api.post(PATH, body).json()["priceInUSD"] == 6


@pytest.mark.parametrize(
    ("currency", "rate", "price"),
    [
        # 6.00 × 149.1234 = 894.7404 yen, up to the whole yen.
        ("JPY", "149.1234", "895"),
        # 6.00 × 0.9213 = 5.5278 euros.
        ("EUR", "0.9213", "5.53"),
        # 6.00 × 0.3071 = 1.8426 dinars, up to a hundredth.
        ("KWD", "0.3071", "1.85"),
        # 6.00 × 137.25 = 823.5 krónur, up to the whole króna.
        ("ISK", "137.25", "824"),
    ],
)
def test_the_price_is_what_an_order_charges(
    shop: CardShop, currency: str, rate: str, price: str
) -> None:
    shop.set_rate(currency, rate, date(2026, 11, 20))
    team = shop.team(currency=currency)
    wait_until(lambda: shop.post({"amountOfTrees": 5}, team, path=PATH).status_code == 200)
    body = shop.post({"amountOfTrees": 5}, team, path=PATH).json()
    assert body == {
        "amountOfTrees": 5,
        "priceInUSD": 6,
        "priceInUserCurrency": float(price),
        "currency": currency,
    }
    ordered = shop.post({"amountOfTrees": 5}, team, path=ORDERS).json()
    decimals = {"JPY": 0, "KWD": 3}.get(currency, 2)
    assert Decimal(ordered["amountCharged"]).scaleb(-decimals) == Decimal(price)
    assert ordered["amountInUsdCents"] == body["priceInUSD"] * 100
    shop.agree(team)


def test_a_currency_without_a_rate_says_so(shop: CardShop) -> None:
    refused = shop.post({"amountOfTrees": 5}, shop.team(currency="XPF"), path=PATH)
    assert (refused.status_code, refused.json()["code"]) == (400, "no_exchange_rate")
    assert "operator" in refused.json()["message"]


def test_no_bound_of_a_card_is_held_against_it(shop: CardShop) -> None:
    body = shop.post({"amountOfTrees": 10_000_000}, shop.team(), path=PATH).json()
    assert body["priceInUserCurrency"] == 12_000_000
