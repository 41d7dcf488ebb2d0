"""Holding top-ups against what was recorded elsewhere; part of `fieldfare verify`.

A top-up has one payment, of its amount at the payment's rate and in the state that its own allows.
A paid one has its charge, its entry in the ledger, and in the journal the card's side beside the
credits; an unpaid one has none of them. Each movement of the ledger that says that it is a top-up
has one. Everything is read in pages.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from fieldfare.db.pool import Connection
from fieldfare.kernel.currency import RateRefused, UnknownCurrency, charge_minor, get_currency
from fieldfare.kernel.findings import Finding
from fieldfare.kernel.money import micro_from_cents
from fieldfare.ledger.model import MovementTotals
from fieldfare.ledger.service.totals import all_movements_of, find_movements
from fieldfare.ledger.service.verify import find_entries
from fieldfare.payments import rules, store
from fieldfare.payments.service.verifying import (
    LOWEST_ID,
    all_payments,
    find_payments,
    payment_faults,
)

PAGE_ROWS = 2_000
PAYMENT_STATES = {"pending": "pending", "paid": "succeeded", "failed": "failed"}
"""Of a top-up's payment, by the top-up's own."""


async def verify_top_ups(conn: Connection, page_rows: int = PAGE_ROWS) -> AsyncIterator[Finding]:
    """Every top-up that does not agree with its payment, its entry and its legs."""
    after = LOWEST_ID
    while page := await store.list_top_ups_from(conn, after_id=after, at_most=page_rows):
        async for finding in _verify_page(conn, page):
            yield finding
        after = page[-1]["id"]
    async for finding in _verify_orphan_payments(conn, page_rows):
        yield finding
    async for finding in _verify_movements(conn, page_rows):
        yield finding


async def _verify_page(conn: Connection, page: list[Any]) -> AsyncIterator[Finding]:
    payments = await find_payments(conn, [top_up["id"] for top_up in page])
    all_paid_by = [payment for paid_by in payments.values() for payment in paid_by]
    at_no_rate = await store.list_payments_at_no_rate(conn, [p["id"] for p in all_paid_by])
    entry_ids = [top_up["entry_id"] for top_up in page if top_up["entry_id"] is not None]
    entries = await find_entries(conn, entry_ids)
    movements = await find_movements(conn, entry_ids)
    for top_up in page:
        paid_by = payments.get(top_up["id"], [])
        if len(paid_by) != 1:
            yield _of_top_up(top_up, f"it has {len(paid_by)} payments by card, should have one")
        for payment in paid_by:
            if payment["id"] in at_no_rate:
                yield _of_payment(payment, f"rate is {payment['rate']}, which was never on record")
            for finding in _payment_findings(top_up, payment):
                yield finding
        for message in _entry_faults(top_up, entries.get(top_up["entry_id"])):
            yield _of_top_up(top_up, message)
        if len(paid_by) == 1 and top_up["entry_id"] is not None:
            for message in _leg_faults(top_up, paid_by[0], movements.get(top_up["entry_id"], {})):
                yield _of_top_up(top_up, message)


def _of_top_up(top_up: Any, message: str) -> Finding:
    return Finding("payments.top_up", f"id={top_up['id']}", message)


def _of_payment(payment: Any, message: str) -> Finding:
    return Finding("payments.payment", f"id={payment['id']}", message)


def _payment_findings(top_up: Any, payment: Any) -> Iterator[Finding]:
    """Where the two differ, either may be the wrong one: both are named."""
    due = {
        "subject": "top_up",
        "account_id": top_up["account_id"],
        "amount_cents": top_up["amount_cents"],
        "amount_minor": _charge_minor(top_up, payment),
        "charge_id": top_up["charge_id"],
        "state": PAYMENT_STATES.get(top_up["state"]),
    }
    for message in _differences(payment, due):
        yield _of_payment(payment, message)
        yield _of_top_up(top_up, f"its payment's {message}")
    for message in payment_faults(payment):
        yield _of_payment(payment, message)


def _charge_minor(top_up: Any, payment: Any) -> int | None:
    """What the credits come to in the currency; None if there is no such rate or currency."""
    try:
        currency = get_currency(payment["currency"])
        return charge_minor(top_up["amount_cents"], payment["rate"], currency)
    except (UnknownCurrency, RateRefused):
        return None


def _entry_faults(top_up: Any, entry: Any) -> Iterator[str]:
    is_paid = top_up["state"] == "paid"
    for column in ("charge_id", "entry_id"):
        if (top_up[column] is not None) != is_paid:
            yield f"{column} is {top_up[column]} and it is {top_up['state']}"
    if entry is None:
        if top_up["entry_id"] is not None:
            yield f"its entry {top_up['entry_id']} is not there"
        return
    due = {
        "kind": "top_up",
        "account_id": top_up["account_id"],
        "amount_cents": top_up["amount_cents"],
    }
    for message in _differences(entry, due):
        yield f"its entry's {message}"


def _leg_faults(top_up: Any, payment: Any, totals: MovementTotals) -> Iterator[str]:
    try:
        against = rules.card_legs(
            currency=payment["currency"],
            amount_minor=payment["amount_minor"],
            amount_cents=payment["amount_cents"],
        )
    except UnknownCurrency:
        # Its payment's request names it already.
        return
    due: MovementTotals = {
        ("top_up", "credits", "USD"): micro_from_cents(top_up["amount_cents"]),
        **{("top_up", leg.book, leg.currency): leg.amount_micro for leg in against},
    }
    for key in sorted({*due, *totals}):
        said, should = totals.get(key, 0), due.get(key, 0)
        if said != should:
            kind, book, currency = key
            yield f"in the journal its {kind} in {book} is {said} micro {currency}, not {should}"


def _differences(row: Any, due: Mapping[str, Any]) -> Iterator[str]:
    for column, value in due.items():
        if row[column] != value:
            yield f"{column} is {row[column]}, should be {value}"


async def _verify_orphan_payments(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    async for page in all_payments(conn, page_rows):
        paid_for = [p["subject_id"] for p in page if p["subject"] == "top_up"]
        known = await store.list_known_top_ups(conn, paid_for)
        for payment in page:
            if payment["subject"] == "top_up" and payment["subject_id"] not in known:
                yield _of_payment(payment, f"its top-up {payment['subject_id']} is not there")


async def _verify_movements(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    async for page in all_movements_of(conn, ("top_up",), page_rows):
        known = await store.list_entries_of_top_ups(conn, page)
        for movement_id in page:
            if movement_id not in known:
                yield Finding(
                    "ledger.entry", f"id={movement_id}", "no top-up by card stands behind it"
                )
