"""Holding the processor's record of our balance against our own rows; part of `fieldfare verify`.

Each transaction has the legs that it must have, and its source says what it says; each payment,
refund and dispute has its transaction; no leg stands for a transaction that is not there. What was
settled shortly before the last import, or after it, need not show there yet.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any

from fieldfare.db.pool import Connection
from fieldfare.kernel.currency import UnknownCurrency
from fieldfare.kernel.findings import Finding
from fieldfare.ledger.model import MovementKind, MovementTotals
from fieldfare.ledger.service.totals import all_movements_of, find_movements
from fieldfare.payments import rules, store
from fieldfare.payments.model import BookedTransaction
from fieldfare.payments.service.balance import PATIENCE

PAGE_ROWS = 2_000
OUR_KINDS: tuple[MovementKind, ...] = ("processor_fee", "exchange", "payout", "suspense")
"""Movements that nothing but an import writes."""
SOURCE_TABLES = {
    "charge": ("payments.payment", "id"),
    "refund": ("payments.refund", "id"),
    "refund_failure": ("payments.refund", "id"),
    "dispute": ("payments.dispute", "dispute_id"),
    "dispute_reversal": ("payments.dispute", "dispute_id"),
}
"""Where the row of a source is, and what its key is called."""


async def verify_balance(
    conn: Connection, page_rows: int = PAGE_ROWS, *, settled_by: datetime | None = None
) -> AsyncIterator[Finding]:
    """Each balance transaction against its legs and its source, and each source against it.

    What was settled by `settled_by` must be on record; an hour before the last import, if that is
    not said, and nothing before the first one.
    """
    if settled_by is None:
        complete_to = (await store.find_balance_import(conn))["complete_to"]
        settled_by = None if complete_to is None else complete_to - PATIENCE
    async for finding in _verify_transactions(conn, page_rows, settled_by):
        yield finding
    if settled_by is not None:
        async for finding in _verify_sources(conn, page_rows, settled_by):
            yield finding
    async for finding in _verify_movements(conn, page_rows):
        yield finding


async def _verify_transactions(
    conn: Connection, page_rows: int, settled_by: datetime | None
) -> AsyncIterator[Finding]:
    after = ""
    while page := await store.list_transactions_from(conn, after_id=after, at_most=page_rows):
        on_record = await find_movements(conn, [row["movement_id"] for row in page])
        for row in page:
            legs = on_record.get(row["movement_id"], {})
            late = _is_before(row["moved_at"], settled_by)
            for message in _transaction_faults(row, legs):
                yield _of_transaction(row, message)
            for finding in _source_findings(row, late=late):
                yield finding
        after = page[-1]["transaction_id"]


def _is_before(moved_at: datetime | None, settled_by: datetime | None) -> bool:
    return moved_at is not None and settled_by is not None and moved_at <= settled_by


def _of_transaction(row: Any, message: str) -> Finding:
    key = f"transaction_id={row['transaction_id']}"
    return Finding("payments.balance_transaction", key, message)


def _transaction_faults(row: Any, legs: MovementTotals) -> Iterator[str]:
    if row["net_minor"] != row["amount_minor"] - row["fee_minor"]:
        yield (
            f"net_minor is {row['net_minor']}, amount_minor {row['amount_minor']} less fee_minor "
            f"{row['fee_minor']}"
        )
    fields = BookedTransaction.__struct_fields__
    transaction = BookedTransaction(**{name: row[name] for name in fields})
    try:
        due = rules.movement_of(transaction)
        fault = rules.amount_fault(transaction, row["exchange_rate"])
    except UnknownCurrency as error:
        yield str(error)
        return
    if legs != due:
        yield f"its legs in the journal come to {_shown(legs)}, should be {_shown(due)}"
    if fault is not None:
        yield fault


def _source_findings(row: Any, *, late: bool) -> Iterator[Finding]:
    """Where the two differ, either may be the wrong one: both are named."""
    if row["source_minor"] is None:
        if row["moved_minor"] is not None and late:
            message = f"it stands in suspense, though its source {row['source_id']} is known"
            yield _of_transaction(row, message)
        return
    noted = f"{row['source_minor']} {row['source_currency']}"
    if row["moved_minor"] is None:
        yield _of_transaction(row, f"{noted} moved, its source {row['source_id']} is not there")
    elif noted != (said := f"{row['moved_minor']} {row['moved_currency']}"):
        table, key = SOURCE_TABLES[row["role"]]
        yield _of_transaction(row, f"source_minor is {noted}, its source says {said}")
        message = f"it says {said}, balance transaction {row['transaction_id']} says {noted}"
        yield Finding(table, f"{key}={row['row_id']}", message)


def _shown(legs: MovementTotals) -> str:
    parts = (
        f"{micro} micro {code} in {book} ({kind})"
        for (kind, book, code), micro in sorted(legs.items())
    )
    return ", ".join(parts) or "nothing"


async def _verify_sources(
    conn: Connection, page_rows: int, moved_by: datetime
) -> AsyncIterator[Finding]:
    after = ("", "")
    while page := await store.list_unmet_sources(
        conn, after=after, moved_by=moved_by, at_most=page_rows
    ):
        for row in page:
            table, key = SOURCE_TABLES[row["role"]]
            yield Finding(
                table,
                f"{key}={row['row_id']}",
                f"{row['moved_minor']} {row['currency']} moved ({row['role']} "
                f"{row['source_id']}), times: {row['times']}; the processor's balance shows "
                f"{row['matched']}",
            )
        after = (page[-1]["role"], page[-1]["row_id"])


async def _verify_movements(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    async for page in all_movements_of(conn, OUR_KINDS, page_rows):
        known = await store.list_known_movements(conn, page)
        for movement_id in page:
            if movement_id not in known:
                yield Finding(
                    "ledger.journal",
                    f"movement_id={movement_id}",
                    "its balance transaction is not there",
                )
