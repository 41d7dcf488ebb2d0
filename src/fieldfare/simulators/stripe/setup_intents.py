"""Setup intents: a card is to be saved for later payments.

A card that wants authentication waits in `requires_action` until the control API says how it went;
set up that way, it can be charged off-session.
"""

from typing import Any

from msgspec import UNSET, UnsetType

from fieldfare.simulators.stripe.cards import failure
from fieldfare.simulators.stripe.errors import ApiError, declined, error_body, refused
from fieldfare.simulators.stripe.events import emit
from fieldfare.simulators.stripe.intents import AutomaticMethods
from fieldfare.simulators.stripe.pages import ListParams, page
from fieldfare.simulators.stripe.params import (
    Metadata,
    Params,
    Text,
    Texts,
    check_method_types,
    read,
    text_or_none,
    update_fields,
)
from fieldfare.simulators.stripe.payment_methods import (
    attach,
    card_of,
    claim,
    get_owner,
    mark_authenticated,
)
from fieldfare.simulators.stripe.shapes import Thing, client_secret, new
from fieldfare.simulators.stripe.store import get, put
from fieldfare.simulators.stripe.world import Call

_OPEN = {"requires_payment_method", "requires_confirmation", "requires_action"}
# What no issuer would save; a mere decline is no reason here, see `cards`.
_CANNOT_BE_SAVED = {"expired_card", "incorrect_cvc", "processing_error"}


class ConfirmSetup(Params, frozen=True, kw_only=True):
    """How the card is saved."""

    payment_method: Text = UNSET
    return_url: Text = UNSET
    use_stripe_sdk: bool = False


class UpdateSetup(Params, frozen=True, kw_only=True):
    """Fields of a setup intent."""

    customer: Text = UNSET
    description: Text = UNSET
    metadata: Metadata = UNSET
    payment_method: Text = UNSET


class CreateSetup(ConfirmSetup, frozen=True, kw_only=True):
    """A new setup intent, maybe confirmed at once."""

    confirm: bool = False
    customer: Text = UNSET
    description: Text = UNSET
    metadata: Metadata = UNSET
    payment_method_types: Texts = UNSET
    allowed_payment_method_types: Texts = UNSET
    automatic_payment_methods: AutomaticMethods | UnsetType = UNSET
    usage: Text = UNSET


class CancelSetup(Params, frozen=True, kw_only=True):
    """Why."""

    cancellation_reason: Text = UNSET


class ListSetups(ListParams, frozen=True, kw_only=True):
    """Filters of the list of setup intents."""

    customer: Text = UNSET
    payment_method: Text = UNSET


def create_setup(call: Call) -> Thing:
    """POST /v1/setup_intents."""
    params = read(call, CreateSetup)
    customer = text_or_none(params.customer)
    if customer is not None:
        get_owner(call, customer)
    check_method_types(call, params.payment_method_types, params.allowed_payment_method_types)
    intent = new_setup(call, customer, usage=text_or_none(params.usage) or "off_session")
    update_fields(intent, params, "description", "metadata")
    if (chosen := text_or_none(params.payment_method)) is not None:
        _choose(call, intent, chosen)
    put(call.db, intent, call.now)
    emit(call, "setup_intent.created", intent)
    return _attempt(call, intent) if params.confirm else intent


def new_setup(call: Call, customer: str | None, *, usage: str = "off_session") -> Thing:
    """A setup intent that waits for a payment method; not yet kept."""
    intent = new("setup_intent", call.now_s, customer=customer, usage=usage)
    intent["client_secret"] = client_secret(intent["id"])
    return intent


def _choose(call: Call, intent: Thing, identifier: str) -> None:
    intent["payment_method"] = claim(call, identifier)["id"]
    intent["status"] = "requires_confirmation"


def confirm_setup(call: Call) -> Thing:
    """POST /v1/setup_intents/{id}/confirm."""
    params = read(call, ConfirmSetup)
    return confirm_with(
        call, get(call.db, "setup_intent", call.ids[0]), text_or_none(params.payment_method)
    )


def confirm_with(call: Call, intent: Thing, payment_method: str | None) -> Thing:
    """Save the card; raises `ApiError` if it cannot be saved (402) or this is not the time."""
    if intent["status"] not in _OPEN:
        raise _unexpected_state(intent, "confirm")
    if payment_method is not None:
        _choose(call, intent, payment_method)
    return _attempt(call, intent)


def _unexpected_state(intent: Thing, verb: str) -> ApiError:
    return refused(
        f"You cannot {verb} this SetupIntent because it has a status of {intent['status']}.",
        code="setup_intent_unexpected_state",
        setup_intent=intent,
    )


def _attempt(call: Call, intent: Thing) -> Thing:
    if intent["payment_method"] is None:
        raise refused(
            "You cannot confirm this SetupIntent because it's missing a payment method.",
            code="setup_intent_unexpected_state",
            setup_intent=intent,
        )
    method = get(call.db, "payment_method", intent["payment_method"])
    card, _ = card_of(call, method)
    failed = failure(card)
    if failed and failed[0] in _CANNOT_BE_SAVED:
        code, decline_code, message = failed
        error = declined(code, message, decline_code=decline_code, payment_method=method)
        _back_to_start(call, intent, error_body(error.error)["error"])
        error.error["setup_intent"] = intent
        raise error
    if card.authentication:
        return _require_action(call, intent)
    return succeed(call, intent)


def succeed(call: Call, intent: Thing) -> Thing:
    """The card is saved, and the customer's."""
    if intent["customer"]:
        method = get(call.db, "payment_method", intent["payment_method"])
        attach(call, method, intent["customer"])
    intent.update(status="succeeded", next_action=None, last_setup_error=None)
    put(call.db, intent, call.now)
    emit(call, "setup_intent.succeeded", intent)
    return intent


def _require_action(call: Call, intent: Thing) -> Thing:
    action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    intent.update(status="requires_action", next_action=action)
    put(call.db, intent, call.now)
    emit(call, "setup_intent.requires_action", intent)
    return intent


def _back_to_start(call: Call, intent: Thing, error: dict[str, Any]) -> None:
    intent.update(
        status="requires_payment_method",
        payment_method=None,
        next_action=None,
        last_setup_error=error,
    )
    put(call.db, intent, call.now)
    emit(call, "setup_intent.setup_failed", intent)


def authenticate(call: Call, identifier: str, *, succeeds: bool) -> Thing:
    """The card's owner comes back from their bank; raises `ApiError` if nobody waits for that."""
    intent = get(call.db, "setup_intent", identifier)
    if intent["status"] != "requires_action":
        raise _unexpected_state(intent, "authenticate")
    method = get(call.db, "payment_method", intent["payment_method"])
    if succeeds:
        mark_authenticated(call, method)
        return succeed(call, intent)
    code = "setup_intent_authentication_failure"
    message = "The latest attempt to set up the payment method has failed authentication."
    error = {"type": "invalid_request_error", "code": code, "message": message}
    _back_to_start(call, intent, error_body({**error, "payment_method": method})["error"])
    return intent


def cancel_setup(call: Call) -> Thing:
    """POST /v1/setup_intents/{id}/cancel."""
    reason = text_or_none(read(call, CancelSetup).cancellation_reason)
    intent = get(call.db, "setup_intent", call.ids[0])
    if intent["status"] not in _OPEN:
        raise _unexpected_state(intent, "cancel")
    intent.update(status="canceled", cancellation_reason=reason, next_action=None)
    put(call.db, intent, call.now)
    emit(call, "setup_intent.canceled", intent)
    return intent


def update_setup(call: Call) -> Thing:
    """POST /v1/setup_intents/{id}."""
    params = read(call, UpdateSetup)
    intent = get(call.db, "setup_intent", call.ids[0])
    if (customer := text_or_none(params.customer)) is not None:
        get_owner(call, customer)
    update_fields(intent, params, "customer", "description", "metadata")
    if (chosen := text_or_none(params.payment_method)) is not None:
        _choose(call, intent, chosen)
    return put(call.db, intent, call.now)


def retrieve_setup(call: Call) -> Thing:
    """GET /v1/setup_intents/{id}."""
    return get(call.db, "setup_intent", call.ids[0])


def list_setups(call: Call) -> Thing:
    """GET /v1/setup_intents."""
    params = read(call, ListSetups)
    return page(
        call,
        "setup_intent",
        params,
        customer=params.customer,
        payment_method=params.payment_method,
    )
