"""Holding purchases against what was recorded elsewhere; part of `fieldfare verify`.

Each purchase is priced and split once more from the catalogue as its revision tells of it, and held
against its lines, the ledger's debit or the payment by card, and its own numbers; each debit and
payment against the purchase it paid for; each wallet's totals against the lines. So a wrong byte in
any one of them names its row.
Everything is read in pages, so memory is bounded by the catalogue's history alone.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

from fieldfare.catalog.service.verifying import list_past_catalogues
from fieldfare.db.pool import Connection
from fieldfare.kernel.currency import RateRefused, UnknownCurrency, charge_minor, get_currency
from fieldfare.kernel.findings import Finding
from fieldfare.kernel.money import micro_from_cents
from fieldfare.ledger.service.verify import all_deductions, find_deductions, wallet_ranges
from fieldfare.orders import store
from fieldfare.orders.model import OrderKind
from fieldfare.orders.rules import price_cents
from fieldfare.orders.service.verify_cards import (
    frozen_lines,
    verify_cards,
    verify_orphan_payments,
)
from fieldfare.orders.service.verify_catalogue import (
    PastCatalogues,
    catalogue_faults,
    differences,
    of_line,
    of_purchase,
    past_catalogues,
)

PAGE_ROWS = 2_000
LOWEST_ID, HIGHEST_ID = UUID(int=0), UUID(int=2**128 - 1)
# An entry's id is drawn right after its purchase's. The first 48 bits of an id are milliseconds.
ENTRY_SLACK = 3_600_000 << 80
UNPAID = ("pending", "failed")
NOTHING_OF: dict[OrderKind, dict[str, Any]] = {
    "offset": {"trees": 0, "project_id": None},
    "tree": {"mass_mg": 0, "portfolio_id": None, "unit_price_cents": None},
    "project": {"trees": 0, "portfolio_id": None, "unit_price_cents": None},
}
"""What a purchase of each kind does not have."""


async def verify_orders(conn: Connection, page_rows: int = PAGE_ROWS) -> AsyncIterator[Finding]:
    """Every purchase, line and total that does not agree with the rest."""
    past = past_catalogues(await list_past_catalogues(conn))
    after = LOWEST_ID
    while page := await store.list_purchases_from(conn, after_id=after, at_most=page_rows):
        async for finding in _verify_page(conn, page, past):
            yield finding
        after = page[-1]["id"]
    async for finding in _verify_orphans(conn, page_rows):
        yield finding
    async for finding in _verify_deductions(conn, page_rows):
        yield finding
    async for finding in verify_orphan_payments(conn, page_rows):
        yield finding
    async for finding in _verify_totals(conn, page_rows):
        yield finding


async def _verify_page(
    conn: Connection, page: list[Any], past: PastCatalogues
) -> AsyncIterator[Finding]:
    ids = [purchase["id"] for purchase in page]
    lines: dict[UUID, list[Any]] = defaultdict(list)
    async for line in store.list_lines_of_purchases(conn, ids):
        lines[line["purchase_id"]].append(line)
    debits = await find_deductions(
        conn,
        ids,
        from_id=UUID(int=max(ids[0].int - ENTRY_SLACK, LOWEST_ID.int)),
        to_id=UUID(int=min(ids[-1].int + ENTRY_SLACK, HIGHEST_ID.int)),
    )
    for purchase in page:
        own_lines = lines[purchase["id"]]
        for message in _purchase_faults(purchase, own_lines, debits.get(purchase["id"], [])):
            yield of_purchase(purchase, message)
        is_pending = purchase["state"] == "pending"
        meant = frozen_lines(purchase) if is_pending else own_lines
        for finding in catalogue_faults(purchase, meant, past):
            yield _of_quote(purchase, finding) if is_pending else finding
    async for finding in verify_cards(conn, page):
        yield finding


def _of_quote(purchase: Any, finding: Finding) -> Finding:
    """A line that is not written yet is named by the purchase that holds it."""
    return of_purchase(purchase, f"with its frozen quote: {finding.message}")


def _purchase_faults(
    purchase: Any, lines: list[Any], debits: list[tuple[int, int]]
) -> Iterator[str]:
    yield from _own_faults(purchase)
    if purchase["state"] in UNPAID:
        if lines:
            yield f"it is {purchase['state']} and has lines"
    else:
        yield from _sum_faults(purchase, lines)
    paid_by_credits = purchase["payment_method"] == "credits" and purchase["state"] not in UNPAID
    due = [(purchase["account_id"], purchase["amount_cents"])] if paid_by_credits else []
    if debits != due:
        yield f"the ledger's debits (account, cents) are {debits}, should be {due}"


def _own_faults(purchase: Any) -> Iterator[str]:
    """What a purchase says that its own other columns gainsay."""
    expected = {"charge_minor": _charge_minor(purchase), **NOTHING_OF[purchase["kind"]]}
    if purchase["kind"] == "offset":
        unit_price_cents = purchase["unit_price_cents"] or 0
        expected["amount_cents"] = price_cents(purchase["mass_mg"], unit_price_cents)
    # Nothing that is sold is taxed yet.
    expected |= {"tax_rate_ppm": 0, "tax_minor": 0}
    if purchase["payment_method"] == "credits":
        expected |= {"currency": "USD", "rate": 1}
    yield from differences(purchase, expected)


def _charge_minor(purchase: Any) -> int | None:
    """What the price comes to in the currency; None if there is no such rate or currency."""
    try:
        currency = get_currency(purchase["currency"])
        return charge_minor(purchase["amount_cents"], purchase["rate"], currency)
    except (UnknownCurrency, RateRefused):
        return None


def _sum_faults(purchase: Any, lines: list[Any]) -> Iterator[str]:
    for column, total in (
        ("mass_mg", purchase["mass_mg"]),
        ("trees", purchase["trees"]),
        ("amount_micro", micro_from_cents(purchase["amount_cents"])),
        ("billed_micro", micro_from_cents(purchase["amount_cents"])),
    ):
        said = sum(line[column] for line in lines)
        if said != total:
            yield f"the {column} of its lines sum to {said}, should be {total}"


async def _verify_orphans(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    after = LOWEST_ID
    while page := await store.list_orphan_lines(conn, after_id=after, at_most=page_rows):
        for line in page:
            yield of_line(line, f"its purchase {line['purchase_id']} is not there")
        after = page[-1]["id"]


async def _verify_deductions(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    async for page in all_deductions(conn, page_rows):
        paid_for = [d.purchase_id for d in page if d.purchase_id is not None]
        known = await store.list_known_purchases(conn, paid_for)
        for deduction in page:
            if deduction.purchase_id not in known:
                yield Finding(
                    "orders.purchase",
                    f"id={deduction.purchase_id}",
                    f"not there, ledger.entry id={deduction.entry_id} paid for it",
                )


async def _verify_totals(conn: Connection, page_rows: int) -> AsyncIterator[Finding]:
    async for span in wallet_ranges(conn, page_rows):
        said = await store.list_totals(
            conn,
            above_account_id=span.above_account_id,
            up_to_account_id=span.up_to_account_id,
        )
        for wallet in span.wallets:
            mass_mg, trees = said.pop(wallet.account_id, (0, 0))
            key = f"account_id={wallet.account_id}"
            if wallet.certified_mg != mass_mg:
                message = f"certified_mg is {wallet.certified_mg}, the lines say {mass_mg}"
                yield Finding("ledger.wallet", key, message)
            if wallet.trees != trees:
                message = f"trees are {wallet.trees}, the lines say {trees}"
                yield Finding("ledger.wallet", key, message)
        for account_id in said:
            yield Finding(
                "ledger.wallet", f"account_id={account_id}", "the wallet is not there, it has lines"
            )
