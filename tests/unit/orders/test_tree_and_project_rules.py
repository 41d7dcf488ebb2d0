"""Trees and amounts for a project: any price, any number, any currency, to the unit."""

import re
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fieldfare.catalog.errors import (
    NoTreeProvider,
    ProjectClosed,
    ProjectNotFound,
    TreesSoldOut,
    UseTreeOrders,
)
from fieldfare.catalog.model import (
    MAX_PARTNER_SHARE_PPM,
    MAX_UNIT_PRICE_MICRO,
    MIN_PARTNER_SHARE_PPM,
    MIN_UNIT_PRICE_MICRO,
    Project,
)
from fieldfare.catalog.rules import build_catalogue
from fieldfare.catalog.service import get_project, get_tree_provider
from fieldfare.kernel import limits
from fieldfare.kernel.currency import (
    Currency,
    RateRefused,
    charge_minor,
    get_currency,
    list_currencies,
    round_rate,
    smallest_charge_minor,
    smallest_price_cents,
)
from fieldfare.kernel.mass import MAX_ORDER_MG, MG_PER_TONNE
from fieldfare.kernel.money import MICRO_PER_CENT
from fieldfare.orders.errors import PriceAboveMaximum
from fieldfare.orders.model import Order, Party, PaymentMethod, ProjectRequest, Quote, TreeRequest
from fieldfare.orders.rules import (
    MAX_PRICE_CENTS,
    bought_mass_mg,
    describe,
    freeze,
    largest_amount_cents,
    mass_of_project_mg,
    price_of_trees,
    quote_project,
    quote_trees,
    smallest_trees,
    tree_price_cents,
)
from fieldfare.orders.schemas import order_answer, tree_preview_body
from fieldfare.orders.service.desk import OrderNames
from fieldfare.payments.errors import AboveMaximum, BelowMinimum
from fieldfare.payments.model import Exchange
from fieldfare.payments.rules import IN_DOLLARS
from tests.support.catalog_rows import BEGINNING, small_rows

bounded = settings(max_examples=150, deadline=None)
unit_prices = st.integers(MIN_UNIT_PRICE_MICRO, MAX_UNIT_PRICE_MICRO)
partner_shares = st.integers(MIN_PARTNER_SHARE_PPM, MAX_PARTNER_SHARE_PPM)
tree_counts = st.one_of(
    st.integers(1, limits.ORDER_TREES),
    st.integers(1, 50),
    st.just(limits.ORDER_TREES),
)
amounts = st.integers(limits.PROJECT_ORDER_LEAST_CENTS, limits.PROJECT_ORDER_MOST_CENTS)
currencies = st.sampled_from(list_currencies())
rates = st.fractions(Fraction(1, 100), Fraction(100_000)).map(round_rate)
RATE_ON = date(2026, 11, 20)
CATALOGUE = build_catalogue(small_rows(), 1, BEGINNING)
TREES, TONNES, GIFTS = CATALOGUE.projects[3], CATALOGUE.projects[1], CATALOGUE.projects[4]
NAMES = OrderNames(group_id="1", purchase_id="1", certificate_url="https://sales.example/c/1")


def priced(project: Project, unit_price_micro: int, partner_share_ppm: int = 800_000) -> Project:
    """The project at another price, its partner at another share."""
    return msgspec.structs.replace(
        project, unit_price_micro=unit_price_micro, partner_share_ppm=partner_share_ppm
    )


def quote_of(
    what: int,
    project: Project = TREES,
    method: PaymentMethod = "credits",
    exchange: Exchange = IN_DOLLARS,
    cap: int | None = None,
) -> Quote:
    """So many trees of a provider, or so many cents for any other project."""
    common: dict[str, Any] = {
        "payment_method": method, "dry_run": False, "send_receipt": False,
        "max_amount_minor": cap, "party": Party(note="private"),
    }  # fmt: skip
    if project.unit == "tree":
        return quote_trees(TreeRequest(trees=what, **common), project, exchange, price_revision=7)
    return quote_project(
        ProjectRequest(project_id=project.id, amount_cents=what, **common), project, exchange,
        price_revision=7,
    )  # fmt: skip


def exchange_of(currency: Currency, rate: Decimal) -> Exchange:
    """A charge in a currency."""
    return Exchange(currency=currency, rate=rate, rate_on=RATE_ON)


# ----------------------------------------------------------------------------------- sums


def assert_one_line(quoted: Quote, project: Project) -> None:
    """All of the order is in one line, to the last part of a cent."""
    (share,) = quoted.shares
    assert (share.project, share.weight_ppm) == (project, 1_000_000)
    assert (share.mass_mg, share.trees) == (quoted.mass_mg, quoted.trees)
    assert share.amount_micro == share.billed_micro == quoted.amount_cents * MICRO_PER_CENT
    assert share.partner_micro + share.margin_micro == share.amount_micro
    due = Fraction(share.amount_micro * project.partner_share_ppm, 1_000_000)
    assert 0 <= due - share.partner_micro < 1
    assert (quoted.portfolio, quoted.unit_price_cents) == (None, None)
    assert (quoted.project_id, quoted.price_revision) == (project.id, 7)


@bounded
@given(tree_counts, unit_prices, partner_shares)
def test_trees_cost_what_they_cost_and_less_than_a_cent_more(
    trees: int, unit_price_micro: int, partner_share_ppm: int
) -> None:
    provider = priced(TREES, unit_price_micro, partner_share_ppm)
    assume(trees * unit_price_micro <= MAX_PRICE_CENTS * MICRO_PER_CENT)
    quoted = quote_of(trees, provider)
    over = quoted.amount_cents - Fraction(trees * unit_price_micro, MICRO_PER_CENT)
    assert 0 <= over < 1
    assert (quoted.kind, quoted.trees, quoted.mass_mg, quoted.certified_mg) == ("tree", trees, 0, 0)
    assert quoted.only_share.kind == "tree"
    assert quoted.charge_minor == quoted.amount_cents == price_of_trees(trees, provider)
    assert_one_line(quoted, provider)


@bounded
@given(amounts, unit_prices, partner_shares)
def test_an_amount_buys_no_milligram_more_than_it_pays_for(
    amount_cents: int, unit_price_micro: int, partner_share_ppm: int
) -> None:
    project = priced(TONNES, unit_price_micro, partner_share_ppm)
    assume(amount_cents <= largest_amount_cents(unit_price_micro))
    quoted = quote_of(amount_cents, project)
    exact = Fraction(amount_cents * MICRO_PER_CENT * MG_PER_TONNE, unit_price_micro)
    assert 0 <= exact - quoted.mass_mg < 1
    assert quoted.mass_mg >= 1
    assert (quoted.kind, quoted.trees, quoted.amount_cents) == ("project", 0, amount_cents)
    assert quoted.only_share.kind == "offset"
    assert quoted.certified_mg == quoted.mass_mg
    assert_one_line(quoted, project)


@bounded
@given(amounts, partner_shares)
def test_a_donation_is_all_money(amount_cents: int, partner_share_ppm: int) -> None:
    project = msgspec.structs.replace(GIFTS, partner_share_ppm=partner_share_ppm)
    quoted = quote_of(amount_cents, project)
    assert (quoted.mass_mg, quoted.trees, quoted.certified_mg) == (0, 0, 0)
    assert quoted.only_share.kind == "donation"
    assert_one_line(quoted, project)


@bounded
@given(tree_counts, currencies, rates)
def test_a_card_pays_the_price_and_less_than_a_step_more(
    trees: int, currency: Currency, rate: Decimal
) -> None:
    exchange = exchange_of(currency, rate)
    price = tree_price_cents(trees, TREES.unit_price_micro or 0)
    assume(smallest_charge_minor(rate, currency) <= charge_minor(price, rate, currency))
    assume(charge_minor(price, rate, currency) <= currency.max_minor)
    quoted = quote_of(trees, TREES, "stripe", exchange)
    exact = Fraction(price * 10**currency.decimals, 100) * Fraction(rate)
    assert 0 <= quoted.charge_minor - exact < currency.step
    assert quoted.amount_cents == price
    preview = tree_preview_body(
        trees, amount_cents=price, charge_minor=quoted.charge_minor, exchange=exchange, test=False
    )
    assert preview.price_in_usd * 100 == quoted.amount_cents
    assert preview.price_in_user_currency == Decimal(quoted.charge_minor).scaleb(-currency.decimals)


# -------------------------------------------------------------------------------- the minimum


@bounded
@given(st.integers(1, 10**7), unit_prices)
def test_the_smallest_number_of_trees_for_any_price(minimum: int, unit_price_micro: int) -> None:
    smallest = smallest_trees(unit_price_micro, minimum)
    assert smallest >= 1
    assert tree_price_cents(smallest, unit_price_micro) >= minimum
    assert smallest == 1 or tree_price_cents(smallest - 1, unit_price_micro) < minimum


@bounded
@given(st.integers(1, 10**8), currencies, rates)
def test_the_smallest_price_for_any_charge(
    least_minor: int, currency: Currency, rate: Decimal
) -> None:
    smallest = smallest_price_cents(least_minor, rate, currency)
    assert smallest >= 1
    assert charge_minor(smallest, rate, currency) >= least_minor
    assert charge_minor(smallest - 1, rate, currency) < least_minor


@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "Infinity"])
def test_there_is_no_price_at_a_rate_that_is_none(rate: str) -> None:
    with pytest.raises(RateRefused):
        smallest_price_cents(50, Decimal(rate), get_currency("EUR"))


@bounded
@given(st.integers(MIN_UNIT_PRICE_MICRO, 200_000_000), currencies, rates)
def test_the_smallest_order_by_card_that_is_named_passes(
    unit_price_micro: int, currency: Currency, rate: Decimal
) -> None:
    provider, exchange = priced(TREES, unit_price_micro), exchange_of(currency, rate)
    assume(charge_minor(tree_price_cents(1, unit_price_micro), rate, currency)
           < smallest_charge_minor(rate, currency))  # fmt: skip
    with pytest.raises(BelowMinimum, match="credits") as refused:
        quote_of(1, provider, "stripe", exchange)
    assert (refused.value.code, refused.value.param) == ("below_minimum", "amountOfTrees")
    named = re.search(r"amountOfTrees (\d+) or more", refused.value.message)
    assert named is not None
    smallest = int(named[1])
    passing = quote_of(smallest, provider, "stripe", exchange)
    assert passing.charge_minor >= smallest_charge_minor(rate, currency)
    with pytest.raises(BelowMinimum):
        quote_of(smallest - 1, provider, "stripe", exchange)


@pytest.mark.parametrize(
    ("code", "rate", "smallest", "dollars"),
    [
        # 50 cents buy 7 trees of 7 cents and a bit.
        ("USD", "1", 8, "$0.50"),
        # 49 euro cents are for 53.19 US cents, so 54 are charged as 50; 7 × 7 = 49, 8 × 7 = 56.
        ("EUR", "0.9213", 8, "$0.54"),
        # 50 yen at 149.1234 are 33.53 US cents; 49.21 yen, for 33, are charged as 50.
        ("JPY", "149.1234", 5, "$0.33"),
        # 0.3071 dinars for a dollar: 50 cents are 153.55 fils, charged as 160; 150 are for 48.84.
        ("KWD", "0.3071", 7, "$0.49"),
        # 4.00 Hong Kong dollars are 51.4 US cents at 7.78: 3.9678 for 51, so 52.
        ("HKD", "7.78", 8, "$0.52"),
    ],
)
def test_the_processors_minimum_holds_for_trees(
    code: str, rate: str, smallest: int, dollars: str
) -> None:
    exchange = exchange_of(get_currency(code), Decimal(rate))
    provider = priced(TREES, 7 * MICRO_PER_CENT)
    with pytest.raises(BelowMinimum, match=f"amountOfTrees {smallest} or more") as refused:
        quote_of(1, provider, "stripe", exchange)
    assert dollars in refused.value.message
    assert quote_of(smallest, provider, "stripe", exchange).trees == smallest


def test_credits_have_no_minimum_for_trees() -> None:
    quoted = quote_of(1, priced(TREES, MIN_UNIT_PRICE_MICRO))
    assert (quoted.amount_cents, quoted.only_share.billed_micro) == (1, MICRO_PER_CENT)


def test_an_amount_meets_the_processors_minimum_too() -> None:
    # A rate that an operator mistyped: a dollar is 10 forints, and a card takes 175.
    exchange = exchange_of(get_currency("HUF"), Decimal(10))
    with pytest.raises(BelowMinimum, match="amountInUsdCents 1750 or more") as refused:
        quote_of(1749, GIFTS, "stripe", exchange)
    assert refused.value.param == "amountInUsdCents"
    assert quote_of(1750, GIFTS, "stripe", exchange).charge_minor == 17_500
    assert quote_of(100, GIFTS, "credits").charge_minor == 100


# -------------------------------------------------------------------------------- the maximum


def test_trees_beyond_what_the_books_hold_are_refused_and_nothing_overflows() -> None:
    dearest = priced(TREES, MAX_UNIT_PRICE_MICRO)
    most = MAX_PRICE_CENTS * MICRO_PER_CENT // MAX_UNIT_PRICE_MICRO
    assert quote_of(most, dearest).only_share.amount_micro == 10**18 < 2**63
    for method in ("credits", "stripe"):
        with pytest.raises(AboveMaximum) as refused:
            quote_of(most + 1, dearest, method)
        assert (refused.value.code, refused.value.param) == ("above_maximum", "amountOfTrees")
    with pytest.raises(AboveMaximum, match=r"\$10,000,000,000\.00"):
        price_of_trees(limits.ORDER_TREES, dearest)


def test_a_card_takes_its_maximum_for_trees_and_not_a_cent_more() -> None:
    dollar = priced(TREES, 100 * MICRO_PER_CENT)
    assert quote_of(999_999, dollar, "stripe").charge_minor == 99_999_900
    with pytest.raises(AboveMaximum, match="comes to 100000000") as refused:
        quote_of(1_000_000, dollar, "stripe")
    assert refused.value.param == "amountOfTrees"
    assert quote_of(1_000_000, dollar, "credits").charge_minor == 100_000_000


@bounded
@given(unit_prices)
def test_the_largest_amount_buys_what_one_order_may_hold(unit_price_micro: int) -> None:
    largest = largest_amount_cents(unit_price_micro)
    assert bought_mass_mg(largest, unit_price_micro) <= MAX_ORDER_MG
    assert bought_mass_mg(largest + 1, unit_price_micro) > MAX_ORDER_MG


def test_more_tonnes_than_one_order_may_hold_are_refused() -> None:
    # A cent a tonne: a million tonnes are ten thousand dollars.
    cheap = priced(TONNES, MICRO_PER_CENT)
    assert quote_of(1_000_000, cheap).mass_mg == MAX_ORDER_MG
    with pytest.raises(AboveMaximum, match="amountInUsdCents 1000000 or less") as refused:
        quote_of(1_000_001, cheap)
    assert (refused.value.code, refused.value.param) == ("above_maximum", "amountInUsdCents")
    assert mass_of_project_mg(99_999_999, GIFTS) == 0


@pytest.mark.parametrize("project", [TREES, TONNES, GIFTS], ids=["trees", "tonnes", "gift"])
def test_the_price_cap_holds_for_every_kind(project: Project) -> None:
    what = 10 if project is TREES else 1200
    assert quote_of(what, project, cap=1200).charge_minor == 1200
    with pytest.raises(PriceAboveMaximum, match=r"costs 1200 .* of 1199") as refused:
        quote_of(what, project, cap=1199)
    assert refused.value.param == "maxAmountCharged"


# -------------------------------------------------------------------------- what can be bought


def test_what_is_sold_is_found() -> None:
    assert get_tree_provider(CATALOGUE) is TREES
    assert get_project(CATALOGUE, 1) is TONNES
    assert get_project(CATALOGUE, 4) is GIFTS
    assert TREES.provider == "Growers"
    unnamed = msgspec.structs.replace(TREES, provider_name=None, partner_name="Partner")
    assert unnamed.provider == "Partner"


def changed(project: Project, **fields: Any) -> Any:
    """The catalogue with one of its projects changed."""
    other = msgspec.structs.replace(project, **fields)
    return msgspec.structs.replace(CATALOGUE, projects={**CATALOGUE.projects, project.id: other})


def test_trees_that_are_not_sold() -> None:
    nobody = msgspec.structs.replace(CATALOGUE, tree_provider_id=None)
    for catalogue in (nobody, changed(TREES, unit_price_micro=None)):
        with pytest.raises(NoTreeProvider) as away:
            get_tree_provider(catalogue)
        assert (away.value.status, away.value.code) == (503, "no_tree_provider")
    with pytest.raises(TreesSoldOut) as sold_out:
        get_tree_provider(changed(TREES, is_open=False))
    assert (sold_out.value.status, sold_out.value.code) == (400, "trees_sold_out")


@pytest.mark.parametrize(
    ("change", "project_id", "refusal", "code"),
    [
        ({}, 5, ProjectNotFound, "project_not_found"),
        ({}, 3, UseTreeOrders, "use_tree_orders"),
        ({"is_open": False}, 1, ProjectClosed, "project_closed"),
        ({"unit_price_micro": None}, 1, ProjectClosed, "project_closed"),
    ],
)
def test_projects_that_are_not_sold_by_an_amount(
    change: dict[str, Any], project_id: int, refusal: type[Any], code: str
) -> None:
    with pytest.raises(refusal) as refused:
        get_project(changed(TONNES, **change), project_id)
    assert (refused.value.status, refused.value.code) == (400, code)
    assert refused.value.param == "projectId"


# -------------------------------------------------------------------------- words and answers


def order_of(quoted: Quote) -> Order:
    """An order with words of a client in it."""
    return Order(
        id=UUID(int=1), certificate_slug=UUID(int=2), account_id=1001, source="public-api",
        send_receipt=False, quote=quoted, party=Party(on_behalf_of_name="Ada", note="private"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("quoted", "words"),
    [
        (quote_of(1), "Tree order: 1 tree, Growers"),
        (quote_of(1_250_000), "Tree order: 1,250,000 trees, Growers"),
        (quote_of(900, TONNES), "Project order: 0.45 t CO₂e, Project 1"),
        (quote_of(900, GIFTS), "Donation: Project 4"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_statement_names_what_was_bought(quoted: Quote, words: str) -> None:
    assert describe(order_of(quoted)) == words


def fields_of(quoted: Quote) -> list[str]:
    """The names in an answer, in their order."""
    answer = order_answer(
        quoted, NAMES, public_url="https://sales.example", credits_remaining=0, test=False
    )
    return list(msgspec.json.decode(answer))


HEAD = ["id", "dryRun", "amountCharged", "currency", "amountInUsdCents"]
TAIL = ["paymentMethod", "creditsRemaining", "purchaseId", "certificateUrl"]


@pytest.mark.parametrize(
    ("quoted", "own"),
    [
        (quote_of(5), ["impact", "provider"]),
        (quote_of(900, TONNES), ["impact", "project"]),
        (quote_of(900, GIFTS), ["project"]),
    ],
    ids=["trees", "tonnes", "gift"],
)
def test_an_answer_has_its_fields_in_the_contracts_order(quoted: Quote, own: list[str]) -> None:
    assert fields_of(quoted) == [*HEAD, *own, *TAIL]
    by_card = msgspec.structs.replace(quoted, payment_method="stripe")
    assert fields_of(by_card) == [*HEAD, *own, *TAIL[2:]]


@pytest.mark.parametrize("project", [TREES, TONNES, GIFTS], ids=["trees", "tonnes", "gift"])
def test_the_one_line_is_frozen_whole(project: Project) -> None:
    quoted = quote_of(1000, project)
    (line,) = freeze(quoted, b'{"id":""}').lines
    assert (line.mass_mg, line.trees, line.kind) == (
        quoted.mass_mg, quoted.trees, quoted.only_share.kind,
    )  # fmt: skip
    assert line.amount_micro == quoted.amount_cents * MICRO_PER_CENT
    assert line.unit_price_micro == project.unit_price_micro
