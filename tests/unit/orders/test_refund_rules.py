"""Splitting refunds: whatever the sequence, nothing is created, and the last one closes exactly."""

from fractions import Fraction
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldfare.orders.model import (
    OrderRefund,
    Purchase,
    PurchaseState,
    RefundSplit,
    StandingLine,
)
from fieldfare.orders.rules import (
    asked_minor,
    check_same_request,
    describe_refund,
    refundable_minor,
    split_refund,
    state_of,
    use_of_refund,
)
from fieldfare.payments.errors import NotRefundable
from fieldfare.payments.model import RefundOrigin
from tests.support.refunds import NOW, PURCHASE

MANY_MICRO = 10**17
MANY_MG = 10**15
MANY_TREES = 10**7
MANY_MINOR = 10**12


def line_of(number: int, amounts: tuple[int, int, int, int]) -> StandingLine:
    """A line with amount, partner's part, mass and trees."""
    amount_micro, partner_micro, mass_mg, trees = amounts
    return StandingLine(
        id=UUID(int=number),
        project_id=number,
        partner_id=1,
        standing="uncertified" if number % 3 == 2 else "certified",
        mass_mg=mass_mg,
        trees=trees,
        amount_micro=amount_micro,
        partner_micro=min(partner_micro, amount_micro),
    )


amounts = st.tuples(
    st.integers(0, MANY_MICRO),
    st.integers(0, MANY_MICRO),
    st.integers(0, MANY_MG),
    st.integers(0, MANY_TREES),
)
orders = st.lists(amounts, min_size=1, max_size=7).map(
    lambda rows: [line_of(number, row) for number, row in enumerate(rows)]
)


def after(lines: list[StandingLine], split: RefundSplit) -> list[StandingLine]:
    """What stands of lines after a refund."""
    return [
        line_of(
            line.project_id,
            (
                line.amount_micro - part.amount_micro,
                line.partner_micro - part.partner_micro,
                line.mass_mg - part.mass_mg,
                line.trees - part.trees,
            ),
        )
        for line, part in zip(lines, split.parts, strict=True)
    ]


def figures(line: StandingLine) -> tuple[int, int, int, int, int]:
    """Everything of a line that is counted, the margin too."""
    margin = line.amount_micro - line.partner_micro
    return line.amount_micro, line.partner_micro, margin, line.mass_mg, line.trees


@given(orders, st.integers(1, MANY_MINOR), st.data())
def test_any_sequence_that_ends_in_the_whole_gives_back_exactly_everything(
    lines: list[StandingLine], charge_minor: int, data: st.DataObject
) -> None:
    remaining_minor, standing = charge_minor, lines
    back = [0, 0, 0, 0]
    for step in range(6):
        last = step == 5
        amount = remaining_minor if last else data.draw(st.integers(1, remaining_minor))
        split = split_refund(standing, remaining_minor=remaining_minor, amount_minor=amount)
        assert split.amount_micro <= sum(line.amount_micro for line in standing)
        for part in split.parts:
            assert 0 <= part.partner_micro <= part.amount_micro
        sums = (split.amount_micro, split.partner_micro, split.mass_mg, split.trees)
        back = [before + now for before, now in zip(back, sums, strict=True)]
        standing = after(standing, split)
        remaining_minor -= amount
        assert all(figure >= 0 for line in standing for figure in figures(line))
        if remaining_minor == 0:
            break
    assert [figures(line) for line in standing] == [(0, 0, 0, 0, 0)] * len(lines)
    assert back == [
        sum(line.amount_micro for line in lines),
        sum(line.partner_micro for line in lines),
        sum(line.mass_mg for line in lines),
        sum(line.trees for line in lines),
    ]


@given(orders, st.integers(2, MANY_MINOR), st.data())
def test_a_part_is_the_charges_part_rounded_down(
    lines: list[StandingLine], charge_minor: int, data: st.DataObject
) -> None:
    amount = data.draw(st.integers(1, charge_minor - 1))
    split = split_refund(lines, remaining_minor=charge_minor, amount_minor=amount)
    whole_micro = sum(line.amount_micro for line in lines)
    whole_mg = sum(line.mass_mg for line in lines)
    assert split.amount_micro == whole_micro * amount // charge_minor
    assert split.mass_mg == whole_mg * amount // charge_minor
    for part in split.parts:
        due = part.line.amount_micro * amount // charge_minor
        assert due - 1 <= part.amount_micro <= due + 1


def test_what_is_not_certified_takes_nothing_off_the_total() -> None:
    lines = [line_of(1, (100, 90, 1_000, 4)), line_of(2, (100, 90, 500, 0))]
    split = split_refund(lines, remaining_minor=4, amount_minor=2)
    assert (split.mass_mg, split.certified_mg, split.trees) == (750, 500, 2)
    assert [part.partner_micro for part in split.parts] == [45, 45]


def test_more_than_remains_is_a_defect_of_ours() -> None:
    with pytest.raises(AssertionError):
        split_refund([line_of(1, (1, 1, 1, 1))], remaining_minor=1, amount_minor=2)


@pytest.mark.parametrize(
    ("refunded", "disputed", "state"),
    [
        (0, False, "paid"),
        (1, False, "partly_refunded"),
        (704, False, "refunded"),
        (0, True, "disputed"),
        (704, True, "disputed"),
    ],
)
def test_the_state_follows_from_what_is_back(
    refunded: int, disputed: bool, state: PurchaseState
) -> None:
    assert state_of(704, refunded, disputed=disputed) == state


def purchase(state: PurchaseState = "paid", refunded: int = 0, currency: str = "USD") -> Purchase:
    """An order of 704."""
    return Purchase(**PURCHASE | {"state": state, "refunded_minor": refunded, "currency": currency})


@pytest.mark.parametrize(
    ("asked", "refunded", "pending", "gives"),
    [(None, 0, 0, 704), (None, 200, 4, 500), (500, 200, 4, 500), (1, 0, 0, 1)],
)
def test_how_much_may_go_back(asked: int | None, refunded: int, pending: int, gives: int) -> None:
    order = purchase("partly_refunded" if refunded else "paid", refunded)
    assert refundable_minor(order, pending_minor=pending, amount_minor=asked) == gives


@pytest.mark.parametrize(
    ("order", "pending", "asked", "said"),
    [
        (purchase("partly_refunded", 200), 4, 501, "5 USD can still go back, and 5.01 USD was"),
        (purchase(), 0, 0, "positive multiple of 0.01"),
        (purchase(), 0, -5, "positive multiple of 0.01"),
        (purchase(currency="KWD"), 0, 15, "positive multiple of 0.01"),
        (purchase(currency="ISK"), 0, 150, "positive multiple of 1."),
        (purchase(), 704, None, "on its way back"),
        (purchase("partly_refunded", 200), 505, None, "on its way back"),
        (purchase(), 1_408, 1, "on its way back"),
        (purchase("refunded", 704), 0, None, "refunded already"),
        (purchase("disputed"), 0, None, "processor's dashboard"),
        (purchase("pending"), 0, None, "fieldfare exceptions list"),
        (purchase("failed"), 0, None, "never charged"),
    ],
)
def test_what_may_not_go_back_is_told_with_the_next_step(
    order: Purchase, pending: int, asked: int | None, said: str
) -> None:
    with pytest.raises(NotRefundable) as refused:
        refundable_minor(order, pending_minor=pending, amount_minor=asked)
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("amounts", "said"),
    [
        ((1, 1, 450_000_000, 0), "Refund: 0.45 t CO₂e"),
        ((1, 1, 1, 3), "Refund: 0.000000001 t CO₂e, 3 trees"),
        ((1, 1, 0, 1), "Refund: 1 tree"),
        ((1, 1, 0, 0), "Refund: donation"),
    ],
)
def test_a_refund_is_described_by_what_it_takes_back(
    amounts: tuple[int, int, int, int], said: str
) -> None:
    split = split_refund([line_of(1, amounts)], remaining_minor=1, amount_minor=1)
    assert describe_refund(split) == said


def test_a_key_stands_for_one_refund() -> None:
    refund = OrderRefund(
        id=UUID(int=1), purchase_id=UUID(int=2), account_id=1, origin="operator",
        state="succeeded", amount_minor=200, currency="USD", amount_micro=0, mass_mg=0, trees=0,
        reason="", request_key="k", failure_code=None, created_at=NOW, settled_at=NOW,
    )  # fmt: skip
    check_same_request(refund, purchase(), amount_minor=None)
    check_same_request(refund, purchase(), amount_minor=200)
    with pytest.raises(NotRefundable, match="2 USD already, and 3 USD was asked"):
        check_same_request(refund, purchase(), amount_minor=300)


@pytest.mark.parametrize(
    ("amount", "code", "minor"),
    [
        (None, "USD", None),
        (Fraction("5.00"), "USD", 500),
        (Fraction("5.01"), "EUR", 501),
        (Fraction(5), "JPY", 5),
        (Fraction("0.015"), "KWD", 15),
        (Fraction(-1), "USD", -100),
    ],
)
def test_an_amount_in_whole_units_is_counted_as_the_processor_does(
    amount: Fraction | None, code: str, minor: int | None
) -> None:
    assert asked_minor(amount, code) == minor


@pytest.mark.parametrize(
    ("amount", "code", "said"),
    [
        (
            "0.001",
            "USD",
            "USD has 2 decimals, so this amount cannot go back. Give one such as 0.05",
        ),
        ("1.5", "JPY", "JPY has 0 decimals"),
        ("0.0001", "KWD", "such as 0.01"),
    ],
)
def test_an_amount_finer_than_its_currency_is_refused(amount: str, code: str, said: str) -> None:
    with pytest.raises(NotRefundable, match=said):
        asked_minor(Fraction(amount), code)


minors = st.integers(0, MANY_MINOR)


@given(st.integers(1, MANY_MINOR), minors, minors, st.sampled_from(get_args(RefundOrigin)))
def test_what_a_refund_is_for_makes_it_up_and_is_no_more_than_there_is(
    amount_minor: int, remaining_minor: int, owed_minor: int, origin: RefundOrigin
) -> None:
    use = use_of_refund(
        amount_minor, origin=origin, remaining_minor=remaining_minor, owed_minor=owed_minor
    )
    assert use.applied_minor + use.owed_minor + use.beyond_minor == amount_minor
    assert 0 <= use.applied_minor <= remaining_minor
    assert 0 <= use.owed_minor <= owed_minor
    assert use.beyond_minor == max(amount_minor - remaining_minor - owed_minor, 0)


@pytest.mark.parametrize(
    ("origin", "amount_minor", "use"),
    [
        ("operator", 204, (204, 0, 0)),
        ("operator", 504, (204, 300, 0)),
        ("operator", 900, (204, 500, 196)),
        ("processor", 300, (0, 300, 0)),
        ("processor", 600, (100, 500, 0)),
        ("processor", 900, (204, 500, 196)),
    ],
)
def test_what_is_given_back_at_the_processor_pays_first_what_came_back(
    origin: RefundOrigin, amount_minor: int, use: tuple[int, int, int]
) -> None:
    said = use_of_refund(amount_minor, origin=origin, remaining_minor=204, owed_minor=500)
    assert (said.applied_minor, said.owed_minor, said.beyond_minor) == use
