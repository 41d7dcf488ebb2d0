"""Holding disputes about orders against the orders; part of `fieldfare verify`.

An order is disputed while a dispute about it is open, and only then. What a lost one took of its
order stands among the order's refunds, with the amount that the dispute's own movement left for it.
Each movement that says that it is a dispute has one. Everything is read in pages, but for the ids
of the disputes' movements: those are few beside the orders.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.kernel.currency import UnknownCurrency, get_currency, micro_from_minor
from fieldfare.kernel.findings import Finding
from fieldfare.ledger.model import MovementTotals
from fieldfare.ledger.service.totals import all_movements_of
from fieldfare.ledger.service.verify import find_entries
from fieldfare.orders import store
from fieldfare.payments.rules import dispute_movement, dispute_refund, dispute_return
from fieldfare.payments.service import verify_disputes as payments

PAGE_ROWS = 2_000
LOWEST_ID = UUID(int=0)


async def verify_disputes(conn: Connection, page_rows: int = PAGE_ROWS) -> AsyncIterator[Finding]:
    """Every dispute, and whatever was disputed, that does not agree with the rest."""
    async for finding in payments.verify_disputes(conn, page_rows):
        yield finding
    movements: set[UUID] = set()
    async for page in payments.all_disputes(conn, page_rows):
        movements.update(dispute_movement(row["dispute_id"]) for row in page)
        movements.update(dispute_return(row["dispute_id"]) for row in page)
        async for finding in _verify_page(conn, page):
            yield finding
    for check in (_verify_disputed, _verify_lost):
        async for finding in check(conn, page_rows):
            yield finding
    async for finding in _verify_moved(conn, movements, page_rows):
        yield finding


async def _verify_page(conn: Connection, page: list[Any]) -> AsyncIterator[Finding]:
    about_orders = [row for row in page if row["subject"] == "purchase"]
    states = await store.list_states_of_ids(conn, [row["subject_id"] for row in about_orders])
    refunds = await store.list_refunds_of_ids(
        conn, [dispute_refund(row["dispute_id"]) for row in about_orders]
    )
    legs = await payments.find_dispute_legs(conn, [row["dispute_id"] for row in about_orders])
    for row, own in zip(about_orders, legs, strict=True):
        state = states.get(row["subject_id"])
        if row["state"] == "open" and state not in ("disputed", "refunded"):
            message = f"its dispute {row['dispute_id']} is open and it is {state}"
            yield Finding("orders.purchase", f"id={row['subject_id']}", message)
        taken = refunds.get(dispute_refund(row["dispute_id"]))
        for message in _taken_faults(row, taken, own.net):
            yield Finding("payments.dispute", f"dispute_id={row['dispute_id']}", message)


def _taken_faults(row: Any, taken: Any, legs: MovementTotals) -> Iterator[str]:
    if taken is not None and taken["purchase_id"] != row["subject_id"]:
        yield f"it took of order {taken['purchase_id']} and is about {row['subject_id']}"
    if row["state"] != "lost":
        if taken is not None:
            yield f"it is {row['state']} and took {taken['amount_minor']} of its order"
        return
    taken_minor = 0 if taken is None else taken["amount_minor"]
    try:
        taken_micro = micro_from_minor(taken_minor, get_currency(row["currency"]))
    except UnknownCurrency:
        # It is named already.
        return
    left_micro = -legs.get(("dispute", "disputes", row["currency"]), 0)
    if taken_micro != left_micro:
        yield f"it took {taken_micro} micro of its order, its movement left {left_micro} for that"


async def _verify_disputed(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    after = LOWEST_ID
    while page := await store.list_disputed_from(conn, after_id=after, at_most=page_rows):
        disputes = await payments.find_disputes(conn, page)
        for purchase_id in page:
            if all(row["state"] != "open" for row in disputes.get(purchase_id, [])):
                message = "it is disputed, and no dispute about it is open"
                yield Finding("orders.purchase", f"id={purchase_id}", message)
        after = page[-1]


async def _verify_lost(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    after = LOWEST_ID
    while page := await store.list_lost_from(conn, after_id=after, at_most=page_rows):
        disputes = await payments.find_disputes(conn, [row["purchase_id"] for row in page])
        for row in page:
            about = disputes.get(row["purchase_id"], [])
            if row["id"] not in {dispute_refund(one["dispute_id"]) for one in about}:
                message = f"no dispute of order {row['purchase_id']} took it"
                yield Finding("orders.refund", f"id={row['id']}", message)
        after = page[-1]["id"]


async def _verify_moved(
    conn: Connection, movements: set[UUID], page_rows: int
) -> AsyncIterator[Finding]:
    async for page in all_movements_of(conn, ("dispute",), page_rows):
        explained = {
            *movements,
            *await store.list_refunds_of_ids(conn, page),
            *await find_entries(conn, page),
        }
        for movement_id in page:
            if movement_id not in explained:
                message = "no dispute stands behind it"
                yield Finding("ledger.journal", f"movement_id={movement_id}", message)
