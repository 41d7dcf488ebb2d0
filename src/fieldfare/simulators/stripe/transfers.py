"""Connected accounts and transfers to them: how partners are paid.

What must hold: a transfer is never larger than the balance that is available in its currency.
Accounts have done their onboarding from the start.
"""

from typing import Any, TypeAlias

from msgspec import UNSET, UnsetType

from fieldfare.simulators.stripe.amounts import known_currency
from fieldfare.simulators.stripe.balances import record, totals
from fieldfare.simulators.stripe.errors import invalid, refused
from fieldfare.simulators.stripe.events import emit
from fieldfare.simulators.stripe.pages import ListParams, page
from fieldfare.simulators.stripe.params import (
    Metadata,
    Number,
    Params,
    Text,
    read,
    text_or_none,
    update_fields,
)
from fieldfare.simulators.stripe.shapes import Thing, new, new_id
from fieldfare.simulators.stripe.store import get, put
from fieldfare.simulators.stripe.world import Call

Nested: TypeAlias = dict[str, Any] | UnsetType
_ACCOUNT_FIELDS = ("email", "business_type", "metadata")


class CreateTransfer(Params, frozen=True, kw_only=True):
    """What is sent to whom."""

    amount: int
    currency: str
    destination: str
    description: Text = UNSET
    metadata: Metadata = UNSET
    source_transaction: Text = UNSET
    transfer_group: Text = UNSET


class UpdateTransfer(Params, frozen=True, kw_only=True):
    """Fields of a transfer."""

    description: Text = UNSET
    metadata: Metadata = UNSET


class ListTransfers(ListParams, frozen=True, kw_only=True):
    """Filters of the list of transfers."""

    destination: Text = UNSET
    transfer_group: Text = UNSET


class ReverseTransfer(Params, frozen=True, kw_only=True):
    """What is taken back; everything that is left if there is no amount."""

    amount: Number = UNSET
    description: Text = UNSET
    metadata: Metadata = UNSET


class CreateAccount(Params, frozen=True, kw_only=True):
    """A connected account. Nested settings are taken and kept as they come."""

    type: Text = UNSET
    country: Text = UNSET
    email: Text = UNSET
    business_type: Text = UNSET
    metadata: Metadata = UNSET
    default_currency: Text = UNSET
    business_profile: Nested = UNSET
    capabilities: Nested = UNSET
    controller: Nested = UNSET
    company: Nested = UNSET
    individual: Nested = UNSET
    external_account: Any = UNSET
    settings: Nested = UNSET
    tos_acceptance: Nested = UNSET


def create_transfer(call: Call) -> Thing:
    """POST /v1/transfers."""
    params = read(call, CreateTransfer)
    currency = known_currency(params.currency).code.lower()
    if params.amount < 1:
        raise invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
    get(call.db, "account", params.destination, param="destination")
    if (source := text_or_none(params.source_transaction)) is not None:
        get(call.db, "charge", source, param="source_transaction")
    if totals(call)[0][currency] < params.amount:
        raise refused(
            "You have insufficient available funds in your Stripe account. Try adding funds "
            "directly to your available balance.",
            code="balance_insufficient",
        )
    transfer = new(
        "transfer",
        call.now_s,
        amount=params.amount,
        currency=currency,
        destination=params.destination,
        destination_payment=new_id("py_1"),
    )
    transfer["reversals"]["url"] = f"/v1/transfers/{transfer['id']}/reversals"
    update_fields(
        transfer, params, "description", "metadata", "source_transaction", "transfer_group"
    )
    taken = record(call, "transfer", transfer, -params.amount, description=transfer["description"])
    transfer["balance_transaction"] = taken["id"]
    put(call.db, transfer, call.now)
    emit(call, "transfer.created", transfer)
    return transfer


def reverse_transfer(call: Call) -> Thing:
    """POST /v1/transfers/{id}/reversals."""
    params = read(call, ReverseTransfer)
    transfer = get(call.db, "transfer", call.ids[0])
    left = transfer["amount"] - transfer["amount_reversed"]
    amount = params.amount if isinstance(params.amount, int) else left
    if not 0 < amount <= left:
        raise refused(
            f"Transfer reversal amount ({amount}) is greater than unreversed amount on transfer "
            f"({left}).",
            param="amount",
        )
    reversal: Thing = {
        "id": new_id("trr_1"), "object": "transfer_reversal", "amount": amount,
        "created": call.now_s, "currency": transfer["currency"], "description": None,
        "destination_payment_refund": new_id("pyr_1"), "metadata": {}, "source_refund": None,
        "transfer": transfer["id"],
    }  # fmt: skip
    update_fields(reversal, params, "description", "metadata")
    back = record(call, "transfer_refund", reversal, amount, category="transfer_reversal")
    reversal["balance_transaction"] = back["id"]
    put(call.db, reversal, call.now)
    transfer["amount_reversed"] += amount
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    transfer["reversals"]["data"].insert(0, reversal)
    put(call.db, transfer, call.now)
    emit(call, "transfer.reversed", transfer)
    return reversal


def retrieve_transfer(call: Call) -> Thing:
    """GET /v1/transfers/{id}."""
    return get(call.db, "transfer", call.ids[0])


def update_transfer(call: Call) -> Thing:
    """POST /v1/transfers/{id}."""
    params = read(call, UpdateTransfer)
    transfer = get(call.db, "transfer", call.ids[0])
    update_fields(transfer, params, "description", "metadata")
    put(call.db, transfer, call.now)
    emit(call, "transfer.updated", transfer)
    return transfer


def list_transfers(call: Call) -> Thing:
    """GET /v1/transfers."""
    params = read(call, ListTransfers)
    return page(
        call,
        "transfer",
        params,
        destination=params.destination,
        transfer_group=params.transfer_group,
    )


def create_account(call: Call) -> Thing:
    """POST /v1/accounts."""
    params = read(call, CreateAccount)
    account = new("account", call.now_s, type=text_or_none(params.type) or "express")
    account["external_accounts"]["url"] = f"/v1/accounts/{account['id']}/external_accounts"
    for name in ("country", "default_currency"):
        account[name] = text_or_none(getattr(params, name)) or account[name]
    return _keep_account(call, account, params)


def _keep_account(call: Call, account: Thing, params: CreateAccount) -> Thing:
    update_fields(account, params, *_ACCOUNT_FIELDS)
    if isinstance(params.business_profile, dict):
        account["business_profile"].update(params.business_profile)
    if isinstance(params.capabilities, dict):
        account["capabilities"].update(
            {
                name: "inactive" if wish == {"requested": "false"} else "active"
                for name, wish in params.capabilities.items()
            }
        )
    return put(call.db, account, call.now)


def update_account(call: Call) -> Thing:
    """POST /v1/accounts/{id}."""
    params = read(call, CreateAccount)
    account = _keep_account(call, get(call.db, "account", call.ids[0]), params)
    emit(call, "account.updated", account)
    return account


def retrieve_account(call: Call) -> Thing:
    """GET /v1/accounts/{id}."""
    return get(call.db, "account", call.ids[0])


def list_accounts(call: Call) -> Thing:
    """GET /v1/accounts."""
    return page(call, "account", read(call, ListParams))
