"""Holding refunds against what they took back and what moved the money; part of `fieldfare verify`.

A purchase and each of its lines say how much of them is back: that is what their refunds come to,
never more than there was, and all of it once all of the charge is. A refund is the sum of its parts
of the lines; it has its ledger entry or its row among the payments, of the same amount, and its
legs in the journal. Each of those has its refund. Everything is read in pages.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.kernel.currency import UnknownCurrency, get_currency, micro_from_minor
from fieldfare.kernel.findings import Finding
from fieldfare.kernel.money import micro_from_cents
from fieldfare.ledger.model import MovementKind, MovementTotals
from fieldfare.ledger.service.totals import all_movements_of, find_movements
from fieldfare.ledger.service.verify import all_order_refund_entries, find_entries
from fieldfare.orders import store
from fieldfare.payments.service import verify_refunds as payments

PAGE_ROWS = 2_000
LOWEST_ID = UUID(int=0)
UNPAID = ("pending", "failed")


async def verify_refunds(conn: Connection, page_rows: int = PAGE_ROWS) -> AsyncIterator[Finding]:
    """Every refund, and whatever was refunded, that does not agree with the rest."""
    for check in (_verify_purchases, _verify_lines, _verify_refunds, _verify_sent, _verify_moved):
        async for finding in check(conn, page_rows):
            yield finding


async def _verify_purchases(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    after = LOWEST_ID
    while page := await store.list_wrongly_refunded(conn, after_id=after, at_most=page_rows):
        for row in page:
            message = (
                f"it is {row['state']}, refunded_minor is {row['refunded_minor']} of "
                f"{row['charge_minor']}, its refunds come to {row['said_minor']}"
            )
            yield Finding("orders.purchase", f"id={row['id']}", message)
        after = page[-1]["id"]


async def _verify_lines(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    after = LOWEST_ID
    while page := await store.list_wrongly_refunded_lines(conn, after_id=after, at_most=page_rows):
        for row in page:
            message = (
                f"refunded of it are {row['refunded_mg']} mg, {row['refunded_trees']} trees, "
                f"{row['refunded_micro']} micro (at {row['refunded_at']}); its refunds come to "
                f"{row['said_mg']}, {row['said_trees']}, {row['said_micro']}, of that "
                f"{row['said_partner_micro']} the partner's; it holds {row['mass_mg']}, "
                f"{row['trees']}, {row['amount_micro']}, {row['partner_micro']}"
                f"{', and all of its order was refunded' if row['is_whole'] else ''}"
            )
            yield Finding("orders.line", f"id={row['id']}", message)
        after = page[-1]["id"]


async def _verify_refunds(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    after = LOWEST_ID
    while page := await store.list_refunds_from(conn, after_id=after, at_most=page_rows):
        async for finding in _verify_page(conn, page):
            yield finding
        after = page[-1]["id"]


async def _verify_page(conn: Connection, page: list[Any]) -> AsyncIterator[Finding]:
    ids = [refund["id"] for refund in page]
    parts: dict[UUID, list[Any]] = defaultdict(list)
    for part in await store.list_refund_lines_of(conn, ids):
        parts[part["refund_id"]].append(part)
    sent = await payments.find_order_refunds(conn, ids)
    returned = await payments.find_returned(conn, [row["payment_id"] for row in sent.values()])
    entries = await find_entries(conn, ids)
    movements = await find_movements(conn, ids)
    for refund in page:
        own = parts[refund["id"]]
        for finding in _part_findings(refund, own):
            yield finding
        for message in _own_faults(refund):
            yield _of_refund(refund, message)
        by_card = sent.get(refund["id"])
        if refund["origin"] != "dispute" and refund["payment_method"] == "stripe":
            for finding in _sent_findings(refund, by_card, returned):
                yield finding
        elif refund["payment_method"] == "credits":
            for message in _entry_faults(refund, entries.get(refund["id"])):
                yield _of_refund(refund, message)
        for message in _leg_faults(refund, own, by_card, movements.get(refund["id"], {})):
            yield _of_refund(refund, message)


def _of_refund(refund: Any, message: str) -> Finding:
    return Finding("orders.refund", f"id={refund['id']}", message)


def _of_sent(refund: Any, message: str) -> Finding:
    return Finding("payments.refund", f"id={refund['id']}", message)


def _part_findings(refund: Any, parts: list[Any]) -> Iterator[Finding]:
    """Where the sums differ, the refund or any part of it may be the wrong one: all are named."""
    for part in parts:
        for message in _part_faults(refund, part):
            yield _of_part(part, message)
    for column in ("amount_micro", "mass_mg", "trees"):
        said, total = refund[column], sum(part[column] for part in parts)
        if said != total:
            message = f"the {column} of its lines sum to {total}, and it says {said}"
            yield _of_refund(refund, message)
            for part in parts:
                yield _of_part(part, f"of its refund, {message}")


def _of_part(part: Any, message: str) -> Finding:
    key = f"refund_id={part['refund_id']} line_id={part['line_id']}"
    return Finding("orders.refund_line", key, message)


def _part_faults(refund: Any, part: Any) -> Iterator[str]:
    if part["amount_micro"] != part["partner_micro"] + part["margin_micro"]:
        yield (
            f"amount_micro is {part['amount_micro']}, its parts are {part['partner_micro']} and "
            f"{part['margin_micro']}"
        )
    due = {
        "purchase_id": refund["purchase_id"],
        "project_id": part["line_project_id"],
        "partner_id": part["line_partner_id"],
    }
    for column, value in due.items():
        if part[column] != value:
            yield f"{column} is {part[column]}, should be {value}"


def _own_faults(refund: Any) -> Iterator[str]:
    if not refund["has_purchase"]:
        yield f"its purchase {refund['purchase_id']} is not there"
        return
    if refund["purchase_state"] in UNPAID:
        yield f"its purchase is {refund['purchase_state']}"
    for column in ("account_id", "currency"):
        if refund[column] != refund[f"purchase_{column}"]:
            yield f"{column} is {refund[column]}, its purchase's {refund[f'purchase_{column}']}"


def _sent_findings(refund: Any, sent: Any, returned: dict[UUID, int]) -> Iterator[Finding]:
    """Where the two differ, either may be the wrong one: both are named."""
    if sent is None:
        yield _of_refund(refund, "it has no row in payments.refund")
        return
    due = {
        "subject_id": refund["purchase_id"],
        "currency": refund["currency"],
        "origin": refund["origin"],
    }
    # What came back to us once may be given back once more, and a bank may take what went back.
    excess_minor = sent["amount_minor"] - refund["amount_minor"]
    if not 0 <= excess_minor <= returned.get(sent["payment_id"], 0):
        due["amount_minor"] = refund["amount_minor"]
    if not (refund["state"] == "failed" and returned.get(sent["payment_id"])):
        due["state"] = refund["state"]
    for column, value in due.items():
        if sent[column] != value:
            message = f"{column} is {sent[column]}, should be {value}"
            yield _of_sent(sent, message)
            yield _of_refund(refund, f"in payments.refund its {message}")


def _entry_faults(refund: Any, entry: Any) -> Iterator[str]:
    if entry is None:
        yield "its ledger entry is not there"
        return
    due = {
        "kind": "refund",
        "account_id": refund["account_id"],
        "amount_cents": refund["amount_minor"],
    }
    for column, value in due.items():
        if entry[column] != value:
            yield f"its entry's {column} is {entry[column]}, should be {value}"


def _leg_faults(refund: Any, parts: list[Any], sent: Any, totals: MovementTotals) -> Iterator[str]:
    try:
        due = _due_legs(refund, parts, sent) if refund["state"] == "succeeded" else {}
    except UnknownCurrency as error:
        yield str(error)
        return
    if refund["state"] == "failed" and sent is not None and sent["state"] == "succeeded":
        due = _excess_legs(sent, sent["amount_minor"])
    for key in sorted({*due, *totals}):
        said, should = totals.get(key, 0), due.get(key, 0)
        if said != should:
            kind, book, currency = key
            yield f"in the journal its {kind} in {book} is {said} micro {currency}, not {should}"


def _due_legs(refund: Any, parts: list[Any], sent: Any) -> MovementTotals:
    """What the journal should say of a refund that took effect; nothing that is zero."""
    kind: MovementKind = "dispute" if refund["origin"] == "dispute" else "refund"
    partner_micro = sum(part["partner_micro"] for part in parts)
    margin_micro = sum(part["margin_micro"] for part in parts)
    due: MovementTotals = defaultdict(int)
    due[kind, "partners", "USD"] -= partner_micro
    due[kind, "margin", "USD"] -= margin_micro
    code, minor = refund["currency"], refund["amount_minor"]
    if refund["payment_method"] == "credits":
        due[kind, "credits", "USD"] += micro_from_cents(minor)
    else:
        gone_micro = micro_from_minor(minor, get_currency(code))
        due[kind, "disputes" if kind == "dispute" else "processor", code] += gone_micro
        if code != "USD":
            due[kind, "exchange", code] -= gone_micro
            due[kind, "exchange", "USD"] += partner_micro + margin_micro
    if sent is not None and sent["amount_minor"] > minor:
        for key, micro in _excess_legs(sent, sent["amount_minor"] - minor).items():
            due[key] += micro
    return {key: micro for key, micro in due.items() if micro}


def _excess_legs(sent: Any, excess_minor: int) -> MovementTotals:
    paid_micro = micro_from_minor(excess_minor, get_currency(sent["currency"]))
    return {
        ("refund", "processor", sent["currency"]): paid_micro,
        ("refund", "suspense", sent["currency"]): -paid_micro,
    }


async def _verify_sent(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    """Each refund to a card against itself, and that there is something which it refunds."""
    async for page in payments.all_order_refunds(conn, page_rows):
        ids = [sent["id"] for sent in page]
        known = await store.list_refunds_of_ids(conn, ids)
        returned = await payments.find_returned(conn, [row["payment_id"] for row in page])
        movements = await find_movements(conn, ids)
        for sent in page:
            for message in payments.refund_faults(sent):
                yield _of_sent(sent, message)
            if sent["id"] in known:
                continue
            # It may have gone to whom an earlier one did not reach, with nothing left to give up.
            if not returned.get(sent["payment_id"]) or sent["origin"] == "operator":
                yield _of_sent(sent, "no order's refund stands behind it")
            elif sent["state"] == "succeeded":
                due = _excess_legs(sent, sent["amount_minor"])
                if movements.get(sent["id"], {}) != due:
                    yield _of_sent(sent, "its legs in the journal are not those of its amount")


async def _verify_moved(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    """Each entry and movement that says that it is a refund has one."""
    async for page in all_order_refund_entries(conn, page_rows):
        known = await store.list_refunds_of_ids(conn, [entry["id"] for entry in page])
        for entry in page:
            refund = known.get(entry["id"])
            if refund is None or refund["purchase_id"] != entry["group_id"]:
                message = f"no refund of order {entry['group_id']} stands behind it"
                yield Finding("ledger.entry", f"id={entry['id']}", message)
    async for movement_ids in all_movements_of(conn, ("refund",), page_rows):
        explained = {
            *await store.list_refunds_of_ids(conn, movement_ids),
            *await payments.find_known_refunds(conn, movement_ids),
            *await find_entries(conn, movement_ids),
        }
        for movement_id in movement_ids:
            if movement_id not in explained:
                message = "no refund stands behind it"
                yield Finding("ledger.journal", f"movement_id={movement_id}", message)
