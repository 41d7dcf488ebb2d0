"""Holding what went back of top-ups against wallets and journal; part of `fieldfare verify`.

Each refund of a top-up has the request and the legs that its amount and its credits make; a top-up
says how many of its credits are gone, its refunds and lost disputes say so too, and so do the
entries and debts of its account. Everything is read in pages.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from typing import Any

from fieldfare.db.pool import Connection
from fieldfare.kernel.currency import UnknownCurrency, get_currency, micro_from_minor
from fieldfare.kernel.findings import Finding
from fieldfare.kernel.money import micro_from_cents
from fieldfare.ledger.model import BookTotals, MovementKind, MovementTotals
from fieldfare.ledger.service.totals import find_credits_taken, find_movements
from fieldfare.ledger.service.verify import wallet_ranges
from fieldfare.payments import store
from fieldfare.payments.service.verify_refunds import refund_faults
from fieldfare.payments.service.verifying import LOWEST_ID

PAGE_ROWS = 2_000


async def verify_returns(conn: Connection, page_rows: int = PAGE_ROWS) -> AsyncIterator[Finding]:
    """Each refund of a top-up, each top-up, and each account, with what is gone of its top-ups."""
    async for finding in _verify_refunds(conn, page_rows):
        yield finding
    async for finding in _verify_top_ups(conn, page_rows):
        yield finding
    async for finding in _verify_accounts(conn, page_rows):
        yield finding


async def _verify_refunds(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    after = LOWEST_ID
    while page := await store.list_top_up_refunds_from(conn, after_id=after, at_most=page_rows):
        movements = await find_movements(conn, [row["id"] for row in page])
        for row in page:
            for message in _refund_faults(row, movements.get(row["id"], {})):
                yield Finding("payments.refund", f"id={row['id']}", message)
        after = page[-1]["id"]


def _refund_faults(row: Any, legs: MovementTotals) -> Iterator[str]:
    if row["currency"] != row["payment_currency"]:
        yield f"currency is {row['currency']}, its charge is in {row['payment_currency']}"
    yield from refund_faults(row)
    holds_credits = row["origin"] == "operator" or row["state"] == "succeeded"
    if holds_credits and row["credits_cents"] is None:
        yield "it says of no credits that they went with it"
    if row["state"] == "failed" and row["credits_cents"]:
        yield f"it failed and credits_cents is {row['credits_cents']}"
    try:
        yield from leg_faults(row, legs, kind="refund")
    except UnknownCurrency as error:
        yield str(error)


def leg_faults(row: Any, legs: MovementTotals, *, kind: MovementKind) -> Iterator[str]:
    """What the movement of money that has left the processor differs in from its row.

    `row` has state, amount_minor, currency and credits_cents. Dollars that others took beyond the
    credits lie in suspense as those do. Raises `UnknownCurrency`.
    """
    found: BookTotals = {(where, code): micro for (_, where, code), micro in legs.items()}
    if any(said != kind for said, _, _ in legs):
        yield f"a leg of its movement is no {kind}"
    if row["state"] not in ("succeeded", "lost"):
        if found:
            yield f"it is {row['state']} and has legs in the journal"
        return
    currency, cents = row["currency"], row["credits_cents"] or 0
    gone_micro = micro_from_minor(row["amount_minor"], get_currency(currency))
    if found.get(("processor", currency)) != gone_micro:
        said = found.get(("processor", currency), 0)
        yield f"in the book of the processor it is {said} micro, should be {gone_micro}"
    taken_micro, due_micro = _taken_micro(found), micro_from_cents(cents)
    beyond = currency == "USD" and row.get("origin") != "operator"
    agrees = due_micro <= taken_micro == gone_micro if beyond else due_micro == taken_micro
    if not agrees:
        yield f"credits_cents is {cents}, its movement took {taken_micro} micro"


def _taken_micro(found: BookTotals) -> int:
    """Of the credits: what was put aside or taken, and what is owed instead."""
    return -found.get(("suspense", "USD"), 0) - found.get(("receivables", "USD"), 0)


async def _verify_top_ups(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    after = LOWEST_ID
    while page := await store.list_top_ups_from(conn, after_id=after, at_most=page_rows):
        said = await store.list_returns_of_top_ups(conn, [row["id"] for row in page])
        by_top_up = _by(said, "subject_id")
        for row in page:
            own = by_top_up.get(row["id"], [])
            # A processor that gave back more than it had taken cannot take more credits than all.
            due = min(sum(one["credits_cents"] for one in own), row["amount_cents"])
            if row["returned_cents"] != due:
                message = f"returned_cents is {row['returned_cents']}, what went back says {due}"
                yield Finding("payments.top_up", f"id={row['id']}", message)
                for finding in _of_each(own, f"of its top-up {row['id']}, {message}"):
                    yield finding
        after = page[-1]["id"]


async def _verify_accounts(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    async for span in wallet_ranges(conn, page_rows):
        bounds = {
            "above_account_id": span.above_account_id,
            "up_to_account_id": span.up_to_account_id,
        }
        taken = await find_credits_taken(conn, **bounds)
        by_account = _by(await store.list_returns_of_accounts(conn, **bounds), "account_id")
        for account_id in sorted({*taken, *by_account}):
            own = by_account.get(account_id, [])
            due_micro = micro_from_cents(sum(one["credits_cents"] for one in own))
            if taken.get(account_id, 0) != due_micro:
                message = (
                    f"{taken.get(account_id, 0)} micro were taken or left owed for top-ups that "
                    f"went back, those say {due_micro}"
                )
                yield Finding("ledger.wallet", f"account_id={account_id}", message)
                for finding in _of_each(own, f"of account {account_id}, {message}"):
                    yield finding


def _by(rows: list[Any], column: str) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        found[row[column]].append(row)
    return found


def _of_each(rows: list[Any], message: str) -> Iterator[Finding]:
    """Where a sum differs, any of its parts may be the wrong one: all are named."""
    for row in rows:
        yield Finding(row["table_name"], row["row_key"], message)
