"""Customers and payments of the simulator, made through the official SDK."""

import time
from collections.abc import Callable
from typing import Any

import stripe


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


def until(read: Callable[[], Any], holds: Callable[[Any], Any]) -> Any:
    """What `read` gives once it holds; fails after some seconds."""
    deadline = time.monotonic() + 5
    while not holds(found := read()):
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    return found
