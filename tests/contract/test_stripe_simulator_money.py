"""What the simulator's cards, charges, fees, refunds and disputes do to a balance, to the cent."""

import json
from typing import Any

import pytest
import stripe

from tests.support.stripe_objects import new_customer, pay, until
from tests.support.stripe_simulator import StripeSimulator


@pytest.mark.parametrize(
    ("token", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_chargeCustomerFail", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_authenticationRequiredOnSetup", "authentication_required",
         "authentication_required"),
        ("pm_card_authenticationRequired", "authentication_required", "authentication_required"),
    ],
)  # fmt: skip
def test_a_declined_card(
    sim: StripeSimulator, sdk: stripe.StripeClient, token: str, code: str, decline_code: str
) -> None:
    """402 with the intent inside; the failed charge stays; the intent takes another card."""
    customer = new_customer(sdk, token)
    with pytest.raises(stripe.CardError) as caught:
        pay(sdk, customer)
    error = caught.value.error
    assert error is not None
    assert error.payment_intent is not None
    assert (caught.value.http_status, error.type) == (402, "card_error")
    assert (error.code, error.decline_code) == (code, decline_code)
    intent = sdk.v1.payment_intents.retrieve(error.payment_intent.id, {"expand": ["latest_charge"]})
    assert intent.status == "requires_payment_method"
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.decline_code == decline_code
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert (intent.latest_charge.paid, intent.latest_charge.status) == (False, "failed")
    assert sim.truth("balance_transactions") == []
    again = sdk.v1.payment_intents.confirm(
        intent.id, {"payment_method": "pm_card_visa", "off_session": True}
    )
    assert (again.status, again.amount_received) == ("succeeded", 1_000)
    assert [charge["paid"] for charge in sim.truth("charges")] == [False, True]


@pytest.mark.parametrize(
    ("number", "brand", "last4"),
    [
        ("4242424242424242", "visa", "4242"),
        ("5555 5555 5555 4444", "mastercard", "4444"),
        ("4000000000000002", "visa", "0002"),
    ],
)
def test_a_card_by_its_number(
    sdk: stripe.StripeClient, number: str, brand: str, last4: str
) -> None:
    """A test number makes a payment method, from which no number comes back."""
    card: Any = {"number": number, "exp_month": 12, "exp_year": 34, "cvc": "123"}
    method = sdk.v1.payment_methods.create({"type": "card", "card": card})
    assert method.card is not None
    assert (method.card.brand, method.card.last4, method.card.exp_year) == (brand, last4, 2034)
    assert number.replace(" ", "") not in json.dumps(method.to_dict())


@pytest.mark.parametrize(
    ("number", "code"),
    [("4242424242424241", "incorrect_number"), ("4111111111111111", "card_declined")],
)
def test_a_number_of_no_test_card(
    sim: StripeSimulator, sdk: stripe.StripeClient, number: str, code: str
) -> None:
    """It is refused, and stands in no log."""
    card: Any = {"number": number, "exp_month": 12, "exp_year": 34, "cvc": "987"}
    with pytest.raises(stripe.CardError) as caught:
        sdk.v1.payment_methods.create({"type": "card", "card": card})
    assert caught.value.code == code
    assert number not in sim.http.get("/_control/requests").text


def test_a_card_that_has_expired(sdk: stripe.StripeClient) -> None:
    """The simulator's clock decides."""
    card: Any = {"number": "4242424242424242", "exp_month": 1, "exp_year": 2020}
    with pytest.raises(stripe.CardError, match="expiration year"):
        sdk.v1.payment_methods.create({"type": "card", "card": card})


@pytest.mark.parametrize(
    ("currency", "amount", "code"),
    [
        ("usd", 49, "amount_too_small"),
        ("usd", 50, None),
        ("usd", 99_999_999, None),
        ("usd", 100_000_000, "amount_too_large"),
        ("usd", 0, "parameter_invalid_integer"),
        ("usd", -5, "parameter_invalid_integer"),
        ("jpy", 49, "amount_too_small"),
        ("jpy", 50, None),
        ("kwd", 1_230, None),
        ("kwd", 1_234, "parameter_invalid_integer"),
        ("isk", 1_200, None),
        ("isk", 1_250, "parameter_invalid_integer"),
        ("gbp", 30, None),
    ],
)
def test_what_may_be_charged(
    sim: StripeSimulator, sdk: stripe.StripeClient, currency: str, amount: int, code: str | None
) -> None:
    """Minimum, maximum and steps; a refused amount leaves nothing behind."""
    customer = new_customer(sdk)
    if code is None:
        assert pay(sdk, customer, amount, currency).amount_received == amount
        return
    with pytest.raises(stripe.InvalidRequestError) as caught:
        pay(sdk, customer, amount, currency)
    assert (caught.value.http_status, caught.value.code) == (400, code)
    assert caught.value.param == "amount"
    assert sim.truth("payment_intents") == []


def test_fees_by_hand(sim: StripeSimulator, sdk: stripe.StripeClient) -> None:
    """2.9 % and 30 cents; a refund costs no fee and brings none back."""
    customer = new_customer(sdk)
    intent = pay(sdk, customer, 10_000, capture_method="automatic")
    refund = sdk.v1.refunds.create({"charge": str(intent.latest_charge), "amount": 2_500})
    rows = [
        (row["type"], row["amount"], row["fee"], row["net"], row["source"])
        for row in sim.truth("balance_transactions")
    ]
    assert rows == [
        ("charge", 10_000, 320, 9_680, intent.latest_charge),
        ("refund", -2_500, 0, -2_500, refund.id),
    ]
    assert sdk.v1.balance.retrieve().available[0].amount == 7_180


def test_a_currency_that_settles_in_dollars(sim: StripeSimulator, sdk: stripe.StripeClient) -> None:
    """The balance transaction is in dollars, with the rate."""
    sim.post("settings", usd_per_unit={"eur": "1.0850"})
    intent = pay(sdk, new_customer(sdk), 10_000, "eur", capture_method="automatic")
    charge = sdk.v1.charges.retrieve(str(intent.latest_charge), {"expand": ["balance_transaction"]})
    row = charge.balance_transaction
    assert isinstance(row, stripe.BalanceTransaction)
    assert (row.currency, row.amount, row.fee, row.net) == ("usd", 10_850, 347, 10_503)
    assert row.exchange_rate == 1.085


def test_the_balance_transaction_comes_a_moment_later(
    sim: StripeSimulator, sdk: stripe.StripeClient
) -> None:
    """As in the current API, unless it is asked for at once."""
    sim.post("settings", settle_delay_s=60)
    intent = pay(sdk, new_customer(sdk))
    charge = sdk.v1.charges.retrieve(str(intent.latest_charge))
    assert charge.balance_transaction is None
    sim.advance(60)
    charge = until(lambda: sdk.v1.charges.retrieve(charge.id), lambda it: it.balance_transaction)
    assert [row["source"] for row in sim.truth("balance_transactions")] == [charge.id]
    assert sdk.v1.events.list({"limit": 1}).data[0].type == "charge.updated"


def test_refunds_never_exceed_the_charge(sim: StripeSimulator, sdk: stripe.StripeClient) -> None:
    """Parts, then too much, then the rest, then nothing is left."""
    intent = pay(sdk, new_customer(sdk))
    sdk.v1.refunds.create({"payment_intent": intent.id, "amount": 400})
    with pytest.raises(
        stripe.InvalidRequestError, match="greater than unrefunded amount"
    ) as caught:
        sdk.v1.refunds.create({"payment_intent": intent.id, "amount": 601})
    assert caught.value.param == "amount"
    assert sdk.v1.refunds.create({"charge": str(intent.latest_charge)}).amount == 600
    with pytest.raises(stripe.InvalidRequestError) as caught:
        sdk.v1.refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_already_refunded"
    (charge,) = sim.truth("charges")
    assert (charge["amount_refunded"], charge["refunded"]) == (1_000, True)
    assert [row["amount"] for row in sim.truth("refunds")] == [400, 600]
    listed = sdk.v1.charges.retrieve(charge["id"], {"expand": ["refunds"]}).refunds
    assert listed is not None
    assert [refund.amount for refund in listed.data] == [600, 400]


def test_a_refund_that_fails_later(sim: StripeSimulator, sdk: stripe.StripeClient) -> None:
    """The money is with us again, and the charge is unrefunded."""
    intent = pay(sdk, new_customer(sdk, "pm_card_refundFail"))
    refund = sdk.v1.refunds.create({"payment_intent": intent.id})
    assert refund.status == "succeeded"
    sim.advance(2)
    failed = until(lambda: sdk.v1.refunds.retrieve(refund.id), lambda it: it.status == "failed")
    assert failed.failure_reason == "unknown"
    assert sdk.v1.charges.retrieve(str(intent.latest_charge)).amount_refunded == 0
    assert sum(row["amount"] for row in sim.truth("balance_transactions")) == 1_000


@pytest.mark.parametrize(("outcome", "left"), [("won", -1_500), ("lost", -2_500)])
def test_a_dispute(sim: StripeSimulator, sdk: stripe.StripeClient, outcome: str, left: int) -> None:
    """It takes the amount and a fee; won, the amount comes back."""
    intent = pay(sdk, new_customer(sdk), capture_method="automatic")
    charge = str(intent.latest_charge)
    opened = sim.post("dispute", charge=charge)
    assert (opened["status"], opened["amount"]) == ("needs_response", 1_000)
    assert sdk.v1.charges.retrieve(charge).disputed
    with pytest.raises(stripe.InvalidRequestError) as caught:
        sdk.v1.refunds.create({"charge": charge})
    assert caught.value.code == "charge_disputed"
    assert sim.post("dispute", charge=charge, outcome=outcome)["status"] == outcome
    (dispute,) = sdk.v1.disputes.list({"charge": charge}).data
    assert dispute.status == outcome
    rows = sim.truth("balance_transactions")
    assert sum(row["net"] for row in rows if row["type"] == "adjustment") == left
    types = [event.type for event in sdk.v1.events.list({"types": ["charge.dispute.*"]}).data]
    closing = ["charge.dispute.closed"]
    if outcome == "won":
        closing = ["charge.dispute.funds_reinstated", *closing]
    assert types == [*closing, "charge.dispute.funds_withdrawn", "charge.dispute.created"]


def test_the_card_that_is_disputed_later(sim: StripeSimulator, sdk: stripe.StripeClient) -> None:
    """After the set delay of the simulator's clock, and not before."""
    sim.post("settings", dispute_delay_s=3_600)
    intent = pay(sdk, new_customer(sdk, "pm_card_createDispute"))
    assert sim.truth("disputes") == []
    sim.advance(3_600)
    (dispute,) = until(lambda: sim.truth("disputes"), bool)
    assert dispute["charge"] == intent.latest_charge


def test_transfers_need_funds(sim: StripeSimulator, sdk: stripe.StripeClient) -> None:
    """What is available can be sent, once; a reversal brings it back."""
    account = sdk.v1.accounts.create({"type": "express", "email": "partner@example.com"})
    wish: Any = {"amount": 700, "currency": "usd", "destination": account.id}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        sdk.v1.transfers.create(wish)
    assert caught.value.code == "balance_insufficient"
    sim.post("balance", amount=1_000, currency="usd")
    grouped: Any = {**wish, "transfer_group": "2026-01"}
    transfer = sdk.v1.transfers.create(grouped)
    with pytest.raises(stripe.InvalidRequestError):
        sdk.v1.transfers.create(wish)
    assert [one.id for one in sdk.v1.transfers.list({"transfer_group": "2026-01"}).data] == [
        transfer.id
    ]
    sdk.v1.transfers.reversals.create(transfer.id, {"amount": 200})
    assert sdk.v1.transfers.retrieve(transfer.id).amount_reversed == 200
    assert sdk.v1.balance.retrieve().available[0].amount == 500
    assert [row["amount"] for row in sim.truth("transfers")] == [700]
