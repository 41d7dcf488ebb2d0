"""What an amount of something costs in whole US cents, and the smallest amount that costs so much.

What must hold: a price is rounded up, so it never falls short; a mass that is bought for an amount
is rounded down, so it never costs more than was given.
"""

from fieldfare.kernel.mass import MAX_ORDER_MG, MG_PER_TONNE
from fieldfare.kernel.money import MICRO_PER_CENT, micro_from_cents
from fieldfare.kernel.numbers import ceil_div


def price_cents(mass_mg: int, cost_per_ton_cents: int) -> int:
    """What a mass costs at a shown price per tonne, in US cents, rounded up."""
    return ceil_div(mass_mg * cost_per_ton_cents, MG_PER_TONNE)


def smallest_mass_mg(cost_per_ton_cents: int, minimum_cents: int) -> int:
    """The smallest mass whose price reaches `minimum_cents`."""
    return (minimum_cents - 1) * MG_PER_TONNE // cost_per_ton_cents + 1


def tree_price_cents(trees: int, unit_price_micro: int) -> int:
    """What trees cost at a price for one, in US cents, rounded up."""
    return ceil_div(trees * unit_price_micro, MICRO_PER_CENT)


def smallest_trees(unit_price_micro: int, minimum_cents: int) -> int:
    """The smallest number of trees whose price reaches `minimum_cents`."""
    return micro_from_cents(minimum_cents - 1) // unit_price_micro + 1


def bought_mass_mg(amount_cents: int, unit_price_micro: int) -> int:
    """The mass that an amount buys at a price for a tonne, rounded down."""
    return micro_from_cents(amount_cents) * MG_PER_TONNE // unit_price_micro


def largest_amount_cents(unit_price_micro: int) -> int:
    """The largest amount that buys no more than one order may hold."""
    return ((MAX_ORDER_MG + 1) * unit_price_micro - 1) // micro_from_cents(MG_PER_TONNE)
