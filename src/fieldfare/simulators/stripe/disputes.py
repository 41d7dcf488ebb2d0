"""Disputes: a card's owner takes the money back through their bank.

Opening one withdraws the amount and a fee; winning returns the amount, losing changes nothing more.
An inquiry (`warning_needs_response`) moves no money.
"""

from typing import Literal, TypeAlias

from msgspec import UNSET

from fieldfare.simulators.stripe.amounts import DISPUTE_FEE
from fieldfare.simulators.stripe.balances import record
from fieldfare.simulators.stripe.charges import settle
from fieldfare.simulators.stripe.errors import refused
from fieldfare.simulators.stripe.events import emit
from fieldfare.simulators.stripe.pages import ListParams, page
from fieldfare.simulators.stripe.params import Metadata, Params, Text, read, update_fields
from fieldfare.simulators.stripe.shapes import Thing, new
from fieldfare.simulators.stripe.store import get, list_all, put
from fieldfare.simulators.stripe.world import Call

Outcome: TypeAlias = Literal["won", "lost"]
ANSWER_DAYS = 7
_DAY_S = 86_400


class UpdateDispute(Params, frozen=True, kw_only=True):
    """Only its metadata."""

    metadata: Metadata = UNSET


class ListDisputes(ListParams, frozen=True, kw_only=True):
    """Filters of the list of disputes."""

    charge: Text = UNSET
    payment_intent: Text = UNSET


def find_dispute(call: Call, charge: str) -> Thing | None:
    """The dispute about a charge, or None."""
    found = list_all(call.db, "dispute", charge=charge)
    return found[-1] if found else None


def open_dispute(
    call: Call,
    identifier: str,
    *,
    reason: str = "fraudulent",
    inquiry: bool = False,
    part: int | None = None,
) -> Thing:
    """Dispute what was not refunded of a paid charge, or a `part` of that, in minor units.

    Raises `ApiError` if it is not paid, or disputed already.
    """
    charge = settle(call, identifier)
    left = charge["amount"] - charge["amount_refunded"]
    amount = left if part is None else part
    if not charge["paid"] or charge["disputed"] or not 0 < amount <= left:
        raise refused(f"Charge {identifier} cannot be disputed.", param="charge")
    dispute = new(
        "dispute",
        call.now_s,
        amount=amount,
        currency=charge["currency"],
        charge=charge["id"],
        payment_intent=charge["payment_intent"],
        reason=reason,
        status="warning_needs_response" if inquiry else "needs_response",
        is_charge_refundable=inquiry,
    )
    dispute["evidence_details"]["due_by"] = call.now_s + ANSWER_DAYS * _DAY_S
    brand = charge["payment_method_details"]["card"]["brand"]
    dispute["payment_method_details"]["card"].update(
        brand=brand, network=brand, case_type="inquiry" if inquiry else "chargeback"
    )
    if inquiry:
        put(call.db, dispute, call.now)
        emit(call, "charge.dispute.created", dispute)
        return dispute
    return _withdraw(call, dispute, charge)


def _withdraw(call: Call, dispute: Thing, charge: Thing) -> Thing:
    taken = record(
        call,
        "adjustment",
        dispute,
        -dispute["amount"],
        fee=DISPUTE_FEE,
        category="dispute",
        description=f"Chargeback withdrawal for {charge['id']}",
    )
    dispute["balance_transactions"] = [taken]
    put(call.db, dispute, call.now)
    charge["disputed"] = True
    put(call.db, charge, call.now)
    emit(call, "charge.dispute.created", dispute)
    emit(call, "charge.dispute.funds_withdrawn", dispute)
    emit(call, "charge.updated", charge, {"disputed": False})
    return dispute


def close_dispute(call: Call, dispute: Thing, outcome: Outcome) -> Thing:
    """The bank decides; raises `ApiError` if it has done so already."""
    if dispute["status"] in {"won", "lost", "warning_closed"}:
        raise refused(f"Dispute {dispute['id']} is closed already.", param="charge")
    inquiry = dispute["status"].startswith("warning_")
    dispute["status"] = "warning_closed" if inquiry else outcome
    returned = outcome == "won" and not inquiry
    if returned:
        back = record(
            call,
            "adjustment",
            dispute,
            dispute["amount"],
            category="dispute_reversal",
            description=f"Chargeback reversal for {dispute['charge']}",
        )
        dispute["balance_transactions"].append(back)
    put(call.db, dispute, call.now)
    emit(call, "charge.dispute.closed", dispute)
    if returned:
        emit(call, "charge.dispute.funds_reinstated", dispute)
    return dispute


def retrieve_dispute(call: Call) -> Thing:
    """GET /v1/disputes/{id}."""
    return get(call.db, "dispute", call.ids[0])


def update_dispute(call: Call) -> Thing:
    """POST /v1/disputes/{id}."""
    params = read(call, UpdateDispute)
    dispute = get(call.db, "dispute", call.ids[0])
    update_fields(dispute, params, "metadata")
    put(call.db, dispute, call.now)
    emit(call, "charge.dispute.updated", dispute)
    return dispute


def accept_dispute(call: Call) -> Thing:
    """POST /v1/disputes/{id}/close: the merchant gives in."""
    return close_dispute(call, get(call.db, "dispute", call.ids[0]), "lost")


def list_disputes(call: Call) -> Thing:
    """GET /v1/disputes."""
    params = read(call, ListDisputes)
    return page(call, "dispute", params, charge=params.charge, payment_intent=params.payment_intent)
