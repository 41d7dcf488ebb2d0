"""Refunds, whole or in part.

What must hold: the refunds of a charge that did not fail never add up to more than was captured.
"""

from msgspec import UNSET

from fieldfare.simulators.stripe.amounts import known_currency, written
from fieldfare.simulators.stripe.balances import record
from fieldfare.simulators.stripe.cards import Later
from fieldfare.simulators.stripe.charges import settle
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
from fieldfare.simulators.stripe.payment_methods import card_of
from fieldfare.simulators.stripe.shapes import Thing, new
from fieldfare.simulators.stripe.store import find, get, put, set_timer
from fieldfare.simulators.stripe.world import Call

FINISH = "finish_refund"
FINISH_DELAY_S = 1.0
_REASONS = {"duplicate", "fraudulent", "requested_by_customer"}


class CreateRefund(Params, frozen=True, kw_only=True):
    """What is given back; everything that is left if there is no amount."""

    amount: Number = UNSET
    charge: Text = UNSET
    currency: Text = UNSET
    metadata: Metadata = UNSET
    payment_intent: Text = UNSET
    reason: Text = UNSET


class UpdateRefund(Params, frozen=True, kw_only=True):
    """Only its metadata."""

    metadata: Metadata = UNSET


class ListRefunds(ListParams, frozen=True, kw_only=True):
    """Filters of the list of refunds."""

    charge: Text = UNSET
    payment_intent: Text = UNSET


def create_refund(call: Call) -> Thing:
    """POST /v1/refunds."""
    params = read(call, CreateRefund)
    reason = text_or_none(params.reason)
    if reason is not None and reason not in _REASONS:
        raise invalid(
            f"Invalid reason: must be one of {', '.join(sorted(_REASONS))}", param="reason"
        )
    charge = _charge(call, params)
    amount = _amount(charge, params.amount)
    charge = settle(call, charge["id"])
    later = _later(call, charge)
    refund = new(
        "refund",
        call.now_s,
        amount=amount,
        charge=charge["id"],
        payment_intent=charge["payment_intent"],
        currency=charge["currency"],
        reason=reason,
        status="pending" if later == "refund_pends" else "succeeded",
    )
    update_fields(refund, params, "metadata")
    transaction = record(call, "refund", refund, -amount, description="REFUND FOR CHARGE")
    refund["balance_transaction"] = transaction["id"]
    put(call.db, refund, call.now)
    charge = _give_back(call, charge, amount)
    if later in {"refund_fails", "refund_pends"}:
        set_timer(call.db, f"{FINISH}:{later}", refund["id"], call.now + FINISH_DELAY_S)
    emit(call, "charge.refunded", charge)
    emit(call, "refund.created", refund)
    return refund


def _charge(call: Call, params: CreateRefund) -> Thing:
    charge, intent = text_or_none(params.charge), text_or_none(params.payment_intent)
    if (charge is None) == (intent is None):
        raise invalid("One of the following params should be provided: payment_intent or charge.")
    if intent is not None:
        found = get(call.db, "payment_intent", intent, param="payment_intent")
        if found["status"] != "succeeded":
            raise refused(
                f"This PaymentIntent ({intent}) does not have a successful charge to refund.",
                param="payment_intent",
            )
        charge = found["latest_charge"]
    assert charge is not None
    return get(call.db, "charge", charge, param="charge")


def _amount(charge: Thing, given: Number) -> int:
    """What is to be refunded, in minor units; raises `ApiError` as Stripe refuses."""
    if not charge["paid"]:
        raise refused(f"Charge {charge['id']} did not succeed, so it cannot be refunded.")
    if charge["disputed"]:
        raise refused(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )
    left: int = charge["amount_captured"] - charge["amount_refunded"]
    if left == 0:
        raise refused(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    if not isinstance(given, int):
        return left
    currency = known_currency(charge["currency"])
    if given < 1 or given % currency.step:
        raise invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
    if given > left:
        what = "unrefunded amount on charge" if charge["amount_refunded"] else "charge amount"
        raise refused(
            f"Refund amount ({written(given, currency)}) is greater than {what} "
            f"({written(left, currency)})",
            param="amount",
        )
    return given


def _later(call: Call, charge: Thing) -> Later:
    method = find(call.db, "payment_method", charge["payment_method"])
    return card_of(call, method)[0].later if method else ""


def _give_back(call: Call, charge: Thing, amount: int) -> Thing:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    return put(call.db, charge, call.now)


def finish(call: Call, identifier: str, later: str) -> None:
    """A refund to one of the cards whose refunds end later: it fails, or succeeds at last."""
    refund = get(call.db, "refund", identifier)
    if later == "refund_fails":
        refund["status"] = "failed"
        refund["failure_reason"] = "unknown"
        back = record(
            call, "refund_failure", refund, refund["amount"], description="REFUND FAILURE"
        )
        refund["failure_balance_transaction"] = back["id"]
        charge = get(call.db, "charge", refund["charge"])
        _give_back(call, charge, -refund["amount"])
    else:
        refund["status"] = "succeeded"
    put(call.db, refund, call.now)
    emit(call, "refund.updated", refund)
    if refund["status"] == "failed":
        emit(call, "refund.failed", refund)


def retrieve_refund(call: Call) -> Thing:
    """GET /v1/refunds/{id}."""
    return get(call.db, "refund", call.ids[0])


def update_refund(call: Call) -> Thing:
    """POST /v1/refunds/{id}."""
    params = read(call, UpdateRefund)
    refund = get(call.db, "refund", call.ids[0])
    update_fields(refund, params, "metadata")
    put(call.db, refund, call.now)
    emit(call, "refund.updated", refund)
    return refund


def list_refunds(call: Call) -> Thing:
    """GET /v1/refunds and /v1/charges/{id}/refunds."""
    params = read(call, ListRefunds)
    charge = call.ids[0] if call.ids else params.charge
    return page(call, "refund", params, charge=charge, payment_intent=params.payment_intent)
