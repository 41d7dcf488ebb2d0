"""Charges: what an attempt to pay leaves behind, whether the money came or not.

What must hold: a paid charge has exactly one balance transaction in the end. As in Stripe's current
API it comes a moment later, with `charge.updated`, unless the intent was created with
`capture_method=automatic`.
"""

from msgspec import UNSET

from fieldfare.simulators.stripe.amounts import charge_fee, known_currency
from fieldfare.simulators.stripe.balances import record
from fieldfare.simulators.stripe.cards import MESSAGES, Card
from fieldfare.simulators.stripe.events import emit
from fieldfare.simulators.stripe.pages import ListParams, page
from fieldfare.simulators.stripe.params import Metadata, Params, Text, read, update_fields
from fieldfare.simulators.stripe.shapes import Thing, new
from fieldfare.simulators.stripe.store import get, list_all, put, set_timer
from fieldfare.simulators.stripe.world import Call

SETTLE = "settle_charge"
DISPUTE = "dispute_charge"
AT_ONCE = "automatic"


class ListCharges(ListParams, frozen=True, kw_only=True):
    """Filters of the list of charges."""

    customer: Text = UNSET
    payment_intent: Text = UNSET
    transfer_group: Text = UNSET


class UpdateCharge(Params, frozen=True, kw_only=True):
    """Fields of a charge."""

    description: Text = UNSET
    metadata: Metadata = UNSET
    receipt_email: Text = UNSET


def new_charge(call: Call, intent: Thing, method: Thing) -> Thing:
    """A charge for an attempt of `intent` with a payment method; its outcome is not known yet."""
    charge = new(
        "charge",
        call.now_s,
        amount=intent["amount"],
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        metadata=dict(intent["metadata"]),
        payment_intent=intent["id"],
        payment_method=method["id"],
        billing_details=method["billing_details"],
        receipt_email=intent["receipt_email"],
        statement_descriptor=intent["statement_descriptor"],
        statement_descriptor_suffix=intent["statement_descriptor_suffix"],
        transfer_group=intent["transfer_group"],
    )
    details = charge["payment_method_details"]["card"]
    details.update({name: value for name, value in method["card"].items() if name in details})
    details["network"] = method["card"]["brand"]
    details["amount_authorized"] = intent["amount"]
    charge["refunds"]["url"] = f"/v1/charges/{charge['id']}/refunds"
    return charge


def succeed(call: Call, charge: Thing, intent: Thing, card: Card) -> Thing:
    """The money comes."""
    charge.update(
        paid=True,
        captured=True,
        status="succeeded",
        amount_captured=charge["amount"],
        receipt_url=f"{call.base_url}/receipts/{charge['id']}",
    )
    put(call.db, charge, call.now)
    delay_s = call.world.config.settle_delay_s
    if intent["capture_method"] == AT_ONCE or delay_s == 0:
        charge = _with_transaction(call, charge)
    else:
        set_timer(call.db, SETTLE, charge["id"], call.now + delay_s)
    if card.later in {"dispute", "inquiry"}:
        due = call.now + call.world.config.dispute_delay_s
        set_timer(call.db, f"{DISPUTE}:{card.later}", charge["id"], due)
    emit(call, "charge.succeeded", charge)
    return charge


def fail(call: Call, charge: Thing, code: str, decline_code: str, message: str) -> Thing:
    """The issuer says no."""
    charge.update(paid=False, status="failed", failure_code=code, failure_message=message)
    charge["outcome"] = {
        **charge["outcome"],
        "network_status": "declined_by_network",
        "reason": decline_code,
        "seller_message": "The bank did not return any further details with this decline."
        if decline_code == "generic_decline"
        else f"The bank returned the decline code `{decline_code}`.",
        "type": "issuer_declined",
    }
    put(call.db, charge, call.now)
    emit(call, "charge.failed", charge)
    return charge


def needs_authentication(call: Call, charge: Thing) -> Thing:
    """The issuer says no, because nobody authenticated."""
    code = "authentication_required"
    return fail(call, charge, code, code, MESSAGES[code])


def _with_transaction(call: Call, charge: Thing) -> Thing:
    fee = charge_fee(charge["amount"], known_currency(charge["currency"]))
    transaction = record(
        call, "charge", charge, charge["amount"], fee=fee, description=charge["description"]
    )
    charge["balance_transaction"] = transaction["id"]
    return put(call.db, charge, call.now)


def settle(call: Call, identifier: str) -> Thing:
    """Give a paid charge its balance transaction, if it has none yet; gives the charge."""
    charge = get(call.db, "charge", identifier)
    if charge["paid"] and charge["balance_transaction"] is None:
        charge = _with_transaction(call, charge)
        emit(call, "charge.updated", charge, {"balance_transaction": None})
    return charge


def with_refunds(call: Call, charge: Thing) -> Thing:
    """The charge with the list of its refunds, newest first: as in Stripe, only when expanded."""
    refunds = list_all(call.db, "refund", charge=charge["id"])[::-1]
    listed = {**charge["refunds"], "data": refunds[:10], "has_more": len(refunds) > 10}
    return {**charge, "refunds": listed}


def retrieve_charge(call: Call) -> Thing:
    """GET /v1/charges/{id}."""
    return get(call.db, "charge", call.ids[0])


def update_charge(call: Call) -> Thing:
    """POST /v1/charges/{id}."""
    params = read(call, UpdateCharge)
    charge = get(call.db, "charge", call.ids[0])
    update_fields(charge, params, "description", "metadata", "receipt_email")
    put(call.db, charge, call.now)
    emit(call, "charge.updated", charge)
    return charge


def list_charges(call: Call) -> Thing:
    """GET /v1/charges."""
    params = read(call, ListCharges)
    return page(
        call,
        "charge",
        params,
        customer=params.customer,
        payment_intent=params.payment_intent,
        transfer_group=params.transfer_group,
    )
