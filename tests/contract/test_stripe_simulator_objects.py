"""The simulator's objects and lists, driven through the official SDK over HTTP."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.support.stripe_simulator import StripeSimulator, running_stripe

# Public samples of Stripe's own objects, from the fixtures of its OpenAPI repository (MIT).
SAMPLES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "stripe_samples.json").read_text()
)
NO_SUCH = "No such"
_OPEN = {("event", "data"), ("refund", "destination_details")}


@pytest.fixture(scope="module")
def running() -> Iterator[StripeSimulator]:
    """One simulator for the module."""
    with running_stripe() as simulator:
        yield simulator


@pytest.fixture
def sim(running: StripeSimulator) -> StripeSimulator:
    """The simulator without a memory of other tests."""
    running.reset()
    return running


@pytest.fixture
def sdk(sim: StripeSimulator) -> stripe.StripeClient:
    """The official SDK."""
    return sim.client()


def new_customer(sdk: stripe.StripeClient, card: str = "pm_card_visa") -> stripe.Customer:
    """A customer with a card that is used by default."""
    customer = sdk.v1.customers.create({"name": "Ada", "metadata": {"team": "7"}})
    method = sdk.v1.payment_methods.attach(card, {"customer": customer.id})
    return sdk.v1.customers.update(
        customer.id, {"invoice_settings": {"default_payment_method": method.id}}
    )


def pay(
    sdk: stripe.StripeClient,
    customer: stripe.Customer,
    amount: int = 1_000,
    currency: str = "usd",
    **more: Any,
) -> stripe.PaymentIntent:
    """Charge the customer's default card as the product does."""
    params: Any = {
        "amount": amount,
        "currency": currency,
        "customer": customer.id,
        "payment_method": str(default_method(customer)),
        "confirm": True,
        "off_session": True,
        **more,
    }
    return sdk.v1.payment_intents.create(params)


def default_method(customer: stripe.Customer) -> str:
    """The id of the customer's default card."""
    assert customer.invoice_settings is not None
    return str(customer.invoice_settings.default_payment_method)


def one_of_each(sim: StripeSimulator) -> dict[str, Any]:
    """The JSON of an object of every kind, as the API gives it."""
    sdk = sim.client()
    customer = new_customer(sdk)
    intent = pay(sdk, customer, 5_000, capture_method="automatic")
    refund = sdk.v1.refunds.create({"payment_intent": intent.id, "amount": 1_000})
    account = sdk.v1.accounts.create({"type": "express", "country": "US"})
    transfer = sdk.v1.transfers.create(
        {"amount": 1_100, "currency": "usd", "destination": account.id}
    )
    charge = str(intent.latest_charge)
    other = pay(sdk, customer)
    dispute = sim.post("dispute", charge=other.latest_charge)
    return {
        "customer": sdk.v1.customers.retrieve(customer.id),
        "payment_method": sdk.v1.payment_methods.retrieve(default_method(customer)),
        "setup_intent": sdk.v1.setup_intents.create({"customer": customer.id}),
        "payment_intent": sdk.v1.payment_intents.retrieve(intent.id),
        "charge": sdk.v1.charges.retrieve(charge),
        "refund": sdk.v1.refunds.retrieve(refund.id),
        "dispute": sdk.v1.disputes.retrieve(dispute["id"]),
        "balance_transaction": sdk.v1.balance_transactions.list().data[0],
        "transfer": sdk.v1.transfers.retrieve(transfer.id),
        "account": sdk.v1.accounts.retrieve(account.id),
        "event": sdk.v1.events.list().data[0],
        "webhook_endpoint": sdk.v1.webhook_endpoints.create(
            {"url": "http://127.0.0.1:1/", "enabled_events": ["charge.failed"]}
        ),
        "balance": sdk.v1.balance.retrieve(),
        "checkout.session": sdk.v1.checkout.sessions.create(
            {
                "mode": "setup",
                "customer": customer.id,
                "currency": "usd",
                "success_url": "http://127.0.0.1:1/",
            }
        ),
    }


def missing_fields(sample: Any, ours: Any, at: str) -> Iterator[str]:
    """The fields of the sample that ours lacks, at every level where both are objects."""
    if not (isinstance(sample, dict) and isinstance(ours, dict)):
        return
    for name, value in sample.items():
        if name not in ours:
            yield f"{at}.{name}"
        # What these hold differs with what happened.
        elif name != "metadata" and (at, name) not in _OPEN:
            yield from missing_fields(value, ours[name], f"{at}.{name}")


def test_objects_carry_every_field_of_stripes_own(sim: StripeSimulator) -> None:
    """Top to bottom, for every kind that there is a sample of."""
    ours = one_of_each(sim)
    assert ours.keys() == SAMPLES.keys()
    lacking = [
        field
        for kind, sample in SAMPLES.items()
        for field in missing_fields(sample, ours[kind].to_dict(), kind)
    ]
    assert lacking == []


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


def until(read: Callable[[], Any], holds: Callable[[Any], Any]) -> Any:
    """What `read` gives once it holds; fails after some seconds."""
    deadline = time.monotonic() + 5
    while not holds(found := read()):
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    return found


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


def test_lists_are_exact_and_page_both_ways(sdk: stripe.StripeClient) -> None:
    """Newest first, by customer; each once, by the SDK's own paging too."""
    customer, other = new_customer(sdk), new_customer(sdk)
    ids = [pay(sdk, customer, 100 + n).id for n in range(7)][::-1]
    pay(sdk, other)
    first = sdk.v1.payment_intents.list({"customer": customer.id, "limit": 3})
    assert ([one.id for one in first.data], first.has_more) == (ids[:3], True)
    after = sdk.v1.payment_intents.list(
        {"customer": customer.id, "limit": 4, "starting_after": ids[2]}
    )
    assert ([one.id for one in after.data], after.has_more) == (ids[3:], False)
    before = sdk.v1.payment_intents.list(
        {"customer": customer.id, "limit": 2, "ending_before": ids[3]}
    )
    assert ([one.id for one in before.data], before.has_more) == (ids[1:3], True)
    walked = sdk.v1.payment_intents.list({"customer": customer.id, "limit": 2})
    assert [one.id for one in walked.auto_paging_iter()] == ids
    charges = sdk.v1.charges.list({"payment_intent": ids[0]}).data
    assert [charge.payment_intent for charge in charges] == [ids[0]]


def test_lists_by_time(sim: StripeSimulator, sdk: stripe.StripeClient) -> None:
    """`created` with each of its bounds, and as a moment."""
    customer = new_customer(sdk)
    start = int(sim.get("clock")["now_s"]) + 1_000
    for n in range(3):
        sim.post("clock", now_s=start + 10 * n + 0.5)
        pay(sdk, customer, 100 + n)
    wanted: dict[Any, list[int]] = {
        "gt": [102], "gte": [102, 101], "lt": [100], "lte": [101, 100]
    }  # fmt: skip
    for bound, amounts in wanted.items():
        created: Any = {bound: start + 10}
        found = sdk.v1.payment_intents.list({"customer": customer.id, "created": created})
        assert [one.amount for one in found.data] == amounts, bound
    assert [one.amount for one in sdk.v1.payment_intents.list({"created": start}).data] == [100]


def test_search_lags_behind_the_list(sim: StripeSimulator, sdk: stripe.StripeClient) -> None:
    """A fresh intent is listed at once and found only later, as it was then."""
    sim.post("search_lag", s=60)
    intent = pay(sdk, new_customer(sdk), metadata={"order": "o-1"})
    query = 'metadata["order"]:"o-1" AND status:"succeeded"'
    assert sdk.v1.payment_intents.search({"query": query}).data == []
    assert len(sdk.v1.payment_intents.list().data) == 1
    sim.advance(61)
    sdk.v1.payment_intents.update(intent.id, {"metadata": {"order": "o-2"}})
    assert [one.id for one in sdk.v1.payment_intents.search({"query": query}).data] == [intent.id]
    sim.advance(61)
    assert sdk.v1.payment_intents.search({"query": query}).data == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("amount>150", [200, 300]),
        ("amount>=200 AND amount<300", [200]),
        ("amount:100 OR amount:300", [100, 300]),
        ('-metadata["n"]:"100"', [200, 300]),
        ('metadata["absent"]:null amount<300', [100, 200]),
        ("currency:'usd'", [100, 200, 300]),
        ('metadata["n"]~"0"', [100, 200, 300]),
        ("amount:100 OR amount:200 AND amount:300", None),
        ("colour:'red'", None),
        ("amount", None),
    ],
)
def test_search_queries(
    sim: StripeSimulator, sdk: stripe.StripeClient, query: str, found: list[int] | None
) -> None:
    """Stripe's query language, and 400 for what it is not."""
    sim.post("search_lag", s=0)
    customer = new_customer(sdk)
    for amount in (100, 200, 300):
        pay(sdk, customer, amount, metadata={"n": str(amount)})
    if found is None:
        with pytest.raises(stripe.InvalidRequestError):
            sdk.v1.payment_intents.search({"query": query})
    else:
        data = sdk.v1.payment_intents.search({"query": query}).data
        assert sorted(one.amount for one in data) == found


def test_metadata_is_merged(sdk: stripe.StripeClient) -> None:
    """An empty value removes a key, an empty whole all of them; there are limits."""
    customer = sdk.v1.customers.create({"metadata": {"a": "1", "b": "2"}})
    changed = sdk.v1.customers.update(customer.id, {"metadata": {"b": "", "0": "zero"}})
    assert changed.to_dict()["metadata"] == {"a": "1", "0": "zero"}
    for metadata in ({"k" * 41: "v"}, {"k": "v" * 501}, {f"k{n}": "v" for n in range(51)}):
        with pytest.raises(stripe.InvalidRequestError):
            sdk.v1.customers.update(customer.id, {"metadata": metadata})
    emptied = sdk.v1.customers.update(customer.id, {"metadata": ""})
    assert emptied.to_dict()["metadata"] == {}


def test_attach_and_detach(sdk: stripe.StripeClient) -> None:
    """A card is one customer's; detached, it is nobody's default."""
    customer, other = new_customer(sdk), sdk.v1.customers.create({})
    (method,) = sdk.v1.customers.payment_methods.list(customer.id).data
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        sdk.v1.payment_methods.attach(method.id, {"customer": other.id})
    with pytest.raises(stripe.InvalidRequestError, match="belongs to a Customer"):
        pay(sdk, other, payment_method=method.id)
    sdk.v1.payment_methods.detach(method.id)
    assert sdk.v1.payment_methods.list({"customer": customer.id, "type": "card"}).data == []
    settings = sdk.v1.customers.retrieve(customer.id).invoice_settings
    assert settings is not None
    assert settings.default_payment_method is None


def test_a_deleted_customer(sdk: stripe.StripeClient) -> None:
    """It is answered as deleted, not listed, and cannot be charged."""
    customer = new_customer(sdk)
    assert sdk.v1.customers.delete(customer.id).deleted
    assert sdk.v1.customers.retrieve(customer.id).deleted
    assert sdk.v1.customers.list().data == []
    with pytest.raises(stripe.InvalidRequestError, match=NO_SUCH) as caught:
        pay(sdk, customer)
    assert (caught.value.code, caught.value.param) == ("resource_missing", "customer")


def test_setup_intents_and_authentication(sim: StripeSimulator, sdk: stripe.StripeClient) -> None:
    """A card set up with authentication can be charged off-session; without, it cannot."""
    customer = sdk.v1.customers.create({})
    setup = sdk.v1.setup_intents.create(
        {
            "customer": customer.id,
            "payment_method": "pm_card_authenticationRequiredOnSetup",
            "confirm": True,
            "allowed_payment_method_types": ["card"],
        }
    )
    assert setup.status == "requires_action"
    sim.post(f"setup_intents/{setup.id}/authenticate")
    setup = sdk.v1.setup_intents.retrieve(setup.id)
    assert setup.status == "succeeded"
    intent = pay(sdk, customer, payment_method=str(setup.payment_method))
    assert intent.status == "succeeded"


@pytest.mark.parametrize(
    ("outcome", "status"), [("succeeded", "succeeded"), ("failed", "requires_payment_method")]
)
def test_authentication_of_a_payment(
    sim: StripeSimulator, sdk: stripe.StripeClient, outcome: str, status: str
) -> None:
    """On-session the intent waits; the bank decides; nothing is charged before."""
    customer = new_customer(sdk, "pm_card_authenticationRequired")
    intent = pay(sdk, customer, off_session=False, return_url="http://127.0.0.1:1/back?x=1")
    assert intent.status == "requires_action"
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    assert sim.truth("charges") == []
    url = str(intent.next_action.redirect_to_url.url)
    assert "Your bank asks" in sim.http.get(url).text
    answer = sim.http.post(url, data={"outcome": outcome})
    back = f"http://127.0.0.1:1/back?x=1&payment_intent={intent.id}&redirect_status={outcome}"
    assert (answer.status_code, answer.headers["location"]) == (303, back)
    assert sdk.v1.payment_intents.retrieve(intent.id).status == status


def test_states_of_an_intent(sdk: stripe.StripeClient) -> None:
    """A paid intent is neither canceled nor confirmed again; a canceled one never paid."""
    customer = new_customer(sdk)
    paid = pay(sdk, customer)
    waiting = sdk.v1.payment_intents.create(
        {
            "amount": 500,
            "currency": "usd",
            "customer": customer.id,
            "allowed_payment_method_types": ["card"],
        }
    )
    assert waiting.status == "requires_payment_method"
    canceled = sdk.v1.payment_intents.cancel(waiting.id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    refused: list[Callable[[], object]] = [
        lambda: sdk.v1.payment_intents.cancel(paid.id),
        lambda: sdk.v1.payment_intents.confirm(paid.id),
        lambda: sdk.v1.payment_intents.confirm(canceled.id, {"payment_method": "pm_card_visa"}),
        lambda: sdk.v1.payment_intents.update(paid.id, {"amount": 9_999}),
    ]
    for refuse in refused:
        with pytest.raises(stripe.InvalidRequestError) as caught:
            refuse()
        assert caught.value.code == "payment_intent_unexpected_state"
        assert caught.value.error is not None
        assert caught.value.error.payment_intent is not None


def test_methods_that_may_redirect_need_a_return_url(sdk: stripe.StripeClient) -> None:
    """Stripe refuses an on-session confirmation that could lead away and not back."""
    customer = new_customer(sdk)
    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        pay(sdk, customer, off_session=False)
    never: Any = {"enabled": True, "allow_redirects": "never"}
    assert pay(sdk, customer, off_session=False, automatic_payment_methods=never).status == (
        "succeeded"
    )


def test_the_parameter_that_the_current_version_took_away(
    sim: StripeSimulator, sdk: stripe.StripeClient
) -> None:
    """`payment_method_types` is refused since 2026-09-30, and taken by older versions."""
    body: Any = {"amount": 500, "currency": "usd", "payment_method_types[]": "card"}
    headers = {"Authorization": f"Bearer {sim.secret_key}"}
    new = sim.http.post("/v1/payment_intents", data=body, headers=headers)
    assert new.status_code == 400
    assert new.json()["error"]["code"] == "payment_method_types_no_longer_supported"
    headers["Stripe-Version"] = "2026-04-22.dahlia"
    old = sim.http.post("/v1/payment_intents", data=body, headers=headers)
    assert (old.status_code, old.headers["stripe-version"]) == (200, "2026-04-22.dahlia")
    headers["Stripe-Version"] = "yesterday"
    assert sim.http.get("/v1/balance", headers=headers).status_code == 400


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


def test_a_card_is_saved_on_the_hosted_page(sim: StripeSimulator, sdk: stripe.StripeClient) -> None:
    """A wrong number shows the form again; a right one saves the card and goes back."""
    customer = sdk.v1.customers.create({})
    session = sdk.v1.checkout.sessions.create(
        {
            "mode": "setup",
            "customer": customer.id,
            "currency": "usd",
            "success_url": "http://127.0.0.1:1/done?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://127.0.0.1:1/no?a=1&b=%22",
            "metadata": {"team": "7"},
        }
    )
    assert session.url is not None
    page = sim.http.get(session.url)
    assert (page.status_code, 'name="number"' in page.text) == (200, True)
    wrong = sim.http.post(session.url, data={"number": '"><b>', "exp": "12/34", "cvc": "1"})
    assert (wrong.status_code, "<b>" in wrong.text, "incorrect" in wrong.text) == (402, False, True)
    right = sim.http.post(session.url, data={"number": "4242424242424242", "exp": "12 / 34"})
    done = f"http://127.0.0.1:1/done?session={session.id}"
    assert (right.status_code, right.headers["location"]) == (303, done)
    after = sdk.v1.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent"]})
    assert after.status == "complete"
    assert isinstance(after.setup_intent, stripe.SetupIntent)
    (method,) = sdk.v1.customers.payment_methods.list(customer.id).data
    assert after.setup_intent.payment_method == method.id
    assert sim.http.post(session.url, data={"number": "4242424242424242"}).status_code == 400
    types = [event.type for event in sdk.v1.events.list({"limit": 3}).data]
    assert types == [
        "checkout.session.completed", "setup_intent.succeeded", "payment_method.attached"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "status", "code", "param"),
    [
        ("/v1/customers/cus_none", 404, "resource_missing", "id"),
        ("/v1/nothing", 404, None, None),
        ("/v1/customers?limit=0", 400, "parameter_invalid_integer", "limit"),
        ("/v1/customers?limit=101", 400, "parameter_invalid_integer", "limit"),
        ("/v1/customers?limit=x", 400, "parameter_invalid_integer", "limit"),
        ("/v1/customers?colour=red", 400, "parameter_unknown", "colour"),
        ("/v1/customers?created[at]=1", 400, "parameter_unknown", "created[at]"),
        ("/v1/customers?starting_after=cus_none", 400, "resource_missing", "starting_after"),
        ("/v1/customers?expand[]=data.nothing", 200, None, None),
        ("/v1/balance?expand[]=nothing", 400, None, "expand"),
        ("/v1/customers?a[b=1", 400, None, "a[b"),
        ("/v1/customers?created=1&created[gt]=1", 400, None, "created[gt]"),
        ("/v1/customers?%ff=1", 400, None, None),
    ],
)
def test_errors_have_stripes_shape(
    sim: StripeSimulator, call: str, status: int, code: str | None, param: str | None
) -> None:
    """Type, code and param of what cannot be answered."""
    headers = {"Authorization": f"Bearer {sim.secret_key}"}
    answer = sim.http.get(call, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["request-id"].startswith("req_")
    if status != 200:
        error = answer.json()["error"]
        assert error["type"] == "invalid_request_error"
        assert (error.get("code"), error.get("param")) == (code, param)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ({"Authorization": "Bearer sk_test_fieldfare"}, 200),
        ({"Authorization": "Basic c2tfdGVzdF9maWVsZGZhcmU6"}, 200),
        ({"Authorization": "Bearer sk_test_another_key"}, 401),
        ({"Authorization": "Basic ###"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({}, 401),
    ],
)
def test_only_the_right_key_opens(
    sim: StripeSimulator, header: dict[str, str], status: int
) -> None:
    """Bearer and Basic; no answer repeats the whole key."""
    answer = sim.http.get("/v1/customers", headers=header)
    assert answer.status_code == status
    assert "sk_test_another_key" not in answer.text
