"""Customers: who cards belong to."""

from typing import Any

from msgspec import UNSET, UnsetType

from fieldfare.simulators.stripe.errors import missing
from fieldfare.simulators.stripe.events import emit
from fieldfare.simulators.stripe.pages import ListParams, page
from fieldfare.simulators.stripe.params import (
    Address,
    Flag,
    Metadata,
    Params,
    Text,
    Texts,
    filled,
    read,
    update_fields,
)
from fieldfare.simulators.stripe.payment_methods import attach, claim, detach
from fieldfare.simulators.stripe.shapes import Thing, new, new_id
from fieldfare.simulators.stripe.store import delete, get, list_all, put
from fieldfare.simulators.stripe.world import Call

_NO_ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
_PLAIN = ("description", "email", "name", "phone", "preferred_locales", "tax_exempt", "metadata")


class InvoiceSettings(Params, frozen=True, kw_only=True):
    """Only the default payment method has a meaning here."""

    default_payment_method: Text = UNSET


class UpdateCustomer(Params, frozen=True, kw_only=True):
    """Fields of a customer."""

    address: Address | UnsetType = UNSET
    description: Text = UNSET
    email: Text = UNSET
    invoice_settings: InvoiceSettings | UnsetType = UNSET
    metadata: Metadata = UNSET
    name: Text = UNSET
    phone: Text = UNSET
    preferred_locales: Texts = UNSET
    tax_exempt: Text = UNSET
    validate: Flag = UNSET


class CreateCustomer(UpdateCustomer, frozen=True, kw_only=True):
    """A new customer, maybe with a card."""

    payment_method: Text = UNSET


class ListCustomers(ListParams, frozen=True, kw_only=True):
    """Filters of the list of customers."""

    email: Text = UNSET


def create_customer(call: Call) -> Thing:
    """POST /v1/customers."""
    params = read(call, CreateCustomer)
    customer = new("customer", call.now_s, invoice_prefix=new_id("", 7).upper())
    put(call.db, customer, call.now)
    if isinstance(params.payment_method, str) and params.payment_method:
        attach(call, claim(call, params.payment_method), customer["id"])
    _change(call, customer, params)
    emit(call, "customer.created", customer)
    return customer


def update_customer(call: Call) -> Thing:
    """POST /v1/customers/{id}."""
    params = read(call, UpdateCustomer)
    customer = get_customer(call, call.ids[0])
    before = dict(customer)
    _change(call, customer, params)
    changed = {name: before[name] for name in before if before[name] != customer[name]}
    emit(call, "customer.updated", customer, changed)
    return customer


def _change(call: Call, customer: Thing, params: UpdateCustomer) -> None:
    update_fields(customer, params, *_PLAIN)
    if params.address is not UNSET:
        customer["address"] = filled(customer["address"] or _NO_ADDRESS, params.address)
    if isinstance(params.invoice_settings, InvoiceSettings):
        chosen = params.invoice_settings.default_payment_method
        if isinstance(chosen, str):
            customer["invoice_settings"] = {
                **customer["invoice_settings"],
                "default_payment_method": _own_method(call, customer, chosen),
            }
    put(call.db, customer, call.now)


def _own_method(call: Call, customer: Thing, identifier: str) -> str | None:
    if not identifier:
        return None
    param = "invoice_settings[default_payment_method]"
    method = get(call.db, "payment_method", identifier, param=param)
    if method["customer"] != customer["id"]:
        raise missing("payment_method", identifier, param=param)
    return identifier


def get_customer(call: Call, identifier: str, *, param: str | None = None) -> Thing:
    """A customer that was not deleted; raises `ApiError`."""
    customer = get(call.db, "customer", identifier, param=param)
    if customer.get("deleted"):
        raise missing("customer", identifier, param=param)
    return customer


def retrieve_customer(call: Call) -> Thing:
    """GET /v1/customers/{id}; a deleted one is answered as such."""
    return get(call.db, "customer", call.ids[0])


def list_customers(call: Call) -> Thing:
    """GET /v1/customers."""
    params = read(call, ListCustomers)
    return page(
        call, "customer", params, also=("body ->> '$.deleted' is null", []), email=params.email
    )


def delete_customer(call: Call) -> Thing:
    """DELETE /v1/customers/{id}: its cards are detached; its charges stay."""
    customer = get_customer(call, call.ids[0])
    for method in list_all(call.db, "payment_method", customer=customer["id"]):
        detach(call, method)
    stub: dict[str, Any] = {"id": customer["id"], "object": "customer", "deleted": True}
    delete(call.db, "customer", customer["id"])
    put(call.db, stub, call.now)
    emit(call, "customer.deleted", customer)
    return stub
