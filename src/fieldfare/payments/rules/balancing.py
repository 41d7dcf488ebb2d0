"""What a movement of our balance at the processor is in our books, and which legs it has there.

The event itself is booked by whoever settles it: an order, a top-up, a refund, a dispute. What the
processor's own record adds is booked here: its fee, the exchange where it settled in another
currency than it was made in, what passes through the bank, and in `suspense` what nothing of ours
explains yet. What must hold: the legs of a transaction, with the leg of its event if that is known,
take exactly its net out of the book `processor` (a liability's sign: what we own is negative).
"""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from fieldfare.kernel.currency import UnknownCurrency, get_currency, micro_from_minor
from fieldfare.ledger.model import Book, Leg, MovementKind, MovementTotals
from fieldfare.payments.model import BalanceRole, BookedTransaction

ROLES: dict[str, BalanceRole] = {
    "charge": "charge",
    "payment": "charge",
    "refund": "refund",
    "payment_refund": "refund",
    "refund_failure": "refund_failure",
    "payment_failure_refund": "refund_failure",
    "payout": "bank",
    "payout_cancel": "bank",
    "payout_failure": "bank",
    "topup": "bank",
    "topup_reversal": "bank",
    "stripe_fee": "fee",
    "stripe_fx_fee": "fee",
    "tax_fee": "fee",
}
"""By the processor's kind; what is not named here a person has to look at."""
DISPUTE_ROLES: dict[str, BalanceRole] = {
    "dispute": "dispute",
    "dispute_reversal": "dispute_reversal",
}
"""An adjustment's, by its category."""
RATE_GRAIN = Fraction(1, 10**10)
"""A rate on record may be wrong by as much."""


def role_of(kind: str, category: str) -> BalanceRole:
    """What a movement of the processor's balance is to us."""
    if kind == "adjustment":
        return DISPUTE_ROLES.get(category, "other")
    return ROLES.get(kind, "other")


def is_bookable(currency: str) -> bool:
    """Whether the books can hold amounts of a currency: whether its smallest unit is known."""
    try:
        get_currency(currency)
    except UnknownCurrency:
        return False
    return True


def movement_of(transaction: BookedTransaction) -> MovementTotals:
    """The legs that a transaction must have in the journal, summed up; it sums to zero."""
    totals: MovementTotals = defaultdict(int)
    for kind, book, currency, minor in _moves(transaction):
        micro = micro_from_minor(minor, get_currency(currency))
        totals[kind, book, currency] += micro
        totals[kind, "processor", currency] -= micro
    return {key: micro for key, micro in totals.items() if micro}


def _moves(transaction: BookedTransaction) -> Iterator[tuple[MovementKind, Book, str, int]]:
    """What goes from the book `processor` to another one: kind, book, currency, minor units."""
    amount, currency = transaction.amount_minor, transaction.currency
    yield "processor_fee", "fees", currency, -transaction.fee_minor
    if transaction.role == "fee":
        yield "processor_fee", "fees", currency, amount
    elif transaction.role == "bank":
        yield "payout", "bank", currency, amount
    elif transaction.source_minor is None or transaction.source_currency is None:
        yield "suspense", "suspense", currency, amount
    else:
        moved, moved_currency = transaction.source_minor, transaction.source_currency
        if moved_currency != currency:
            yield "exchange", "exchange", moved_currency, -moved
            yield "exchange", "exchange", currency, amount
        else:
            # Nothing, unless the processor moved another amount than was agreed.
            yield "suspense", "suspense", currency, amount - moved
        if transaction.role == "refund_failure":
            yield "suspense", "suspense", moved_currency, moved


def missing_legs(due: MovementTotals, booked: MovementTotals) -> dict[MovementKind, list[Leg]]:
    """What has to be written, by kind, so that the legs on record come to those that are due."""
    legs: dict[MovementKind, list[Leg]] = defaultdict(list)
    for key in sorted({*due, *booked}):
        missing = due.get(key, 0) - booked.get(key, 0)
        if missing:
            kind, book, currency = key
            legs[kind].append(Leg(book=book, currency=currency, amount_micro=missing))
    return dict(legs)


def amount_fault(transaction: BookedTransaction, exchange_rate: Decimal | None) -> str | None:
    """Where the processor's amount is not what its source says, at its own rate; None if nowhere.

    One smallest unit either way is the processor's rounding.
    """
    moved, moved_currency = transaction.source_minor, transaction.source_currency
    if moved is None or moved_currency is None:
        return None
    if moved_currency == transaction.currency:
        same = transaction.amount_minor == moved
        return None if same else f"amount_minor is {transaction.amount_minor}, should be {moved}"
    if exchange_rate is None:
        return f"it settled {moved_currency} in {transaction.currency} and has no exchange rate"
    decimals = [get_currency(code).decimals for code in (moved_currency, transaction.currency)]
    major = Fraction(moved) * Fraction(10) ** (decimals[1] - decimals[0])
    worth = major * Fraction(exchange_rate)
    if abs(transaction.amount_minor - worth) <= 1 + abs(major) * RATE_GRAIN:
        return None
    return (
        f"amount_minor is {transaction.amount_minor}, {moved} {moved_currency} at {exchange_rate} "
        f"are {round(worth)}"
    )
