"""Checkout sessions that save a card (`mode=setup`), with the page at the session's `url`.

A session is completed once: it saves the card for its customer, its setup intent succeeds, and
`checkout.session.completed` tells so. `hosted` shows the page.
"""

from typing import Any

from msgspec import UNSET, UnsetType

from fieldfare.simulators.stripe.cards import get_by_number
from fieldfare.simulators.stripe.endpoints import check_url
from fieldfare.simulators.stripe.errors import ApiError, invalid, refused
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
from fieldfare.simulators.stripe.payment_methods import from_card, get_owner
from fieldfare.simulators.stripe.setup_intents import confirm_with, new_setup, succeed
from fieldfare.simulators.stripe.shapes import Thing, new
from fieldfare.simulators.stripe.store import get, put
from fieldfare.simulators.stripe.world import Call

LIFE_S = 24 * 3_600


class SetupData(Params, frozen=True, kw_only=True):
    """What the setup intent gets."""

    description: Text = UNSET
    metadata: Metadata = UNSET


class CreateSession(Params, frozen=True, kw_only=True):
    """A new session."""

    mode: str
    success_url: str
    cancel_url: Text = UNSET
    client_reference_id: Text = UNSET
    currency: Text = UNSET
    customer: Text = UNSET
    customer_email: Text = UNSET
    locale: Text = UNSET
    metadata: Metadata = UNSET
    payment_method_types: Texts = UNSET
    allowed_payment_method_types: Texts = UNSET
    setup_intent_data: SetupData | UnsetType = UNSET
    ui_mode: Text = UNSET
    expires_at: int | UnsetType = UNSET


class ListSessions(ListParams, frozen=True, kw_only=True):
    """Filters of the list of sessions."""

    customer: Text = UNSET
    status: Text = UNSET


def create_session(call: Call) -> Thing:
    """POST /v1/checkout/sessions."""
    params = read(call, CreateSession)
    if params.mode != "setup":
        raise invalid("The simulator has checkout sessions of mode setup only.", param="mode")
    if params.ui_mode not in {UNSET, "hosted", "hosted_page"}:
        raise invalid("The simulator has hosted pages only.", param="ui_mode")
    customer = text_or_none(params.customer)
    if customer is not None:
        get_owner(call, customer)
    check_method_types(call, params.payment_method_types, params.allowed_payment_method_types)
    if text_or_none(params.currency) is None and params.allowed_payment_method_types is UNSET:
        raise invalid(
            "Missing required param: currency. It is required in setup mode unless "
            "allowed_payment_method_types is given.",
            param="currency",
            code="parameter_missing",
        )
    for name in ("success_url", "cancel_url"):
        if (url := text_or_none(getattr(params, name))) is not None:
            check_url(url, name)
    intent = new_setup(call, customer)
    if isinstance(params.setup_intent_data, SetupData):
        update_fields(intent, params.setup_intent_data, "description", "metadata")
    put(call.db, intent, call.now)
    session = new("checkout.session", call.now_s, customer=customer, setup_intent=intent["id"])
    update_fields(
        session, params, "success_url", "cancel_url", "client_reference_id", "currency",
        "customer_email", "locale", "metadata",
    )  # fmt: skip
    session["expires_at"] = (
        params.expires_at if isinstance(params.expires_at, int) else call.now_s + LIFE_S
    )
    session["url"] = f"{call.base_url}/checkout/{session['id']}"
    emit(call, "setup_intent.created", intent)
    return put(call.db, session, call.now)


def complete(call: Call, identifier: str, number: str, exp_month: int, exp_year: int) -> Thing:
    """Save the card and end the session; raises `ApiError` if either is not possible."""
    session = get_open(call, identifier)
    method = from_card(call, get_by_number(number), exp_month, exp_year)
    intent = get(call.db, "setup_intent", session["setup_intent"])
    confirmed = confirm_with(call, intent, method["id"])
    if confirmed["status"] != "succeeded":
        # The page asks no bank: the card is saved, and wants authentication when it is charged.
        confirmed = succeed(call, confirmed)
    session.update(status="complete", url=None)
    put(call.db, session, call.now)
    emit(call, "checkout.session.completed", session)
    return session


def get_open(call: Call, identifier: str) -> Thing:
    """A session that can still be completed; raises `ApiError`."""
    session = get(call.db, "checkout.session", identifier)
    if session["status"] != "open" or session["expires_at"] <= call.now:
        raise _not_open(session)
    return session


def _not_open(session: Thing) -> ApiError:
    return refused(
        f"This Session is no longer open (its status is {session['status']}).",
        code="checkout_session_not_open",
    )


def expire_session(call: Call) -> Thing:
    """POST /v1/checkout/sessions/{id}/expire."""
    session = get_open(call, call.ids[0])
    session.update(status="expired", url=None)
    put(call.db, session, call.now)
    emit(call, "checkout.session.expired", session)
    return session


def retrieve_session(call: Call) -> Thing:
    """GET /v1/checkout/sessions/{id}."""
    return get(call.db, "checkout.session", call.ids[0])


def list_sessions(call: Call) -> Thing:
    """GET /v1/checkout/sessions."""
    params = read(call, ListSessions)
    fields: dict[str, Any] = {"customer": params.customer, "status": params.status}
    return page(call, "checkout.session", params, **fields)
