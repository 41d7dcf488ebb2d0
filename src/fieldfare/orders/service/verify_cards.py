"""Holding orders paid by card against what was asked of the card; part of `fieldfare verify`.

A purchase by card has one payment, of the same amount and in the state that its own allows; it is
known by its charge once it is paid, and until then it holds its lines and its answer frozen.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import msgspec

from fieldfare.db.pool import Connection
from fieldfare.kernel.findings import Finding
from fieldfare.orders import store
from fieldfare.orders.model import FrozenQuote
from fieldfare.orders.rules import EMPTY_ID
from fieldfare.payments.service.verifying import all_payments, find_payments, payment_faults

PAYMENT_STATES = {"pending": "pending", "failed": "failed"}
"""Of an order's payment; in any other state of the order it succeeded."""


async def verify_cards(conn: Connection, page: list[Any]) -> AsyncIterator[Finding]:
    """What of a page of purchases does not agree with their payments and charges."""
    ids = [purchase["id"] for purchase in page]
    payments = await find_payments(conn, ids)
    charges: dict[UUID, list[str]] = defaultdict(list)
    for charge_id, purchase_id in await store.list_charges_of(conn, ids):
        charges[purchase_id].append(charge_id)
    for purchase in page:
        paid_by = payments.get(purchase["id"], [])
        for message in _purchase_faults(purchase, len(paid_by), charges.get(purchase["id"], [])):
            yield Finding("orders.purchase", f"id={purchase['id']}", message)
        for payment in paid_by:
            for finding in _payment_findings(purchase, payment):
                yield finding


def _payment_findings(purchase: Any, payment: Any) -> Iterator[Finding]:
    """Where the two differ, either may be the wrong one: both are named."""
    for message in _differences(purchase, payment):
        yield Finding("payments.payment", f"id={payment['id']}", message)
        yield Finding("orders.purchase", f"id={purchase['id']}", f"its payment's {message}")
    for message in payment_faults(payment):
        yield Finding("payments.payment", f"id={payment['id']}", message)


def _purchase_faults(purchase: Any, payments: int, charges: list[str]) -> Iterator[str]:
    by_card = purchase["payment_method"] == "stripe"
    if payments != int(by_card):
        yield f"it has {payments} payments by card, should have {int(by_card)}"
    paid_by_card = by_card and purchase["state"] not in PAYMENT_STATES
    if (purchase["charge_id"] is not None) != paid_by_card:
        yield f"charge_id is {purchase['charge_id']} and it is {purchase['state']}"
    due = [] if purchase["charge_id"] is None else [purchase["charge_id"]]
    if charges != due:
        yield f"the charges that lead to it are {charges}, should be {due}"
    is_pending = purchase["state"] == "pending"
    if (purchase["quote"] is not None) != is_pending:
        yield f"it is {purchase['state']} and holds {'no' if is_pending else 'a'} frozen quote"
    elif is_pending:
        yield from _quote_faults(purchase)


def _quote_faults(purchase: Any) -> Iterator[str]:
    try:
        quote = msgspec.convert(purchase["quote"], FrozenQuote)
    except msgspec.ValidationError as error:
        yield f"its frozen quote cannot be read: {error}"
        return
    if not quote.answer.encode().startswith(EMPTY_ID):
        yield "its frozen answer does not begin with an empty id"


def _differences(purchase: Any, payment: Any) -> Iterator[str]:
    due = {
        "subject": "purchase",
        "account_id": purchase["account_id"],
        "amount_minor": purchase["charge_minor"],
        "currency": purchase["currency"],
        "amount_cents": purchase["amount_cents"],
        "rate": purchase["rate"],
        "charge_id": purchase["charge_id"],
        "state": PAYMENT_STATES.get(purchase["state"], "succeeded"),
    }
    for column, value in due.items():
        if payment[column] != value:
            yield f"{column} is {payment[column]}, should be {value}"


def frozen_lines(purchase: Any) -> list[dict[str, Any]]:
    """The lines that a pending purchase will get, as rows; none if its quote cannot be read."""
    try:
        quote = msgspec.convert(purchase["quote"], FrozenQuote)
    except msgspec.ValidationError:
        return []
    return [
        {
            "id": f"(in the quote of {purchase['id']})",
            "account_id": purchase["account_id"],
            "margin_micro": line.amount_micro - line.partner_micro,
            **msgspec.structs.asdict(line),
        }
        for line in quote.lines
    ]


async def verify_orphan_payments(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    """Payments for purchases that are not there."""
    async for page in all_payments(conn, page_rows):
        paid_for = [p["subject_id"] for p in page if p["subject"] == "purchase"]
        known = await store.list_known_purchases(conn, paid_for)
        for payment in page:
            if payment["subject"] == "purchase" and payment["subject_id"] not in known:
                yield Finding(
                    "payments.payment",
                    f"id={payment['id']}",
                    f"its purchase {payment['subject_id']} is not there",
                )
