"""Pricing an order of each kind; pure, exact, and the same for live and test mode.

Tonnes cost `ceil(tonnes × cost per ton × 100)` US cents, trees `ceil(trees × price of one)`; an
order for a project costs what was asked to be given, and buys `floor(amount ÷ price of a tonne)`
milligrams of one that is priced by tonnes. `bounds` tells what may be charged, `splitting` who gets
what of it.
"""

from fieldfare.catalog.model import Portfolio, Project
from fieldfare.kernel.mass import MAX_ORDER_MG, MAX_ORDER_TONNES, tonnes_from_mg
from fieldfare.orders.model import OffsetRequest, ProjectRequest, Quote, TreeRequest
from fieldfare.orders.rules.bounds import Size, bounded_charge_minor, check_price
from fieldfare.orders.rules.pricing import (
    bought_mass_mg,
    largest_amount_cents,
    price_cents,
    smallest_mass_mg,
    smallest_trees,
    tree_price_cents,
)
from fieldfare.orders.rules.splitting import split_offset, whole_share
from fieldfare.payments.errors import AboveMaximum
from fieldfare.payments.model import Exchange

CARD_MINIMUM_CENTS = 100
TREES_PARAM = "amountOfTrees"
AMOUNT_PARAM = "amountInUsdCents"


def quote_offset(
    asked: OffsetRequest, portfolio: Portfolio, exchange: Exchange, *, price_revision: int
) -> Quote:
    """Price and split an offset order.

    `exchange` is what it is charged in; for credits that is always US dollars. Raises
    `BelowMinimum`, `AboveMaximum` or `PriceAboveMaximum`.
    """
    amount_cents = price_cents(asked.mass_mg, portfolio.cost_per_ton_cents)
    return Quote(
        kind="offset",
        portfolio=portfolio,
        project_id=None,
        mass_mg=asked.mass_mg,
        trees=0,
        unit_price_cents=portfolio.cost_per_ton_cents,
        price_revision=price_revision,
        payment_method=asked.payment_method,
        amount_cents=amount_cents,
        charge_minor=bounded_charge_minor(asked, amount_cents, exchange, _tonnes_of(portfolio)),
        exchange=exchange,
        shares=split_offset(portfolio, mass_mg=asked.mass_mg, amount_cents=amount_cents),
    )


def _tonnes_of(portfolio: Portfolio) -> Size:
    def name_smallest(minimum_cents: int) -> str:
        smallest_mg = smallest_mass_mg(portfolio.cost_per_ton_cents, minimum_cents)
        return f"for this portfolio tons {tonnes_from_mg(smallest_mg):f}"

    return Size(param="tons", card_minimum_cents=CARD_MINIMUM_CENTS, name_smallest=name_smallest)


def price_of_trees(trees: int, provider: Project) -> int:
    """What trees of a provider cost, in US cents; raises `AboveMaximum`."""
    assert provider.unit_price_micro is not None, "a provider that is sold has a price"
    amount_cents = tree_price_cents(trees, provider.unit_price_micro)
    check_price(amount_cents, TREES_PARAM)
    return amount_cents


def quote_trees(
    asked: TreeRequest, provider: Project, exchange: Exchange, *, price_revision: int
) -> Quote:
    """Price a tree order; raises what `quote_offset` raises.

    By card only the processor's own minimum holds.
    """
    amount_cents = price_of_trees(asked.trees, provider)
    share = whole_share(provider, mass_mg=0, trees=asked.trees, amount_cents=amount_cents)
    return Quote(
        kind="tree",
        portfolio=None,
        project_id=provider.id,
        mass_mg=0,
        trees=asked.trees,
        unit_price_cents=None,
        price_revision=price_revision,
        payment_method=asked.payment_method,
        amount_cents=amount_cents,
        charge_minor=bounded_charge_minor(asked, amount_cents, exchange, _trees_of(provider)),
        exchange=exchange,
        shares=(share,),
    )


def _trees_of(provider: Project) -> Size:
    def name_smallest(minimum_cents: int) -> str:
        return f"{TREES_PARAM} {smallest_trees(provider.unit_price_micro or 1, minimum_cents)}"

    return Size(param=TREES_PARAM, card_minimum_cents=0, name_smallest=name_smallest)


def quote_project(
    asked: ProjectRequest, project: Project, exchange: Exchange, *, price_revision: int
) -> Quote:
    """What an amount for one project comes to; raises what `quote_offset` raises."""
    mass_mg = mass_of_project_mg(asked.amount_cents, project)
    share = whole_share(project, mass_mg=mass_mg, trees=0, amount_cents=asked.amount_cents)
    return Quote(
        kind="project",
        portfolio=None,
        project_id=project.id,
        mass_mg=mass_mg,
        trees=0,
        unit_price_cents=None,
        price_revision=price_revision,
        payment_method=asked.payment_method,
        amount_cents=asked.amount_cents,
        charge_minor=bounded_charge_minor(asked, asked.amount_cents, exchange, _AMOUNT),
        exchange=exchange,
        shares=(share,),
    )


def mass_of_project_mg(amount_cents: int, project: Project) -> int:
    """The tonnes that an amount buys of a project; none of one without a unit.

    Raises `AboveMaximum` if they are more than one order may hold.
    """
    if project.unit_price_micro is None:
        return 0
    mass_mg = bought_mass_mg(amount_cents, project.unit_price_micro)
    if mass_mg > MAX_ORDER_MG:
        raise AboveMaximum(
            f"An order holds at most {MAX_ORDER_TONNES:,} t, and this amount buys more of project "
            f"{project.id}. Send {AMOUNT_PARAM} {largest_amount_cents(project.unit_price_micro)} "
            "or less.",
            param=AMOUNT_PARAM,
        )
    return mass_mg


_AMOUNT = Size(
    param=AMOUNT_PARAM,
    card_minimum_cents=CARD_MINIMUM_CENTS,
    name_smallest=lambda minimum_cents: f"{AMOUNT_PARAM} {minimum_cents}",
)
