"""What a movement of the processor's balance does in the books: its legs, and where they end."""

from collections import defaultdict
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldfare.kernel.currency import get_currency, list_currencies, micro_from_minor
from fieldfare.ledger.model import Leg, MovementKind, MovementTotals
from fieldfare.payments.model import BalanceRole, BookedTransaction
from fieldfare.payments.rules import (
    amount_fault,
    is_bookable,
    missing_legs,
    movement_of,
    role_of,
)

CENT = 1_000_000
MATCHED: tuple[BalanceRole, ...] = (
    "charge", "refund", "refund_failure", "dispute", "dispute_reversal",
)  # fmt: skip
CODES = [currency.code for currency in list_currencies()]
minors = st.integers(-(10**11), 10**11)


def booked(
    role: BalanceRole, amount: int, fee: int = 0, currency: str = "USD",
    source: tuple[int, str] | None = None,
) -> BookedTransaction:  # fmt: skip
    """A transaction as it is on record."""
    return BookedTransaction(
        transaction_id="txn_1",
        role=role,
        source_id="ch_1",
        amount_minor=amount,
        fee_minor=fee,
        currency=currency,
        source_minor=source[0] if source else None,
        source_currency=source[1] if source else None,
        movement_id=UUID(int=7),
    )


@pytest.mark.parametrize(
    ("kind", "category", "role"),
    [
        ("charge", "charge", "charge"),
        ("payment", "charge", "charge"),
        ("refund", "refund", "refund"),
        ("payment_refund", "refund", "refund"),
        ("refund_failure", "refund_failure", "refund_failure"),
        ("payment_failure_refund", "refund_failure", "refund_failure"),
        ("adjustment", "dispute", "dispute"),
        ("adjustment", "dispute_reversal", "dispute_reversal"),
        ("adjustment", "other_adjustment", "other"),
        ("payout", "payout", "bank"),
        ("topup", "topup", "bank"),
        ("stripe_fee", "fee", "fee"),
        ("transfer", "transfer", "other"),
        ("something new", "", "other"),
    ],
)
def test_a_movement_is_known_by_its_kind(kind: str, category: str, role: str) -> None:
    assert role_of(kind, category) == role


def test_only_known_currencies_can_be_booked() -> None:
    assert is_bookable("USD")
    assert is_bookable("KWD")
    assert not is_bookable("USDC")


@pytest.mark.parametrize(
    ("transaction", "legs"),
    [
        # Its charge is booked with the order or the top-up: only the fee is left.
        (
            booked("charge", 1000, 59, source=(1000, "USD")),
            {
                ("processor_fee", "fees", "USD"): -59 * CENT,
                ("processor_fee", "processor", "USD"): 59 * CENT,
            },
        ),
        # Ten euros came, and were sold for $10.95.
        (
            booked("charge", 1095, 0, source=(1000, "EUR")),
            {
                ("exchange", "processor", "EUR"): 1000 * CENT,
                ("exchange", "exchange", "EUR"): -1000 * CENT,
                ("exchange", "exchange", "USD"): 1095 * CENT,
                ("exchange", "processor", "USD"): -1095 * CENT,
            },
        ),
        # A charge that nothing of ours knows.
        (
            booked("charge", 1000),
            {
                ("suspense", "processor", "USD"): -1000 * CENT,
                ("suspense", "suspense", "USD"): 1000 * CENT,
            },
        ),
        # The money of a refund is back, and still the customer's.
        (
            booked("refund_failure", 500, source=(500, "USD")),
            {
                ("suspense", "processor", "USD"): -500 * CENT,
                ("suspense", "suspense", "USD"): 500 * CENT,
            },
        ),
        # The processor moved five cents more than our row says.
        (
            booked("refund", -505, source=(-500, "USD")),
            {
                ("suspense", "processor", "USD"): 5 * CENT,
                ("suspense", "suspense", "USD"): -5 * CENT,
            },
        ),
        (
            booked("bank", -2000, currency="JPY"),
            {("payout", "processor", "JPY"): 2000 * 100 * CENT,
             ("payout", "bank", "JPY"): -2000 * 100 * CENT},
        ),
        (
            booked("fee", -25),
            {
                ("processor_fee", "processor", "USD"): 25 * CENT,
                ("processor_fee", "fees", "USD"): -25 * CENT,
            },
        ),
        (booked("charge", 0), {}),
    ],
)  # fmt: skip
def test_the_legs_by_hand(transaction: BookedTransaction, legs: MovementTotals) -> None:
    assert movement_of(transaction) == legs


@st.composite
def transactions(draw: st.DrawFn) -> BookedTransaction:
    """Any transaction that can be on record."""
    role = draw(st.sampled_from(("fee", "bank", "other", *MATCHED)))
    known = role in MATCHED and draw(st.booleans())
    source = (draw(minors), draw(st.sampled_from(CODES))) if known else None
    fee = draw(st.integers(0, 10**9))
    return booked(role, draw(minors), fee, draw(st.sampled_from(CODES)), source)


@given(transactions())
def test_the_legs_sum_to_zero_in_each_kind_and_currency(transaction: BookedTransaction) -> None:
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for (kind, _, currency), micro in movement_of(transaction).items():
        sums[kind, currency] += micro
    assert not any(sums.values())


@given(transactions())
def test_with_the_leg_of_its_event_exactly_the_net_leaves_the_processor(
    transaction: BookedTransaction,
) -> None:
    left: dict[str, int] = defaultdict(int)
    if transaction.source_minor is not None and transaction.source_currency is not None:
        # A refund that fails was booked when it was given; that it is back nobody else books.
        event = 0 if transaction.role == "refund_failure" else transaction.source_minor
        left[transaction.source_currency] -= micro(event, transaction.source_currency)
    for (_, book, currency), amount in movement_of(transaction).items():
        left[currency] += amount if book == "processor" else 0
    net = transaction.amount_minor - transaction.fee_minor
    left[transaction.currency] += micro(net, transaction.currency)
    assert not any(left.values())


def micro(amount_minor: int, currency: str) -> int:
    """As the books hold it."""
    return micro_from_minor(amount_minor, get_currency(currency))


@given(transactions(), transactions())
def test_what_is_missing_brings_any_legs_to_what_they_should_be(
    before: BookedTransaction, after: BookedTransaction
) -> None:
    due = movement_of(after)
    totals: MovementTotals = defaultdict(int, movement_of(before))
    for kind, legs in missing_legs(due, movement_of(before)).items():
        assert_balanced(kind, legs)
        for leg in legs:
            totals[kind, leg.book, leg.currency] += leg.amount_micro
    assert {key: amount for key, amount in totals.items() if amount} == due
    assert missing_legs(due, due) == {}


def assert_balanced(kind: MovementKind, legs: list[Leg]) -> None:
    """The database would refuse them otherwise."""
    sums: dict[str, int] = defaultdict(int)
    for leg in legs:
        assert leg.amount_micro, kind
        sums[leg.currency] += leg.amount_micro
    assert not any(sums.values()), kind


@pytest.mark.parametrize(
    ("transaction", "rate", "fault"),
    [
        (booked("charge", 1000), None, None),
        (booked("charge", 1000, source=(1000, "USD")), None, None),
        (booked("charge", 1001, source=(1000, "USD")), None, "1001, should be 1000"),
        (booked("charge", 1095, source=(1000, "EUR")), "1.0952", None),
        (booked("charge", 1096, source=(1000, "EUR")), "1.0952", None),
        (booked("charge", 1094, source=(1000, "EUR")), "1.0952", "at 1.0952 are 1095"),
        (booked("charge", 1097, source=(1000, "EUR")), "1.0952", "at 1.0952 are 1095"),
        (booked("charge", 1095, source=(1000, "EUR")), None, "has no exchange rate"),
        # 5,000 yen are 32.716 dollars, 1.000 dinar is 3.25 dollars.
        (booked("charge", 3272, source=(5000, "JPY")), "0.0065432109", None),
        (booked("refund", -325, source=(-1000, "KWD")), "3.25", None),
        (booked("refund", 325, source=(-1000, "KWD")), "3.25", "325, -1000 KWD"),
        # A rate is kept to ten decimals, and one that is tiny is the worse for it.
        (booked("charge", 6_123_450_005, source=(10**14, "IDR")), "0.0000612345", None),
    ],
)
def test_an_amount_is_held_against_its_source(
    transaction: BookedTransaction, rate: str | None, fault: str | None
) -> None:
    said = amount_fault(transaction, None if rate is None else Decimal(rate))
    assert (said is None) == (fault is None), said
    assert fault is None or fault in str(said)


@given(transactions())
def test_a_transaction_that_is_as_its_source_says_has_no_fault(
    transaction: BookedTransaction,
) -> None:
    if transaction.source_minor is not None:
        same = msgspec.structs.replace(
            transaction, amount_minor=transaction.source_minor, currency=transaction.source_currency
        )
        assert amount_fault(same, None) is None
