"""Orders paid by card, as a client sees them."""

import json
from datetime import date
from typing import Any

import pytest

from tests.support.cards import ORDER, ORDER_CENTS, PATH, CardShop
from tests.support.client import REPLAYED, assert_refused, certified_and_not
from tests.support.waiting import wait_until

DECLINED = "pm_card_visa_chargeDeclined"
NO_FUNDS = "pm_card_visa_chargeDeclinedInsufficientFunds"
ON_SETUP = "pm_card_authenticationRequiredOnSetup"
"""4000 0025 0000 3155."""
ALWAYS = "pm_card_authenticationRequired"


def test_a_card_order_is_answered_charged_and_listed(shop: CardShop) -> None:
    team = shop.team()
    answer = shop.order(team, "k", note="For the trip", metadata={"trip": "7"})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert list(body) == [
        "id", "dryRun", "amountCharged", "currency", "amountInUsdCents", "tons", "portfolio",
        "purchaseId", "certificateUrl",
    ]  # fmt: skip
    assert body["id"].startswith("ch_")
    assert body["dryRun"] is False
    assert (body["amountCharged"], body["currency"]) == (ORDER_CENTS, "USD")
    assert (body["amountInUsdCents"], body["tons"]) == (ORDER_CENTS, 0.45)
    assert sum(one["amountInUsdCents"] for one in body["portfolio"]["projects"]) == ORDER_CENTS

    (charge,) = shop.charges()
    assert (charge["id"], charge["amount"], charge["currency"]) == (body["id"], ORDER_CENTS, "usd")
    assert charge["metadata"] == {"subject": "purchase", "subject_id": body["purchaseId"]}

    (row,) = certified_and_not(shop.get(PATH, team).json())
    assert row["order_group_id"] == body["id"]
    assert (row["amount_paid_by_customer"], row["charge_currency"]) == (ORDER_CENTS, "USD")
    assert (row["payment_method"], row["note"]) == ("stripe", "For the trip")
    assert row["metadata"] == {"trip": "7"}
    shop.agree(team)


def test_it_is_found_by_its_purchase_and_by_its_charge(shop: CardShop) -> None:
    team, other = shop.team(), shop.team()
    body = shop.order(team).json()
    found = [
        shop.get(f"/api/orders/{name}", team).json() for name in (body["purchaseId"], body["id"])
    ]
    assert found[0] == found[1]
    assert (found[0]["orderGroupId"], found[0]["state"]) == (body["id"], "paid")
    assert (found[0]["paymentMethod"], found[0]["amountCharged"]) == ("stripe", ORDER_CENTS)
    assert found[0]["certificateUrl"] == body["certificateUrl"]
    for name in (body["purchaseId"], body["id"]):
        assert_refused(shop.get(f"/api/orders/{name}", other), 404, "order_not_found")
    rows = certified_and_not(shop.get(PATH, team, order_group_id=body["id"]).json())
    assert [row["order_group_id"] for row in rows] == [body["id"]]


def test_the_same_request_gets_the_same_bytes_and_one_charge(shop: CardShop) -> None:
    team = shop.team()
    first = shop.order(team, "k")
    again = [shop.order(team, "k") for _ in range(2)]
    assert {one.content for one in again} == {first.content}
    assert REPLAYED not in first.headers
    assert all(one.headers[REPLAYED] == "true" for one in again)
    assert_refused(shop.order(team, "k", tons=0.46), 422, "idempotency_mismatch", "Idempotency-Key")
    assert len(shop.charges()) == 1
    shop.agree(team)


def test_totals_and_rank_move(shop: CardShop) -> None:
    team = shop.team()
    for _ in range(2):
        assert shop.order(team, tons=1.5).status_code == 200
    stats = shop.get(PATH, team).json()["stats"]
    assert stats["totalTons"] == 3
    assert shop.sql("select certified_mg from ledger.wallet where account_id = %s", team.id) == [
        (3_000_000_000,)
    ]
    shop.agree(team)


def test_a_portfolio_is_split_as_on_credits(shop: CardShop) -> None:
    team = shop.team()
    body = shop.order(team, portfolioId=None, tons=1.23).json()
    projects = body["portfolio"]["projects"]
    assert len(projects) > 3
    assert sum(one["amountInUsdCents"] for one in projects) == body["amountInUsdCents"]
    assert round(sum(one["tons"] for one in projects), 9) == 1.23
    rows = certified_and_not(shop.get(PATH, team).json())
    assert sum(row["amount_paid_by_customer"] for row in rows) == body["amountInUsdCents"]
    shop.agree(team)


@pytest.mark.parametrize(
    ("tons", "code"), [(0.0633, "below_minimum"), (64_000, "above_maximum")], ids=str
)
def test_a_charge_out_of_bounds_is_refused_and_nothing_sent(
    shop: CardShop, tons: float, code: str
) -> None:
    team = shop.team()
    refused = assert_refused(shop.order(team, "k", tons=tons), 400, code, "tons")
    assert code == "above_maximum" or "0.063339732 or more" in refused["message"]
    assert shop.sent() == []
    first = shop.order(team, "k")
    assert (first.status_code, REPLAYED in first.headers) == (200, False)


def test_the_smallest_mass_that_is_named_is_taken(shop: CardShop) -> None:
    team = shop.team()
    # 99 cents buy at most 0.99 ÷ 15.63 t, so the first milligram after that costs a dollar.
    body = shop.order(team, tons=0.063339732).json()
    assert body["amountCharged"] == 100
    assert shop.order(team, tons=0.063339731).status_code == 400


def test_without_a_card_it_is_403_and_nothing_is_recorded(shop: CardShop) -> None:
    team = shop.team(card=None)
    assert_refused(shop.order(team, "k"), 403, "no_payment_method", "paymentMethod")
    assert shop.sql("select 1 from orders.purchase where account_id = %s", team.id) == []
    dry = shop.order(team, dryRun=True)
    assert (dry.status_code, dry.json()["id"]) == (200, None)
    shop.give_card(team, "pm_card_visa")
    assert shop.order(team, "k").status_code == 200


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (DECLINED, "generic decline"),
        (NO_FUNDS, "insufficient funds"),
        (ON_SETUP, "authentication required"),
        (ALWAYS, "authentication required"),
    ],
)
def test_a_declined_card_fails_the_order_for_good(shop: CardShop, card: str, reason: str) -> None:
    team = shop.team(card)
    first = shop.order(team, "k")
    refused = assert_refused(first, 400, "card_declined", "paymentMethod")
    assert reason in refused["message"]
    assert REPLAYED not in first.headers

    (intent,) = shop.stripe.truth("payment_intents")
    assert intent["status"] == "canceled"
    assert shop.charges() == []
    assert certified_and_not(shop.get(PATH, team).json()) == []

    # What was answered stays, whatever card is on file by now; a new key is a new order.
    shop.give_card(team, "pm_card_visa")
    again = shop.order(team, "k")
    assert (again.status_code, again.content) == (400, first.content)
    assert again.headers[REPLAYED] == "true"
    assert shop.order(team, "another").status_code == 200
    assert len(shop.charges()) == 1
    shop.agree(team)


def test_without_a_key_each_request_is_an_order(shop: CardShop) -> None:
    team = shop.team()
    assert len({shop.order(team).json()["id"] for _ in range(3)}) == 3
    assert len(shop.charges()) == 3
    shop.agree(team)


@pytest.mark.parametrize(
    ("currency", "rate", "charged"),
    [
        # 7.04 × 149.1234 = 1049.828736 yen, up to the whole yen.
        ("JPY", "149.1234", 1050),
        # 7.04 × 0.3071 = 2.161984 dinars = 2161.984 fils, up to a multiple of ten.
        ("KWD", "0.3071", 2170),
        # 7.04 × 137.25 = 966.24 krónur, up to the whole króna, written with two decimals.
        ("ISK", "137.25", 96_700),
        # 7.04 × 0.9213 = 6.485952 euros = 648.5952 cents.
        ("EUR", "0.9213", 649),
    ],
)
def test_the_charge_is_in_the_accounts_currency(
    shop: CardShop, currency: str, rate: str, charged: int
) -> None:
    rate_on = date(2026, 11, 20)
    shop.set_rate(currency, rate, rate_on)
    team = shop.team(currency=currency)
    wait_until(lambda: shop.order(team, dryRun=True).status_code == 200)
    dry = shop.order(team, dryRun=True).json()
    body = shop.order(team, "k").json()
    for one in (dry, body):
        assert (one["amountCharged"], one["currency"]) == (charged, currency)
        assert one["amountInUsdCents"] == ORDER_CENTS
    (charge,) = shop.charges()
    assert (charge["amount"], charge["currency"]) == (charged, currency.lower())
    stored = shop.sql(
        "select trim_scale(rate)::text, rate_on, charge_minor, currency from orders.purchase"
        " where account_id = %s", team.id
    )  # fmt: skip
    assert stored == [(rate, rate_on, charged, currency)]
    (row,) = certified_and_not(shop.get(PATH, team).json())
    assert (row["amount_paid_by_customer"], row["charge_currency"]) == (ORDER_CENTS, currency)
    shop.agree(team)


def test_a_cap_is_in_the_charges_own_unit(shop: CardShop) -> None:
    shop.set_rate("JPY", "149.1234", date(2026, 11, 20))
    team = shop.team(currency="JPY")
    wait_until(lambda: shop.order(team, dryRun=True).status_code == 200)
    dearer = shop.order(team, maxAmountCharged=1049)
    assert_refused(dearer, 400, "price_above_maximum", "maxAmountCharged")
    assert shop.order(team, maxAmountCharged=1050).status_code == 200


def test_a_currency_without_a_rate_says_so(shop: CardShop) -> None:
    team = shop.team(currency="XPF")
    assert_refused(shop.order(team), 400, "no_exchange_rate", "paymentMethod")
    assert shop.sent() == []


def test_what_is_sent_names_ids_and_no_person(shop: CardShop) -> None:
    team = shop.team()
    person: dict[str, Any] = {
        "note": "Private words", "onBehalfOfName": "Grace", "onBehalfOfEmail": "g@tests.example",
        "metadata": {"secret": "seven"},
    }  # fmt: skip
    shop.order(team, "client-key", **person)
    (sent,) = shop.sent()
    said = json.dumps(sent)
    for word in ("Private", "Grace", "g@tests", "seven", "client-key"):
        assert word not in said
    assert sent["params"]["off_session"] == "true"
    assert ORDER["portfolioId"] == 2
