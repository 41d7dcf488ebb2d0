"""The simulator's objects and their errors, driven through the official SDK over HTTP."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.support.stripe_objects import default_method, new_customer, pay
from tests.support.stripe_simulator import StripeSimulator

# Public samples of Stripe's own objects, from the fixtures of its OpenAPI repository (MIT).
SAMPLES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "stripe_samples.json").read_text()
)
NO_SUCH = "No such"
_OPEN = {("event", "data"), ("refund", "destination_details")}


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
