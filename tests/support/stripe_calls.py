"""Charges under a key, and what the simulator says that truly came of them."""

from typing import Any

import httpx
import stripe

from tests.support.stripe_simulator import StripeSimulator


def charge(
    sim: StripeSimulator, key: str | None, amount: int = 1_000, card: str = "pm_card_visa",
    **settings: Any,
) -> stripe.PaymentIntent:  # fmt: skip
    """One payment under an idempotency key."""
    params: Any = {
        "amount": amount, "currency": "usd", "payment_method": card, "confirm": True,
        "off_session": True, "metadata": {"order": key or ""},
    }  # fmt: skip
    options: Any = {"idempotency_key": key} if key else {}
    return sim.client(**settings).v1.payment_intents.create(params, options)


def post(sim: StripeSimulator, path: str, key: str, **form: str) -> httpx.Response:
    """A call as its bytes are, for what the SDK does not show."""
    headers = {"Authorization": f"Bearer {sim.secret_key}", "Idempotency-Key": key}
    return sim.http.post(path, data=form, headers=headers)


def paid(sim: StripeSimulator) -> int:
    """How many charges were truly paid."""
    return sum(charge["paid"] for charge in sim.truth("charges"))


def statuses(sim: StripeSimulator) -> list[tuple[int | None, bool, bool]]:
    """Status, effect and replay of every call of the API, from the log."""
    return [(row["status"], row["took_effect"], row["replayed"]) for row in sim.truth("requests")]
