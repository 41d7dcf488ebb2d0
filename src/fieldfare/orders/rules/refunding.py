"""What of an order goes back: how much may, how it is split, and what state that leaves.

A refund is a part of what remains of the charge; its money, mass and trees are that part of what
remains of each, rounded down, and all of it when it is all that remains. Each is split over the
lines by the largest remainder method with what remains of the lines as weights. So whatever the
sequence of refunds, no line goes below zero, and the last one closes everything exactly.
"""

from collections.abc import Sequence
from fractions import Fraction

from fieldfare.kernel.currency import get_currency, minor_to_major
from fieldfare.kernel.mass import tonnes_from_mg
from fieldfare.kernel.numbers import largest_remainder
from fieldfare.orders.model import (
    LinePart,
    OrderRefund,
    Purchase,
    PurchaseState,
    RefundSplit,
    RefundUse,
    StandingLine,
)
from fieldfare.payments.errors import NotRefundable
from fieldfare.payments.model import RefundOrigin


def split_refund(
    lines: Sequence[StandingLine], *, remaining_minor: int, amount_minor: int
) -> RefundSplit:
    """Split `amount_minor` of what remains of a charge over what stands of its lines."""
    assert 0 < amount_minor <= remaining_minor, "a refund is a part of what remains"

    def split(remaining: list[int]) -> tuple[int, ...]:
        whole = sum(remaining)
        if whole == 0:
            return tuple(remaining)
        return largest_remainder(whole * amount_minor // remaining_minor, tuple(remaining))

    amounts = split([line.amount_micro for line in lines])
    masses = split([line.mass_mg for line in lines])
    trees = split([line.trees for line in lines])
    return RefundSplit(
        tuple(
            LinePart(
                line=line,
                mass_mg=mass_mg,
                trees=trees_back,
                amount_micro=amount_micro,
                partner_micro=_partner_part_micro(line, amount_micro),
            )
            for line, mass_mg, trees_back, amount_micro in zip(
                lines, masses, trees, amounts, strict=True
            )
        )
    )


def _partner_part_micro(line: StandingLine, amount_micro: int) -> int:
    """Rounded down, as the order's own; the rest is margin."""
    if line.amount_micro == 0:
        return 0
    return line.partner_micro * amount_micro // line.amount_micro


def use_of_refund(
    amount_minor: int, *, origin: RefundOrigin, remaining_minor: int, owed_minor: int
) -> RefundUse:
    """What a refund that was carried out is for: what remains of the charge, or what is owed.

    `owed_minor` went back before and came back to us, so that the customer still has to get it:
    this is done at the processor, and what is made there pays it first. What was asked for here is
    a part of what remains.
    """
    if origin == "operator":
        applied_minor = min(amount_minor, remaining_minor)
        paid_minor = min(amount_minor - applied_minor, owed_minor)
    else:
        paid_minor = min(amount_minor, owed_minor)
        applied_minor = min(amount_minor - paid_minor, remaining_minor)
    return RefundUse(
        applied_minor=applied_minor,
        owed_minor=paid_minor,
        beyond_minor=amount_minor - applied_minor - paid_minor,
    )


def state_of(charge_minor: int, refunded_minor: int, *, disputed: bool) -> PurchaseState:
    """The state of a paid order of which so much was refunded or lost."""
    if disputed:
        return "disputed"
    if refunded_minor == 0:
        return "paid"
    return "refunded" if refunded_minor == charge_minor else "partly_refunded"


def asked_minor(amount: Fraction | None, code: str) -> int | None:
    """An amount in whole units as the processor counts the currency; None stays so.

    Raises `NotRefundable` if it is finer than the currency is.
    """
    if amount is None:
        return None
    currency = get_currency(code)
    per_unit: int = 10**currency.decimals
    exact_minor = amount * per_unit
    if exact_minor.denominator != 1:
        raise NotRefundable(
            f"{code} has {currency.decimals} decimals, so this amount cannot go back. Give one "
            f"such as {minor_to_major(max(currency.step, 5), currency):f}."
        )
    return exact_minor.numerator


def refundable_minor(purchase: Purchase, *, pending_minor: int, amount_minor: int | None) -> int:
    """How much is to go back, in the charge's unit: `amount_minor`, or all that is left.

    `pending_minor` is on its way already. Raises `NotRefundable`, which names the next step.
    """
    _check_state(purchase)
    left_minor = purchase.charge_minor - purchase.refunded_minor - pending_minor
    # Somebody at the processor may be sending back what we are sending back, and only one can.
    if left_minor <= 0:
        raise NotRefundable(
            "All of this order is on its way back. Wait until those refunds are settled: "
            "GET /api/orders/{purchaseId} shows them."
        )
    if amount_minor is None:
        return left_minor
    currency = get_currency(purchase.currency)
    if amount_minor <= 0 or amount_minor % currency.step:
        raise NotRefundable(
            f"A refund in {currency.code} is a positive multiple of "
            f"{minor_to_major(currency.step, currency):f}. Give such an amount."
        )
    if amount_minor > left_minor:
        raise NotRefundable(
            f"Of this order {_said(left_minor, purchase)} can still go back, and "
            f"{_said(amount_minor, purchase)} was asked for. Nothing was refunded. Give an amount "
            "up to that, or none for all of it."
        )
    return amount_minor


def _check_state(purchase: Purchase) -> None:
    match purchase.state:
        case "paid" | "partly_refunded":
            return
        case "refunded":
            raise NotRefundable(
                "All of this order was refunded already. There is nothing to do, unless "
                "`fieldfare exceptions list` says that its money came back to us."
            )
        case "disputed":
            raise NotRefundable(
                "The charge of this order is disputed, so its money is with the bank already. "
                "Answer or accept the dispute in the processor's dashboard; if it is lost, the "
                "order counts as refunded by itself."
            )
        case "pending":
            raise NotRefundable(
                "It is not known yet whether this order was charged. Wait until it is settled: "
                "`fieldfare exceptions list` shows it if that takes more than an hour."
            )
    raise NotRefundable("This order was never charged. There is nothing to refund.")


def _said(amount_minor: int, purchase: Purchase) -> str:
    currency = get_currency(purchase.currency)
    return f"{minor_to_major(amount_minor, currency):f} {currency.code}"


def describe_refund(split: RefundSplit) -> str:
    """What a statement of credits says of a refund; no word of it comes from a client."""
    parts = []
    if split.mass_mg:
        # `f`, because `str` writes a milligram as 1E-9.
        parts.append(f"{tonnes_from_mg(split.mass_mg):f} t CO₂e")
    if split.trees:
        parts.append(f"{split.trees} {'tree' if split.trees == 1 else 'trees'}")
    return f"Refund: {', '.join(parts) or 'donation'}"


def check_same_request(
    earlier: OrderRefund, purchase: Purchase, *, amount_minor: int | None
) -> None:
    """Raise `NotRefundable` unless a repeat asks for the amount that its key stands for."""
    if amount_minor is not None and amount_minor != earlier.amount_minor:
        raise NotRefundable(
            f"This key stands for a refund of {_said(earlier.amount_minor, purchase)} already, and "
            f"{_said(amount_minor, purchase)} was asked for. Use another key for another refund."
        )
