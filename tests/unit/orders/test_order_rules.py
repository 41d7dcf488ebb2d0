"""Pricing and splitting: any portfolio, any mass, and the contract's examples to the digit."""

import random
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fieldfare.catalog.model import (
    MAX_PARTNER_SHARE_PPM,
    MAX_UNIT_PRICE_MICRO,
    MIN_PARTNER_SHARE_PPM,
    MIN_UNIT_PRICE_MICRO,
    Portfolio,
    PortfolioPart,
)
from fieldfare.catalog.rules import cost_per_ton_cents, mass_weights
from fieldfare.kernel.currency import get_currency
from fieldfare.kernel.mass import MAX_ORDER_MG, MG_PER_TONNE, mg_from_tonnes
from fieldfare.kernel.money import MICRO_PER_CENT, PPM, cents_from_micro
from fieldfare.orders.errors import PriceAboveMaximum
from fieldfare.orders.model import OffsetRequest, Order, Party, PaymentMethod, Quote
from fieldfare.orders.rules import (
    MAX_PRICE_CENTS,
    answer_parts,
    describe,
    price_cents,
    quote_offset,
    smallest_mass_mg,
    split_offset,
)
from fieldfare.orders.schemas import order_answer
from fieldfare.orders.service.desk import OrderNames
from fieldfare.payments.errors import AboveMaximum, BelowMinimum
from fieldfare.payments.model import Exchange
from fieldfare.payments.rules import IN_DOLLARS
from tests.support.catalog_rows import part

bounded = settings(max_examples=100, deadline=None)
unit_prices = st.integers(MIN_UNIT_PRICE_MICRO, MAX_UNIT_PRICE_MICRO)
# Half of them near the ends, where a part can come to nothing and a product is largest.
masses = st.one_of(
    st.integers(1, MAX_ORDER_MG), st.integers(1, 1000), st.integers(MAX_ORDER_MG - 99, MAX_ORDER_MG)
)
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
RATE_ON = date(2026, 11, 20)
JPY = Exchange(currency=get_currency("JPY"), rate=Decimal("149.37"), rate_on=RATE_ON)
KWD = Exchange(currency=get_currency("KWD"), rate=Decimal("0.3071"), rate_on=RATE_ON)


def portfolio_of(parts: Sequence[PortfolioPart], **fields: str) -> Portfolio:
    """A portfolio for everybody of these parts, priced as the catalogue prices it."""
    in_order = tuple(sorted(parts, key=lambda one: one.project.id))
    return Portfolio(
        id=12,
        name=fields.get("name", "Climate Fund"),
        description=fields.get("description", "A few of them."),
        image_url=None,
        account_id=None,
        is_default=True,
        is_open=True,
        parts=in_order,
        cost_per_ton_cents=cost_per_ton_cents(in_order),
        money_weights=tuple(one.weight_ppm for one in in_order),
        mass_weights=mass_weights(in_order),
    )


def sharing(one: PortfolioPart, partner_share_ppm: int) -> PortfolioPart:
    """The same part with another share for its partner."""
    project = msgspec.structs.replace(one.project, partner_share_ppm=partner_share_ppm)
    return msgspec.structs.replace(one, project=project)


@st.composite
def portfolios(draw: st.DrawFn) -> Portfolio:
    """1 to 12 projects, any weights, prices and partners' shares; one at least per tonne."""
    prices = [draw(unit_prices), *draw(st.lists(st.none() | unit_prices, max_size=11))]
    count = len(prices)
    cuts = draw(
        st.lists(st.integers(1, PPM - 1), min_size=count - 1, max_size=count - 1, unique=True)
    )
    edges = [0, *sorted(cuts), PPM]
    ids = draw(st.lists(st.integers(1, 2000), min_size=count, max_size=count, unique=True))
    shares = st.integers(MIN_PARTNER_SHARE_PPM, MAX_PARTNER_SHARE_PPM)
    return portfolio_of(
        [
            sharing(part(ids[i], edges[i + 1] - edges[i], prices[i]), draw(shares))
            for i in range(count)
        ]
    )


def asked(mass_mg: int, method: PaymentMethod = "credits", cap: int | None = None) -> OffsetRequest:
    """An order of a mass."""
    return OffsetRequest(
        mass_mg=mass_mg,
        portfolio_id=None,
        payment_method=method,
        dry_run=False,
        send_receipt=False,
        max_amount_minor=cap,
        party=Party(),
    )


def quote(
    portfolio: Portfolio,
    mass_mg: int,
    method: PaymentMethod = "credits",
    *,
    exchange: Exchange = IN_DOLLARS,
    cap: int | None = None,
) -> Quote:
    """A quote from revision 7."""
    return quote_offset(asked(mass_mg, method, cap), portfolio, exchange, price_revision=7)


def quote_any(portfolio: Portfolio, mass_mg: int) -> Quote:
    """The same for a property: what is dearer than the books hold is another test's."""
    assume(price_cents(mass_mg, portfolio.cost_per_ton_cents) <= MAX_PRICE_CENTS)
    return quote(portfolio, mass_mg)


WORKED = portfolio_of(
    [
        part(1, 400_000, 1_563_000_000),
        part(2, 250_000, 3_120_000_000),
        part(3, 150_000, 24_286_000_000),
        part(4, 120_000, 1_950_000_000),
        part(5, 80_000, 6_000_000_000),
    ]
)


def fifty_fifty(second_price_micro: int | None = 2_000_000_000) -> Portfolio:
    """Two halves; the first costs $20 a tonne, and so does the second unless it is said."""
    return portfolio_of([part(3, 500_000, 2_000_000_000), part(8, 500_000, second_price_micro)])


# ------------------------------------------------------------------------------------------ any


@bounded
@given(portfolios(), masses)
def test_the_shares_add_up_exactly(portfolio: Portfolio, mass_mg: int) -> None:
    quoted = quote_any(portfolio, mass_mg)
    amount_micro = quoted.amount_cents * MICRO_PER_CENT
    assert sum(share.amount_micro for share in quoted.shares) == amount_micro
    assert sum(share.billed_micro for share in quoted.shares) == amount_micro
    assert sum(share.mass_mg for share in quoted.shares) == mass_mg == quoted.mass_mg
    assert sum(share.weight_ppm for share in quoted.shares) == PPM
    assert all(
        min(s.amount_micro, s.billed_micro, s.mass_mg, s.partner_micro, s.margin_micro) >= 0
        for s in quoted.shares
    )


@bounded
@given(portfolios(), masses)
def test_the_charge_is_never_short_and_never_a_cent_over(
    portfolio: Portfolio, mass_mg: int
) -> None:
    quoted = quote_any(portfolio, mass_mg)
    exact_cents = Fraction(mass_mg, MG_PER_TONNE) * portfolio.cost_per_ton_cents
    assert exact_cents <= quoted.amount_cents < exact_cents + 1
    assert quoted.charge_minor == quoted.amount_cents
    assert quoted.unit_price_cents == portfolio.cost_per_ton_cents
    assert quoted.price_revision == 7


@bounded
@given(portfolios(), masses)
def test_each_share_is_within_one_unit_of_its_proportion(
    portfolio: Portfolio, mass_mg: int
) -> None:
    amount_cents = price_cents(mass_mg, portfolio.cost_per_ton_cents)
    bought = [
        Fraction(one.weight_ppm, one.project.unit_price_micro or 1)
        if one.project.unit_price_micro
        else Fraction(0)
        for one in portfolio.parts
    ]
    shares = split_offset(portfolio, mass_mg=mass_mg, amount_cents=amount_cents)
    for share, tonnes in zip(shares, bought, strict=True):
        money = Fraction(share.weight_ppm, PPM) * amount_cents * MICRO_PER_CENT
        assert abs(share.amount_micro - money) < 1
        assert abs(share.billed_micro - money) < MICRO_PER_CENT
        assert abs(share.mass_mg - mass_mg * tonnes / sum(bought)) < 1
        assert share.mass_mg == 0 or tonnes > 0


@bounded
@given(portfolios(), masses)
def test_partner_and_margin_add_up_and_the_partner_is_rounded_down(
    portfolio: Portfolio, mass_mg: int
) -> None:
    for share in quote_any(portfolio, mass_mg).shares:
        exact = Fraction(share.project.partner_share_ppm, PPM) * share.amount_micro
        assert share.partner_micro + share.margin_micro == share.amount_micro
        assert exact - 1 < share.partner_micro <= exact


@bounded
@given(portfolios(), masses, st.randoms(use_true_random=False))
def test_other_ids_change_the_order_of_the_rows_and_who_wins_a_tie_but_nothing_else(
    portfolio: Portfolio, mass_mg: int, rng: random.Random
) -> None:
    places = list(range(len(portfolio.parts)))
    rng.shuffle(places)
    # The part at a place takes the id of another one, and with it its row.
    ids = [one.project.id for one in portfolio.parts]
    renamed = portfolio_of(
        [
            PortfolioPart(msgspec.structs.replace(one.project, id=ids[places[i]]), one.weight_ppm)
            for i, one in enumerate(portfolio.parts)
        ]
    )
    assert renamed.cost_per_ton_cents == portfolio.cost_per_ton_cents
    before, after = quote_any(portfolio, mass_mg), quote(renamed, mass_mg)
    assert after.amount_cents == before.amount_cents
    assert [share.project.id for share in after.shares] == ids
    moved = [after.shares[place] for place in places]
    assert [share.weight_ppm for share in moved] == [share.weight_ppm for share in before.shares]
    money, mass = portfolio.money_weights, portfolio.mass_weights
    amount_micro = before.amount_cents * MICRO_PER_CENT
    assert_tied(
        [s.amount_micro for s in before.shares],
        [s.amount_micro for s in moved],
        amount_micro,
        money,
    )
    assert_tied([s.mass_mg for s in before.shares], [s.mass_mg for s in moved], mass_mg, mass)
    if before.amount_cents >= 100:
        assert_tied(
            [s.billed_micro // MICRO_PER_CENT for s in before.shares],
            [s.billed_micro // MICRO_PER_CENT for s in moved],
            before.amount_cents,
            money,
        )


def assert_tied(before: list[int], after: list[int], total: int, weights: Sequence[int]) -> None:
    """Two splits are the same but where remainders are equal: there one unit may change hands."""
    remainders = [total * weight % sum(weights) for weight in weights]
    differing = [i for i in range(len(weights)) if before[i] != after[i]]
    assert len({remainders[i] for i in differing}) <= 1
    assert all(abs(before[i] - after[i]) == 1 for i in differing)


@bounded
@given(portfolios(), masses)
def test_rows_are_billed_in_whole_cents_from_one_dollar_up(
    portfolio: Portfolio, mass_mg: int
) -> None:
    quoted = quote_any(portfolio, mass_mg)
    if quoted.amount_cents >= 100:
        assert all(share.billed_micro % MICRO_PER_CENT == 0 for share in quoted.shares)
    else:
        assert all(share.billed_micro == share.amount_micro for share in quoted.shares)


# ------------------------------------------------------------------------------------- by hand


def test_the_worked_example_of_the_contract() -> None:
    quoted = quote(WORKED, 450_000_000, "stripe")
    assert WORKED.cost_per_ton_cents == 2398
    assert (quoted.amount_cents, quoted.charge_minor) == (1080, 1080)
    assert [cents_from_micro(s.billed_micro) for s in quoted.shares] == [432, 270, 162, 130, 86]
    # 1080 × .15 = 162, × .12 = 129.6, × .08 = 86.4: in the books as they are.
    assert [cents_from_micro(s.amount_micro) for s in quoted.shares] == [
        432, 270, 162, Decimal("129.6"), Decimal("86.4"),
    ]  # fmt: skip


def test_the_worked_example_below_one_dollar() -> None:
    quoted = quote(WORKED, 1_000_000)
    assert quoted.amount_cents == 3
    expected = [Decimal(text) for text in ("1.2", ".75", ".45", ".36", ".24")]
    assert [cents_from_micro(s.billed_micro) for s in quoted.shares] == expected
    assert [s.amount_micro for s in quoted.shares] == [s.billed_micro for s in quoted.shares]


def test_the_tonnes_of_the_worked_example() -> None:
    # p/c: .02559181 .00801282 .00061764 .00615385 .00133333, in all .04170945; of 450 kg.
    shares = quote(WORKED, 450_000_000).shares
    shown = [round(share.mass_mg / 1_000_000, 3) for share in shares]
    assert shown == [276.108, 86.45, 6.664, 66.393, 14.385]


@pytest.mark.parametrize(("cents", "tonne_cents"), [(40_171, 40_171), (1563, 1563)])
def test_the_price_of_a_single_project_is_exact(cents: int, tonne_cents: int) -> None:
    alone = portfolio_of([part(1, PPM, cents * MICRO_PER_CENT)])
    assert quote(alone, MG_PER_TONNE).amount_cents == tonne_cents
    assert quote(alone, MAX_ORDER_MG).amount_cents == tonne_cents * 1_000_000
    assert [s.mass_mg for s in quote(alone, MAX_ORDER_MG).shares] == [MAX_ORDER_MG]


def test_a_tie_goes_to_the_lower_project_id() -> None:
    def split(portfolio: Portfolio) -> list[tuple[int, int, int]]:
        shares = split_offset(portfolio, mass_mg=1, amount_cents=101)
        return [(s.project.id, s.mass_mg, s.billed_micro // MICRO_PER_CENT) for s in shares]

    assert split(fifty_fifty()) == [(3, 1, 51), (8, 0, 50)]
    backwards = portfolio_of(list(reversed(fifty_fifty().parts)))
    assert split(backwards) == split(fifty_fifty())


def test_one_dollar_is_the_first_price_in_whole_cents() -> None:
    thirds = portfolio_of(
        [part(1, 333_334, 10**9), part(2, 333_333, 10**9), part(3, 333_333, 10**9)]
    )
    below, from_there = (
        [s.billed_micro for s in split_offset(thirds, mass_mg=9, amount_cents=cents)]
        for cents in (99, 100)
    )
    assert below == [33_000_066, 32_999_967, 32_999_967]
    assert from_there == [34_000_000, 33_000_000, 33_000_000]


def test_a_project_without_a_unit_gets_money_and_no_mass() -> None:
    priced, donated = quote(fifty_fifty(None), MG_PER_TONNE).shares
    # A tonne costs twice the first project's price, because half of the money buys it.
    assert (priced.kind, priced.mass_mg, priced.amount_micro) == (
        "offset", MG_PER_TONNE, 2000 * MICRO_PER_CENT,
    )  # fmt: skip
    assert (donated.kind, donated.mass_mg, donated.amount_micro) == (
        "donation", 0, 2000 * MICRO_PER_CENT,
    )  # fmt: skip


def test_mass_of_uncertified_projects_is_not_counted() -> None:
    certified, other = fifty_fifty().parts
    uncertified = msgspec.structs.replace(other.project, standing="uncertified")
    external = msgspec.structs.replace(certified.project, standing="external_standard")
    mixed = portfolio_of([PortfolioPart(external, 500_000), PortfolioPart(uncertified, 500_000)])
    assert quote(mixed, 10).certified_mg == 5
    assert quote(fifty_fifty(), 10).certified_mg == 10


# ------------------------------------------------------------------------------------ refusals


@bounded
@given(portfolios())
def test_the_smallest_mass_that_a_refusal_names_is_tight(portfolio: Portfolio) -> None:
    # With next to nothing per tonne in it, even a milligram can cost a dollar.
    assume(price_cents(1, portfolio.cost_per_ton_cents) < 100)
    with pytest.raises(BelowMinimum, match="credits") as refused:
        quote(portfolio, 1, "stripe")
    assert (refused.value.code, refused.value.param) == ("below_minimum", "tons")
    named = re.search(r"tons (\d+(?:\.\d+)?) or more", refused.value.message)
    assert named is not None
    smallest_mg = mg_from_tonnes(Fraction(named[1]))
    assert quote(portfolio, smallest_mg, "stripe").amount_cents >= 100
    with pytest.raises(BelowMinimum):
        quote(portfolio, smallest_mg - 1, "stripe")


@given(st.integers(1, 10**8), st.integers(1, 1000))
def test_the_smallest_mass_for_any_minimum(cost_cents: int, minimum_cents: int) -> None:
    smallest = smallest_mass_mg(cost_cents, minimum_cents)
    assert smallest >= 1
    assert price_cents(smallest, cost_cents) >= minimum_cents
    assert smallest == 1 or price_cents(smallest - 1, cost_cents) < minimum_cents


def test_a_small_mass_is_named_without_an_exponent() -> None:
    # $10,000 a tonne for 100 ppm of the money: ten cents for a milligram.
    dear = portfolio_of([part(1, 100, MAX_UNIT_PRICE_MICRO), part(2, PPM - 100, None)])
    with pytest.raises(BelowMinimum, match=r"tons 0\.00000001 or more"):
        quote(dear, 9, "stripe")
    assert quote(dear, 10, "stripe").amount_cents == 100


def test_what_is_dearer_than_the_books_hold_is_refused_and_nothing_overflows() -> None:
    # Of $10,000 a tonne for a millionth of the money, a tonne costs ten thousand million dollars.
    dear = portfolio_of([part(1, 1, MAX_UNIT_PRICE_MICRO), part(2, PPM - 1, None)])
    assert quote(dear, MG_PER_TONNE).amount_cents == MAX_PRICE_CENTS
    for method, mass_mg in (("credits", MG_PER_TONNE + 1), ("stripe", MAX_ORDER_MG)):
        with pytest.raises(AboveMaximum, match=r"\$10,000,000,000\.00") as refused:
            quote(dear, mass_mg, msgspec.convert(method, PaymentMethod))
        assert (refused.value.code, refused.value.param) == ("above_maximum", "tons")


def test_credits_have_no_minimum() -> None:
    assert quote(fifty_fifty(), 1).amount_cents == 1


def test_a_card_takes_its_maximum_and_not_a_cent_more() -> None:
    dollar = portfolio_of([part(1, PPM, 100 * MICRO_PER_CENT)])
    most = 999_999_990_000_000
    assert quote(dollar, most, "stripe").charge_minor == 99_999_999
    with pytest.raises(AboveMaximum, match=r"99999999 .* comes to 100000000") as refused:
        quote(dollar, most + 1, "stripe")
    assert (refused.value.code, refused.value.param) == ("above_maximum", "tons")
    assert quote(dollar, most + 1, "credits").charge_minor == 100_000_000


def test_the_maximum_is_that_of_the_charge_and_not_of_the_price() -> None:
    weak = Exchange(currency=get_currency("KRW"), rate=Decimal(1400), rate_on=RATE_ON)
    # $71,428.57 are 99,999,998 won; one cent more makes 100,000,012.
    cent = portfolio_of([part(1, PPM, MICRO_PER_CENT)])
    mass_mg = 7_142_857 * MG_PER_TONNE
    assert quote(cent, mass_mg, "stripe", exchange=weak).charge_minor == 99_999_998
    with pytest.raises(AboveMaximum, match="KRW"):
        quote(cent, mass_mg + 1, "stripe", exchange=weak)


@pytest.mark.parametrize("method", ["stripe", "credits"])
def test_the_price_cap_holds_to_the_cent(method: PaymentMethod) -> None:
    assert quote(WORKED, 450_000_000, method, cap=1080).charge_minor == 1080
    with pytest.raises(PriceAboveMaximum, match=r"costs 1080 .* of 1079") as refused:
        quote(WORKED, 450_000_000, method, cap=1079)
    assert (refused.value.code, refused.value.param) == (
        "price_above_maximum", "maxAmountCharged",
    )  # fmt: skip
    with pytest.raises(PriceAboveMaximum):
        quote(WORKED, 1, method="credits", cap=0)


def test_the_price_cap_is_in_the_unit_of_the_charge() -> None:
    assert quote(WORKED, 450_000_000, "stripe", exchange=JPY, cap=1614).charge_minor == 1614
    with pytest.raises(PriceAboveMaximum, match="JPY"):
        quote(WORKED, 450_000_000, "stripe", exchange=JPY, cap=1613)


@pytest.mark.parametrize(
    ("exchange", "charge"),
    [
        # 10.80 × 149.37 = 1613.196 yen.
        pytest.param(JPY, 1614, id="JPY"),
        # 10.80 × 0.3071 = 3.31668 dinars: 3316.68 thousandths, of which the last digit must be 0.
        pytest.param(KWD, 3320, id="KWD"),
    ],
)
def test_a_card_is_charged_in_its_currency_and_credits_in_dollars(
    exchange: Exchange, charge: int
) -> None:
    by_card = quote(WORKED, 450_000_000, "stripe", exchange=exchange)
    on_credit = quote(WORKED, 450_000_000, "credits")
    assert (by_card.amount_cents, by_card.charge_minor) == (1080, charge)
    assert (on_credit.amount_cents, on_credit.charge_minor) == (1080, 1080)
    assert by_card.exchange == exchange
    assert on_credit.exchange == IN_DOLLARS
    assert by_card.shares == on_credit.shares


# ------------------------------------------------------------------------- words and the answer

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
