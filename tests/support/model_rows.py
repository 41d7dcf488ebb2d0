"""Answers of the product, and what the plain model expects of them: row by row, in fractions."""

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

import httpx

from tests.support.model_prices import MG_PER_TONNE, MICRO_PER_CENT, Line, Price
from tests.support.model_things import Order, TopUp

Row: TypeAlias = tuple[Any, ...]
"""Its order, its project, and what is shown of it."""


def read(answer: httpx.Response) -> Any:
    """An answer with numbers as they are written."""
    return json.loads(answer.text, parse_float=Decimal)


def tonnes(mass_mg: int) -> Fraction:
    """A mass as it is shown."""
    return Fraction(mass_mg, MG_PER_TONNE)


def cents(amount_micro: int) -> Fraction:
    """An amount as it is shown, maybe with a fraction."""
    return Fraction(amount_micro, MICRO_PER_CENT)


def same(found: Any, expected: Any) -> None:
    """Fail with both sides, if they differ."""
    assert found == expected, f"\n  product: {found}\n  model:   {expected}"


def check_answer(body: Any, price: Price, charged: int, currency: str) -> None:
    """The answer to an order, or to its dry run."""
    head = (body["amountInUsdCents"], body["amountCharged"], body["currency"])
    same(head, (price.cents, charged, currency))
    if "portfolio" in body:
        found = [
            (one["id"], Fraction(one["tons"]), Fraction(one["amountInUsdCents"]))
            for one in body["portfolio"]["projects"]
        ]
        same(
            found,
            [(one.project_id, tonnes(one.mass_mg), cents(one.shown_micro)) for one in price.lines],
        )
        same(Fraction(body["tons"]), tonnes(sum(one.mass_mg for one in price.lines)))
        return
    (line,) = price.lines
    impact = body.get("impact")
    if line.kind == "donation":
        same(impact, None)
    elif line.kind == "tree":
        same(impact, {"trees": line.trees})
    else:
        same({"tons": Fraction(impact["tons"])}, {"tons": tonnes(line.mass_mg)})


def check_top_up(body: Any, top_up: TopUp) -> None:
    """The answer to a top-up."""
    same(
        {name: body[name] for name in ("amountCharged", "currency", "creditBalance")},
        {
            "amountCharged": top_up.charged,
            "currency": top_up.currency,
            "creditBalance": top_up.account.balance,
        },
    )


def read_refund(one: Any) -> tuple[int, str, int, int]:
    mass_mg = Fraction(one["tons"]) * MG_PER_TONNE
    return one["amount"], one["state"], int(mass_mg), one["trees"]


def lines_of(orders: Iterable[Order], kind: str) -> Iterator[tuple[Order, Line]]:
    for order in orders:
        for line in order.shown_lines():
            if line.kind == kind:
                yield order, line


def keyed(rows: Iterable[Row]) -> dict[Row, Row]:
    """By order and project, each once."""
    kept: dict[Row, Row] = {}
    for row in rows:
        assert row[:2] not in kept, f"{row[:2]} is listed twice"
        kept[row[:2]] = row[2:]
    return kept


def _is_gone(order: Order, line: Line) -> bool:
    return line.is_gone and (line.amount_micro > 0 or order.gone == order.charged)


def read_offset(one: Any) -> Row:
    return (
        one["order_group_id"], one["project_id"], Fraction(one["tons"]),
        Fraction(one["amount_paid_by_customer"]), one["charge_currency"], one["portfolio_id"],
        one["standing"], one["payment_method"], one["refunded_at"] is not None,
        Fraction(one["refunded_tons"]),
    )  # fmt: skip


def offset_row(order: Order, line: Line) -> Row:
    return (
        order.group, line.project_id, tonnes(line.mass_mg),
        cents(line.shown_micro), order.currency, order.portfolio_id,
        line.standing, order.method, _is_gone(order, line),
        tonnes(line.gone_mg),
    )  # fmt: skip


def read_trees(one: Any) -> Row:
    return (
        one["orderGroupId"], "trees", one["amountOfTrees"], one["amountCharged"], one["currency"],
        one["paymentMethod"], one["refundedTrees"], one["fulfillmentStatus"],
    )  # fmt: skip


def tree_row(order: Order, line: Line) -> Row:
    status = "cancelled" if _is_gone(order, line) else "pending"
    return (
        order.group, "trees", line.trees, order.charged, order.currency,
        order.method, line.gone_trees, status,
    )  # fmt: skip


def read_donation(one: Any) -> Row:
    return (
        one["orderGroupId"], one["projectId"], Fraction(one["amountPaidByCustomer"]),
        one["refundedAt"] is not None, Fraction(one["amountRefunded"]),
    )  # fmt: skip


def donation_row(order: Order, line: Line) -> Row:
    # What is shown may differ from the books by a part of a cent; all of it is back, or not.
    gone = _is_gone(order, line)
    back = line.shown_micro if gone else min(line.gone_micro, line.shown_micro)
    return order.group, line.project_id, cents(line.shown_micro), gone, cents(back)


def read_purchase(one: Any) -> dict[str, Any]:
    return {
        **{name: one[name] for name in PURCHASE_FIELDS},
        "totalTons": Fraction(one["totalTons"]),
        "refundedTons": Fraction(one["refundedTons"]),
        "amountRefundedInUsdCents": Fraction(one["amountRefundedInUsdCents"]),
    }


PURCHASE_FIELDS = (
    "stripeChargeId", "purchaseId", "totalAmountPaidByCustomer", "totalTrees", "hasOffsetOrders",
    "hasProjectDonations", "hasTreeOrders", "paymentMethod", "state", "refunded", "amountCharged",
    "currency", "amountRefunded", "refundedTrees",
)  # fmt: skip


def purchase_row(order: Order) -> dict[str, Any]:
    lines = order.price.lines
    certified = [line for line in lines if line.standing == "certified"]
    return {
        "stripeChargeId": order.group,
        "purchaseId": order.id,
        "totalAmountPaidByCustomer": order.price.cents,
        "totalTrees": sum(line.trees for line in lines),
        "hasOffsetOrders": any(line.kind == "offset" for line in lines),
        "hasProjectDonations": any(line.kind == "donation" for line in lines),
        "hasTreeOrders": any(line.kind == "tree" for line in lines),
        "paymentMethod": order.method,
        "state": order.state,
        "refunded": order.state == "refunded",
        "amountCharged": order.charged,
        "currency": order.currency,
        "amountRefunded": order.gone,
        "refundedTrees": sum(line.gone_trees for line in lines),
        "totalTons": tonnes(sum(line.mass_mg for line in certified)),
        "refundedTons": tonnes(sum(line.gone_mg for line in certified)),
        "amountRefundedInUsdCents": cents(sum(line.gone_micro for line in lines)),
    }
