"""The answer to an order, cut around its balance, and the words of its statement."""

from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldfare.kernel.mass import MAX_ORDER_MG
from fieldfare.orders.model import Order, Party, Quote
from fieldfare.orders.rules import answer_parts, describe
from fieldfare.orders.schemas import order_answer
from fieldfare.orders.service.desk import OrderNames
from tests.unit.orders.quoting import WORKED, bounded, portfolio_of, quote

hostile_texts = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            '"creditsRemaining":0',
            '\\"creditsRemaining":0',
            '","creditsRemaining":0,"x":"',
            '"creditsRemaining":0' * 3,
            "{}%d%b\\",
        ]
    ),
)
NAMES = OrderNames(
    group_id="0193", purchase_id="0193", certificate_url="https://sales.example/certificates/1"
)


def answer(quoted: Quote, balance_cents: int, names: OrderNames = NAMES) -> bytes:
    """An encoded answer that says that so many credits remain."""
    return order_answer(
        quoted,
        names,
        public_url="https://sales.example",
        credits_remaining=balance_cents,
        test=False,
    )


@bounded
@given(hostile_texts, hostile_texts, st.integers(0, 10**12))
def test_an_answer_is_cut_around_its_balance_whatever_it_says(
    name: str, description: str, balance_cents: int
) -> None:
    portfolio = portfolio_of(WORKED.parts, name=name, description=description)
    quoted = quote(portfolio, 450_000_000)
    parts = answer_parts(answer(quoted, 0))
    assert parts.with_balance(balance_cents) == answer(quoted, balance_cents)
    assert msgspec.json.decode(parts.with_balance(balance_cents))["creditsRemaining"] == (
        balance_cents
    )


def test_an_answer_that_ends_with_its_balance_is_cut_too() -> None:
    nameless = OrderNames(group_id=None, purchase_id=None, certificate_url=None)
    parts = answer_parts(answer(quote(WORKED, 5), 0, nameless))
    assert parts.tail == b"}"
    assert parts.with_balance(77) == answer(quote(WORKED, 5), 77, nameless)


def test_an_answer_without_a_balance_is_a_defect() -> None:
    with pytest.raises(AssertionError, match="balance"):
        answer_parts(answer(quote(WORKED, 450_000_000, "stripe"), 0))


@pytest.mark.parametrize(
    ("mass_mg", "tonnes"),
    [(450_000_000, "0.45"), (1, "0.000000001"), (MAX_ORDER_MG, "1000000"), (10**10, "10")],
)
def test_a_statement_names_the_tonnes_as_people_write_them(mass_mg: int, tonnes: str) -> None:
    order = Order(
        id=UUID(int=1),
        certificate_slug=UUID(int=2),
        account_id=1001,
        source="public-api",
        send_receipt=False,
        quote=quote(WORKED, mass_mg),
        party=Party(on_behalf_of_name="Ada", note="private"),
    )
    assert describe(order) == f"Offset order: {tonnes} t CO₂e, Climate Fund"
