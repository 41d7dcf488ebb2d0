"""Holding disputes against their payments and legs; part of `fieldfare verify`.

While a dispute is open its money is out of the processor and in the book `disputes`; won, both are
as before. What a lost one makes of a top-up is checked here, of an order by the orders.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from fieldfare.db.pool import Connection
from fieldfare.kernel.currency import UnknownCurrency, get_currency, micro_from_minor
from fieldfare.kernel.findings import Finding
from fieldfare.ledger.model import MovementTotals
from fieldfare.ledger.service.totals import find_movements
from fieldfare.payments import rules, store
from fieldfare.payments.service.verify_returns import leg_faults

PAGE_ROWS = 2_000


async def all_disputes(conn: Connection, page_rows: int) -> AsyncIterator[list[Any]]:
    """For features above: every dispute with what its payment says, in pages."""
    after = ""
    while page := await store.list_disputes_from(conn, after_id=after, at_most=page_rows):
        yield page
        after = page[-1]["dispute_id"]


async def verify_disputes(conn: Connection, page_rows: int = PAGE_ROWS) -> AsyncIterator[Finding]:
    """Every dispute that does not agree with its payment or its movement in the journal."""
    async for page in all_disputes(conn, page_rows):
        ids = [rules.dispute_movement(row["dispute_id"]) for row in page]
        movements = await find_movements(conn, ids)
        for row, movement_id in zip(page, ids, strict=True):
            for message in _faults(row, movements.get(movement_id, {})):
                yield Finding("payments.dispute", f"dispute_id={row['dispute_id']}", message)


def _faults(row: Any, legs: MovementTotals) -> Iterator[str]:
    if row["payment_state"] != "succeeded":
        yield f"its payment {row['payment_id']} is {row['payment_state'] or 'not there'}"
        return
    if row["currency"] != row["payment_currency"]:
        yield f"currency is {row['currency']}, its charge is in {row['payment_currency']}"
    open_withdrawals = row["withdrawals"] - row["returns"]
    if open_withdrawals != (0 if row["state"] == "won" else 1):
        yield (
            f"it is {row['state']}; withdrawals are {row['withdrawals']} and returns "
            f"{row['returns']}"
        )
    takes_credits = row["subject"] == "top_up" and row["state"] == "lost"
    if (row["credits_cents"] is not None) != takes_credits:
        yield f"credits_cents is {row['credits_cents']} and it is {row['state']}"
    try:
        if takes_credits:
            yield from leg_faults(row, legs, kind="dispute")
            return
        yield from _open_faults(row, legs)
    except UnknownCurrency as error:
        yield str(error)


def _open_faults(row: Any, legs: MovementTotals) -> Iterator[str]:
    """Of a lost one, what was more than the order had left went on from `disputes` to suspense."""
    currency = row["currency"]
    gone_micro = micro_from_minor(row["amount_minor"], get_currency(currency))
    if row["state"] == "won":
        gone_micro = 0
    due: MovementTotals = {
        ("dispute", "processor", currency): gone_micro,
        ("dispute", "disputes", currency): -gone_micro,
    }
    if row["state"] == "lost":
        excess_micro = -legs.get(("dispute", "suspense", currency), 0)
        due["dispute", "disputes", currency] += excess_micro
        due["dispute", "suspense", currency] = -excess_micro
    due = {key: micro for key, micro in due.items() if micro}
    if dict(legs) != due:
        yield f"its legs in the journal come to {_shown(legs)}, should be {_shown(due)}"


def _shown(legs: MovementTotals) -> str:
    parts = (
        f"{micro} micro {code} in {book} ({kind})"
        for (kind, book, code), micro in sorted(legs.items())
    )
    return ", ".join(parts) or "nothing"
