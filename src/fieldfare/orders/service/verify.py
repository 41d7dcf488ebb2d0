"""Holding purchases against their lines, their debits and the wallets; part of `fieldfare verify`.

Everything that a row says is worked out again from other rows: the price from mass and cost per
ton, the cost per ton from the lines' weights and unit prices, the split from the weights, the debit from
the ledger, totals from lines. So a wrong byte in any one of them is named.
"""

from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.kernel.findings import Finding
from fieldfare.kernel.ids import floor_id, instant_of
from fieldfare.kernel.money import MICRO_PER_CENT, PPM, micro_from_cents
from fieldfare.kernel.numbers import largest_remainder
from fieldfare.ledger.service.verify import all_wallets, find_deductions
from fieldfare.orders import store
from fieldfare.orders.rules import billed_micros, partner_part_micro, price_cents

PAGE_ROWS = 2_000
ENTRY_SLACK = timedelta(hours=1)
LOWEST_ID = UUID(int=0)
UNPAID = ("pending", "failed")


async def verify_orders(conn: Connection) -> AsyncIterator[Finding]:
    """Every purchase, line and total that does not agree with the rest."""
    after = LOWEST_ID
    while page := await store.list_purchases_from(conn, after_id=after, at_most=PAGE_ROWS):
        async for finding in _verify_page(conn, page):
            yield finding
        after = page[-1]["id"]
    async for row in store.list_orphan_lines(conn):
        yield Finding(
            "orders.line", f"id={row['id']}", f"its purchase {row['purchase_id']} is not there"
        )
    async for finding in _verify_totals(conn):
        yield finding


async def _verify_page(conn: Connection, page: list[Any]) -> AsyncIterator[Finding]:
    ids = [purchase["id"] for purchase in page]
    lines: dict[UUID, list[Any]] = defaultdict(list)
    async for line in store.list_lines_of_purchases(conn, ids):
        lines[line["purchase_id"]].append(line)
    on_credit = [p["id"] for p in page if p["payment_method"] == "credits"]
    debits = await find_deductions(
        conn,
        on_credit,
        from_id=floor_id(instant_of(ids[0]) - ENTRY_SLACK),
        to_id=floor_id(instant_of(ids[-1]) + ENTRY_SLACK),
    )
    for purchase in page:
        for message in _purchase_faults(purchase, lines[purchase["id"]], debits):
            yield Finding("orders.purchase", f"id={purchase['id']}", message)
        if purchase["state"] not in UNPAID:
            for line, message in _line_faults(purchase, lines[purchase["id"]]):
                yield Finding("orders.line", f"id={line['id']}", message)


def _purchase_faults(
    purchase: Any, lines: list[Any], debits: dict[UUID, tuple[int, int]]
) -> list[str]:
    faults = []
    amount = purchase["amount_cents"]
    if purchase["state"] in UNPAID:
        return ["it is not paid and has lines"] if lines else []
    if purchase["kind"] == "offset" and purchase["unit_price_cents"] is not None:
        price = price_cents(purchase["mass_mg"], purchase["unit_price_cents"])
        if price != amount:
            faults.append(f"amount_cents is {amount}, mass and unit_price_cents make {price}")
        cost = _cost_per_ton_cents(lines)
        if cost != purchase["unit_price_cents"]:
            faults.append(
                f"unit_price_cents is {purchase['unit_price_cents']}, its lines make {cost}"
            )
    if purchase["payment_method"] == "credits":
        if debits.get(purchase["id"]) != (purchase["account_id"], amount):
            faults.append(
                f"amount_cents is {amount}, the ledger's debit is {debits.get(purchase['id'])}"
            )
        if purchase["charge_minor"] != amount:
            faults.append(f"charge_minor is {purchase['charge_minor']}, amount_cents {amount}")
    for column, total in (("mass_mg", purchase["mass_mg"]), ("trees", purchase["trees"])):
        said = sum(line[column] for line in lines)
        if said != total:
            faults.append(f"{column} is {total}, its lines sum to {said}")
    said = sum(line["amount_micro"] for line in lines)
    if said != micro_from_cents(amount):
        faults.append(f"amount_cents is {amount}, its lines sum to {said} micro")
    return faults


def _cost_per_ton_cents(lines: list[Any]) -> int | None:
    tonnes_per_micro = sum(
        (
            Fraction(line["weight_ppm"], PPM * line["unit_price_micro"])
            for line in lines
            if line["kind"] == "offset" and line["unit_price_micro"]
        ),
        Fraction(0),
    )
    if not tonnes_per_micro:
        return None
    return -(-(1 / tonnes_per_micro / MICRO_PER_CENT) // 1)


def _line_faults(purchase: Any, lines: list[Any]) -> list[tuple[Any, str]]:
    """Each line whose part of the money or the mass is not what its weight makes."""
    weights = tuple(line["weight_ppm"] for line in lines)
    if not lines or sum(weights) != PPM:
        return [(line, f"the weights of its purchase sum to {sum(weights)} ppm") for line in lines]
    amounts = largest_remainder(micro_from_cents(purchase["amount_cents"]), weights)
    billed = billed_micros(purchase["amount_cents"], amounts, weights)
    masses = _masses(purchase["mass_mg"], lines)
    faults = []
    for line, amount, shown, mass in zip(lines, amounts, billed, masses, strict=True):
        partner = partner_part_micro(amount, line["partner_share_ppm"])
        expected = {
            "account_id": purchase["account_id"],
            "amount_micro": amount,
            "billed_micro": shown,
            "partner_micro": partner,
            "margin_micro": amount - partner,
            "mass_mg": mass,
        }
        faults += [
            (line, f"{column} is {line[column]}, should be {value}")
            for column, value in expected.items()
            if line[column] != value
        ]
    return faults


def _masses(mass_mg: int, lines: list[Any]) -> tuple[int, ...]:
    """The split of the mass: in proportion to weight over unit price, as whole numbers."""
    product = 1
    for line in lines:
        product *= line["unit_price_micro"] or 1
    weights = tuple(
        line["weight_ppm"] * (product // line["unit_price_micro"])
        if line["kind"] == "offset" and line["unit_price_micro"]
        else 0
        for line in lines
    )
    return largest_remainder(mass_mg, weights) if any(weights) else tuple(0 for _ in lines)


async def _verify_totals(conn: Connection) -> AsyncIterator[Finding]:
    said = {
        row["account_id"]: (row["certified_mg"], row["trees"])
        async for row in store.list_masses(conn)
    }
    async for wallet in all_wallets(conn):
        expected = said.pop(wallet.account_id, (0, 0))
        if (wallet.certified_mg, wallet.trees) != expected:
            yield Finding(
                "ledger.wallet",
                f"account_id={wallet.account_id}",
                f"certified_mg and trees are {wallet.certified_mg} and {wallet.trees}, "
                f"the lines say {expected[0]} and {expected[1]}",
            )
    for account_id in said:
        yield Finding("ledger.wallet", f"account_id={account_id}", "has lines but no wallet")
