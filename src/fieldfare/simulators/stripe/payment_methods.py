"""Payment methods: cards, from test tokens or test numbers, attached to a customer or not.

A card's number is kept beside the object, never in it: it decides what a charge does.
"""

from datetime import UTC, datetime

from msgspec import UNSET, UnsetType

from fieldfare.simulators.stripe.cards import (
    Card,
    card_fields,
    check_expiry,
    find_by_token,
    get_by_number,
    whole_year,
)
from fieldfare.simulators.stripe.errors import invalid, missing, refused
from fieldfare.simulators.stripe.events import emit
from fieldfare.simulators.stripe.pages import ListParams, page
from fieldfare.simulators.stripe.params import (
    Address,
    Metadata,
    Number,
    Params,
    Text,
    filled,
    merged_metadata,
    read,
)
from fieldfare.simulators.stripe.shapes import Thing, new
from fieldfare.simulators.stripe.store import find, get, put
from fieldfare.simulators.stripe.world import Call

TOKEN_CARD_YEARS = 5


class BillingDetails(Params, frozen=True, kw_only=True):
    """Whose card it is."""

    address: Address | UnsetType = UNSET
    email: Text = UNSET
    name: Text = UNSET
    phone: Text = UNSET


class CardParams(Params, frozen=True, kw_only=True):
    """A card by its number, or by a test token."""

    number: Text = UNSET
    exp_month: Number = UNSET
    exp_year: Number = UNSET
    cvc: Text = UNSET
    token: Text = UNSET


class CreateMethod(Params, frozen=True, kw_only=True):
    """A new payment method."""

    type: str
    card: CardParams | UnsetType = UNSET
    billing_details: BillingDetails | UnsetType = UNSET
    allow_redisplay: Text = UNSET
    metadata: Metadata = UNSET


class UpdateCard(Params, frozen=True, kw_only=True):
    """What changes of a card."""

    exp_month: Number = UNSET
    exp_year: Number = UNSET


class UpdateMethod(Params, frozen=True, kw_only=True):
    """Fields of a payment method."""

    card: UpdateCard | UnsetType = UNSET
    billing_details: BillingDetails | UnsetType = UNSET
    allow_redisplay: Text = UNSET
    metadata: Metadata = UNSET


class AttachMethod(Params, frozen=True, kw_only=True):
    """Whose it becomes."""

    customer: str


class ListMethods(ListParams, frozen=True, kw_only=True):
    """Filters of the list of payment methods."""

    customer: Text = UNSET
    type: Text = UNSET
    allow_redisplay: Text = UNSET


class Nothing(Params, frozen=True, kw_only=True):
    """An endpoint without parameters."""


def create_payment_method(call: Call) -> Thing:
    """POST /v1/payment_methods."""
    params = read(call, CreateMethod)
    if params.type != "card":
        raise invalid("The simulator takes payment methods of type card only.", param="type")
    if not isinstance(params.card, CardParams):
        raise invalid("Missing required param: card.", param="card", code="parameter_missing")
    method = _create(call, params.card)
    _change(method, params)
    return put(call.db, method, call.now)


def _create(call: Call, params: CardParams) -> Thing:
    if isinstance(params.token, str):
        card = find_by_token(params.token)
        if card is None or params.token.startswith("pm_"):
            raise missing("token", params.token, param="card[token]")
        return from_card(call, card)
    for name in ("number", "exp_month", "exp_year"):
        if getattr(params, name) is UNSET:
            param = f"card[{name}]"
            raise invalid(
                f"Missing required param: {param}.", param=param, code="parameter_missing"
            )
    assert isinstance(params.number, str)
    assert isinstance(params.exp_month, int)
    assert isinstance(params.exp_year, int)
    return from_card(
        call, get_by_number(params.number), params.exp_month, whole_year(params.exp_year)
    )


def from_card(call: Call, card: Card, exp_month: int = 12, exp_year: int | None = None) -> Thing:
    """A new payment method for a test card; raises `ApiError` if it has expired."""
    today = datetime.fromtimestamp(call.now, UTC)
    if exp_year is None:
        exp_year = today.year + TOKEN_CARD_YEARS
    check_expiry(exp_month, exp_year, (today.year, today.month))
    method = new("payment_method", call.now_s)
    method["card"] = card_fields(card, method["card"], exp_month, exp_year)
    call.db.execute(
        "insert into card (payment_method, number) values (?, ?)", (method["id"], card.number)
    )
    return put(call.db, method, call.now)


def claim(call: Call, identifier: str, *, param: str = "payment_method") -> Thing:
    """The payment method of an id; a test token such as `pm_card_visa` makes a new one."""
    card = find_by_token(identifier) if identifier.startswith("pm_card_") else None
    if card is not None:
        return from_card(call, card)
    return get(call.db, "payment_method", identifier, param=param)


def card_of(call: Call, method: Thing) -> tuple[Card, bool]:
    """The test card behind a payment method, and whether it was set up with authentication."""
    number, authenticated = call.db.execute(
        "select number, authenticated from card where payment_method = ?", (method["id"],)
    ).fetchone()
    return get_by_number(number), bool(authenticated)


def mark_authenticated(call: Call, method: Thing) -> None:
    """Its owner has authenticated it for later payments."""
    call.db.execute("update card set authenticated = 1 where payment_method = ?", (method["id"],))


def _change(method: Thing, params: CreateMethod | UpdateMethod) -> None:
    method["metadata"] = merged_metadata(method["metadata"], params.metadata)
    if isinstance(params.allow_redisplay, str):
        method["allow_redisplay"] = params.allow_redisplay
    if isinstance(params.billing_details, BillingDetails):
        before = method["billing_details"]
        after = filled(before, params.billing_details)
        after["address"] = filled(before["address"], params.billing_details.address)
        method["billing_details"] = after


def retrieve_payment_method(call: Call) -> Thing:
    """GET /v1/payment_methods/{id}."""
    return claim(call, call.ids[0], param="")


def update_payment_method(call: Call) -> Thing:
    """POST /v1/payment_methods/{id}."""
    params = read(call, UpdateMethod)
    method = get(call.db, "payment_method", call.ids[0])
    _change(method, params)
    if isinstance(params.card, UpdateCard):
        for name in ("exp_month", "exp_year"):
            if isinstance(value := getattr(params.card, name), int):
                method["card"][name] = value
    put(call.db, method, call.now)
    emit(call, "payment_method.updated", method)
    return method


def attach_payment_method(call: Call) -> Thing:
    """POST /v1/payment_methods/{id}/attach."""
    params = read(call, AttachMethod)
    get_owner(call, params.customer)
    return attach(call, claim(call, call.ids[0], param=""), params.customer)


def get_owner(call: Call, customer: str, *, param: str = "customer") -> Thing:
    """The customer that a parameter names; raises `ApiError` (400)."""
    found = find(call.db, "customer", customer)
    if found is None or found.get("deleted"):
        raise missing("customer", customer, param=param)
    return found


def attach(call: Call, method: Thing, customer: str) -> Thing:
    """Make the method the customer's; a second time changes nothing."""
    if method["customer"] == customer:
        return method
    if method["customer"] is not None:
        raise refused(
            "The payment method you provided has already been attached to a customer.",
            param="payment_method",
        )
    method["customer"] = customer
    put(call.db, method, call.now)
    emit(call, "payment_method.attached", method)
    return method


def detach_payment_method(call: Call) -> Thing:
    """POST /v1/payment_methods/{id}/detach."""
    read(call, Nothing)
    method = get(call.db, "payment_method", call.ids[0])
    if method["customer"] is None:
        raise refused(
            "The payment method you provided is not attached to a customer so detachment is "
            "impossible.",
            code="payment_method_not_attached",
        )
    return detach(call, method)


def detach(call: Call, method: Thing) -> Thing:
    """Take a method from its customer, whose default it may have been."""
    owner = find(call.db, "customer", method["customer"])
    if owner and owner["invoice_settings"]["default_payment_method"] == method["id"]:
        owner["invoice_settings"]["default_payment_method"] = None
        put(call.db, owner, call.now)
    previous = {"customer": method["customer"]}
    method["customer"] = None
    put(call.db, method, call.now)
    emit(call, "payment_method.detached", method, previous)
    return method


def list_payment_methods(call: Call) -> Thing:
    """GET /v1/payment_methods and /v1/customers/{id}/payment_methods."""
    params = read(call, ListMethods)
    customer = call.ids[0] if call.ids else params.customer
    if isinstance(customer, str):
        get_owner(call, customer)
    return page(call, "payment_method", params, customer=customer, type=params.type)


def retrieve_customer_payment_method(call: Call) -> Thing:
    """GET /v1/customers/{id}/payment_methods/{id}."""
    customer, identifier = call.ids
    method = get(call.db, "payment_method", identifier)
    if method["customer"] != customer:
        raise missing("payment_method", identifier)
    return method
