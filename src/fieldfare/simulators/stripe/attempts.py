"""Attempts of a payment intent: a charge, a decline, or a wait for the bank.

What must hold: an intent has at most one paid charge. A decline is an outcome: the failed charge,
the intent's error and their events are kept, and answered with 402.
"""

from typing import Any

from msgspec import UNSET

from fieldfare.simulators.stripe import charges
from fieldfare.simulators.stripe.cards import failure
from fieldfare.simulators.stripe.errors import ApiError, declined, error_body, invalid, refused
from fieldfare.simulators.stripe.events import emit
from fieldfare.simulators.stripe.params import Params, Text, text_or_none
from fieldfare.simulators.stripe.payment_methods import attach, card_of, claim, mark_authenticated
from fieldfare.simulators.stripe.shapes import Thing
from fieldfare.simulators.stripe.store import get, put
from fieldfare.simulators.stripe.world import Call


class ConfirmIntent(Params, frozen=True, kw_only=True):
    """How a payment is to be attempted."""

    payment_method: Text = UNSET
    off_session: Text = UNSET
    """A flag, or `one_off` or `recurring`."""
    error_on_requires_action: bool = False
    return_url: Text = UNSET
    receipt_email: Text = UNSET
    setup_future_usage: Text = UNSET
    use_stripe_sdk: bool = False


def is_off_session(params: ConfirmIntent) -> bool:
    """Whether the card's owner is not there; raises `ApiError` for what is no flag."""
    if params.off_session not in {UNSET, "", "false", "true", "one_off", "recurring"}:
        raise invalid(f"Invalid boolean: {params.off_session}", param="off_session")
    return params.off_session not in {UNSET, "", "false"}


def choose(call: Call, intent: Thing, identifier: str) -> Thing:
    """Make a payment method the intent's."""
    method = claim(call, identifier)
    owner = method["customer"]
    if owner is not None and owner != intent["customer"]:
        raise invalid(
            f"The provided PaymentMethod ({method['id']}) belongs to a Customer; please include "
            "that Customer in the `customer` parameter on the PaymentIntent.",
            param="payment_method",
        )
    intent["payment_method"] = method["id"]
    if intent["status"] == "requires_payment_method":
        intent["status"] = "requires_confirmation"
    return method


def unexpected_state(intent: Thing, verb: str) -> ApiError:
    """The refusal of what an intent's state does not allow."""
    return refused(
        f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
        payment_intent=intent,
    )


def attempt(call: Call, intent: Thing, params: ConfirmIntent) -> Thing:
    """Try to be paid with the chosen method: gives the intent, or raises `ApiError` (402)."""
    if intent["payment_method"] is None:
        raise refused(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
            "either update the PaymentIntent with a payment method and then confirm it again, or "
            "confirm it again directly with a payment method or ConfirmationToken.",
            code="payment_intent_unexpected_state",
            payment_intent=intent,
        )
    method = get(call.db, "payment_method", intent["payment_method"], param="payment_method")
    card, authenticated = card_of(call, method)
    off_session = is_off_session(params)
    if failed := failure(card):
        return _decline(call, intent, method, *failed)
    if card.authentication and (card.always or not (off_session and authenticated)):
        if off_session or params.error_on_requires_action:
            return _refuse_unauthenticated(call, intent, method)
        return _require_action(call, intent, text_or_none(params.return_url))
    return _pay(call, intent, method)


def _pay(call: Call, intent: Thing, method: Thing) -> Thing:
    card, _ = card_of(call, method)
    if intent["setup_future_usage"] and intent["customer"]:
        attach(call, method, intent["customer"])
    charge = charges.new_charge(call, intent, method)
    charge = charges.succeed(call, charge, intent, card)
    intent.update(
        status="succeeded",
        amount_received=intent["amount"],
        latest_charge=charge["id"],
        next_action=None,
        last_payment_error=None,
    )
    put(call.db, intent, call.now)
    emit(call, "payment_intent.succeeded", intent)
    return intent


def _require_action(call: Call, intent: Thing, return_url: str | None) -> Thing:
    page_url = f"{call.base_url}/authenticate/{intent['id']}"
    if return_url:
        action: Thing = {
            "redirect_to_url": {"return_url": return_url, "url": page_url},
            "type": "redirect_to_url",
        }
    else:
        action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    intent.update(status="requires_action", next_action=action)
    put(call.db, intent, call.now)
    emit(call, "payment_intent.requires_action", intent)
    return intent


def _refuse_unauthenticated(call: Call, intent: Thing, method: Thing) -> Thing:
    charge = charges.needs_authentication(call, charges.new_charge(call, intent, method))
    code = "authentication_required"
    return _failed(call, intent, method, charge, code, code, charge["failure_message"])


def _decline(
    call: Call, intent: Thing, method: Thing, code: str, decline_code: str, message: str
) -> Thing:
    charge = charges.new_charge(call, intent, method)
    charges.fail(call, charge, code, decline_code, message)
    return _failed(call, intent, method, charge, code, decline_code, message)


def _failed(
    call: Call,
    intent: Thing,
    method: Thing,
    charge: Thing,
    code: str,
    decline_code: str,
    message: str,
) -> Thing:
    error = declined(
        code, message, decline_code=decline_code, charge=charge["id"], payment_method=method
    )
    intent.update(latest_charge=charge["id"])
    _back_to_start(call, intent, error_body(error.error)["error"])
    error.error["payment_intent"] = intent
    raise error


def _back_to_start(call: Call, intent: Thing, error: dict[str, Any]) -> None:
    intent.update(
        status="requires_payment_method",
        payment_method=None,
        next_action=None,
        last_payment_error=error,
    )
    put(call.db, intent, call.now)
    emit(call, "payment_intent.payment_failed", intent)


def authenticate(call: Call, identifier: str, *, succeeds: bool) -> Thing:
    """The card's owner comes back from their bank; raises `ApiError` if nobody waits for that."""
    intent = get(call.db, "payment_intent", identifier)
    if intent["status"] != "requires_action":
        raise unexpected_state(intent, "authenticate")
    method = get(call.db, "payment_method", intent["payment_method"])
    if succeeds:
        if intent["setup_future_usage"] == "off_session":
            mark_authenticated(call, method)
        return _pay(call, intent, method)
    code = "payment_intent_authentication_failure"
    message = (
        "The provided PaymentMethod has failed authentication. You can provide "
        "payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent again."
    )
    error = {"type": "invalid_request_error", "code": code, "message": message}
    _back_to_start(call, intent, error_body({**error, "payment_method": method})["error"])
    return intent
