"""Payment intents: one wish to be paid, and the attempts at it.

    requires_payment_method → requires_confirmation → succeeded
                ↑  a decline                      ↘ requires_action → succeeded, or back
    every one of these but succeeded → canceled

`attempts` has what becomes of an attempt.
"""

from msgspec import UNSET, UnsetType

from fieldfare.simulators.stripe import charges
from fieldfare.simulators.stripe.amounts import check_charge
from fieldfare.simulators.stripe.attempts import (
    ConfirmIntent,
    attempt,
    choose,
    is_off_session,
    unexpected_state,
)
from fieldfare.simulators.stripe.errors import invalid
from fieldfare.simulators.stripe.events import emit
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
from fieldfare.simulators.stripe.payment_methods import get_owner
from fieldfare.simulators.stripe.shapes import Thing, client_secret, new
from fieldfare.simulators.stripe.store import get, put
from fieldfare.simulators.stripe.world import Call

_PLAIN = (
    "description", "metadata", "receipt_email", "statement_descriptor",
    "statement_descriptor_suffix", "transfer_group", "setup_future_usage",
)  # fmt: skip
_OPEN = {
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "requires_capture",
    "processing",
}
_REASONS = {"duplicate", "fraudulent", "requested_by_customer", "abandoned"}


class AutomaticMethods(Params, frozen=True, kw_only=True):
    """Whether methods that redirect may be used."""

    enabled: bool
    allow_redirects: Text = UNSET


class UpdateIntent(Params, frozen=True, kw_only=True):
    """Fields of an intent that is not paid."""

    amount: int | UnsetType = UNSET
    currency: Text = UNSET
    customer: Text = UNSET
    description: Text = UNSET
    metadata: Metadata = UNSET
    payment_method: Text = UNSET
    receipt_email: Text = UNSET
    setup_future_usage: Text = UNSET
    statement_descriptor: Text = UNSET
    statement_descriptor_suffix: Text = UNSET
    transfer_group: Text = UNSET


class CreateIntent(ConfirmIntent, frozen=True, kw_only=True):
    """A new intent, maybe confirmed at once."""

    amount: int
    currency: str
    confirm: bool = False
    customer: Text = UNSET
    description: Text = UNSET
    metadata: Metadata = UNSET
    capture_method: Text = UNSET
    confirmation_method: Text = UNSET
    payment_method_types: Texts = UNSET
    allowed_payment_method_types: Texts = UNSET
    automatic_payment_methods: AutomaticMethods | UnsetType = UNSET
    statement_descriptor: Text = UNSET
    statement_descriptor_suffix: Text = UNSET
    transfer_group: Text = UNSET


class CancelIntent(Params, frozen=True, kw_only=True):
    """Why."""

    cancellation_reason: Text = UNSET


class ListIntents(ListParams, frozen=True, kw_only=True):
    """Filters of the list of intents."""

    customer: Text = UNSET


def create_intent(call: Call) -> Thing:
    """POST /v1/payment_intents."""
    params = read(call, CreateIntent)
    _check_create(params)
    check_method_types(call, params.payment_method_types, params.allowed_payment_method_types)
    customer = text_or_none(params.customer)
    if customer is not None:
        get_owner(call, customer)
    intent = _new_intent(call, params, customer)
    if (chosen := text_or_none(params.payment_method)) is not None:
        choose(call, intent, chosen)
    put(call.db, intent, call.now)
    emit(call, "payment_intent.created", intent)
    return attempt(call, intent, params) if params.confirm else intent


def _check_create(params: CreateIntent) -> None:
    check_charge(params.amount, params.currency)
    if is_off_session(params) and not params.confirm:
        raise invalid("off_session can only be set when confirm is true.", param="off_session")
    if params.capture_method not in (UNSET, charges.AT_ONCE, "automatic_async"):
        raise invalid("The simulator captures automatically only.", param="capture_method")
    if _names_types(params) and params.automatic_payment_methods is not UNSET:
        raise invalid(
            "You may only specify one of these parameters: allowed_payment_method_types, "
            "automatic_payment_methods, payment_method_types."
        )
    if params.confirm and _may_redirect(params):
        raise invalid(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. "
            "Because some of these payment methods might redirect your customer off of your page, "
            "you must provide a `return_url`. If you don't want to accept redirect-based payment "
            "methods, set `automatic_payment_methods[enabled]` to `true` and "
            "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents "
            "and Payment Intents."
        )


def _may_redirect(params: CreateIntent) -> bool:
    automatic = params.automatic_payment_methods
    never = isinstance(automatic, AutomaticMethods) and automatic.allow_redirects == "never"
    return not (
        never or _names_types(params) or text_or_none(params.return_url) or is_off_session(params)
    )


def _names_types(params: CreateIntent) -> bool:
    """Whether the methods are chosen by name; cards, the only ones here, never redirect."""
    named = (params.payment_method_types, params.allowed_payment_method_types)
    return any(types is not UNSET for types in named)


def _new_intent(call: Call, params: CreateIntent, customer: str | None) -> Thing:
    intent = new(
        "payment_intent",
        call.now_s,
        amount=params.amount,
        currency=params.currency.lower(),
        customer=customer,
    )
    intent["client_secret"] = client_secret(intent["id"])
    update_fields(intent, params, *_PLAIN)
    for name in ("capture_method", "confirmation_method"):
        intent[name] = text_or_none(getattr(params, name)) or intent[name]
    if not _names_types(params):
        automatic = params.automatic_payment_methods
        redirects = automatic.allow_redirects if isinstance(automatic, AutomaticMethods) else UNSET
        intent["automatic_payment_methods"] = {
            "allow_redirects": text_or_none(redirects) or "always",
            "enabled": True,
        }
    return intent


def confirm_intent(call: Call) -> Thing:
    """POST /v1/payment_intents/{id}/confirm."""
    params = read(call, ConfirmIntent)
    intent = get(call.db, "payment_intent", call.ids[0])
    if intent["status"] not in {
        "requires_payment_method",
        "requires_confirmation",
        "requires_action",
    }:
        raise unexpected_state(intent, "confirm")
    if (chosen := text_or_none(params.payment_method)) is not None:
        choose(call, intent, chosen)
    update_fields(intent, params, "receipt_email", "setup_future_usage")
    return attempt(call, intent, params)


def cancel_intent(call: Call) -> Thing:
    """POST /v1/payment_intents/{id}/cancel."""
    reason = text_or_none(read(call, CancelIntent).cancellation_reason)
    if reason is not None and reason not in _REASONS:
        raise invalid(
            f"Invalid cancellation_reason: must be one of {', '.join(sorted(_REASONS))}",
            param="cancellation_reason",
        )
    intent = get(call.db, "payment_intent", call.ids[0])
    if intent["status"] not in _OPEN:
        raise unexpected_state(intent, "cancel")
    intent.update(
        status="canceled",
        canceled_at=call.now_s,
        cancellation_reason=reason,
        next_action=None,
    )
    put(call.db, intent, call.now)
    emit(call, "payment_intent.canceled", intent)
    return intent


def update_intent(call: Call) -> Thing:
    """POST /v1/payment_intents/{id}."""
    params = read(call, UpdateIntent)
    intent = get(call.db, "payment_intent", call.ids[0])
    changes_payment = {params.amount, params.currency, params.payment_method} != {UNSET}
    if intent["status"] not in _OPEN and changes_payment:
        raise unexpected_state(intent, "update")
    update_fields(intent, params, "amount", "currency", "customer", *_PLAIN)
    if changes_payment:
        check_charge(intent["amount"], intent["currency"])
    if isinstance(params.customer, str) and params.customer:
        get_owner(call, params.customer)
    if (chosen := text_or_none(params.payment_method)) is not None:
        choose(call, intent, chosen)
    return put(call.db, intent, call.now)


def retrieve_intent(call: Call) -> Thing:
    """GET /v1/payment_intents/{id}."""
    return get(call.db, "payment_intent", call.ids[0])


def list_intents(call: Call) -> Thing:
    """GET /v1/payment_intents."""
    params = read(call, ListIntents)
    return page(call, "payment_intent", params, customer=params.customer)
