"""Pricing and splitting an order; pure, exact, and the same for live and test mode.

The price is `ceil(tonnes × cost per ton × 100)` US cents. Project i gets its weight of the money
and `pᵢ/cᵢ ÷ Σ(pⱼ/cⱼ)` of the tonnes (its price is cᵢ), both split by the largest remainder method,
so that lines add up exactly: mass in milligrams, money in millionths of a cent. The customer is
shown whole cents from one dollar up, by a second split of the whole cents.
"""

from fieldfare.catalog.model import Portfolio, PortfolioPart
from fieldfare.kernel.currency import Currency, charge_minor
from fieldfare.kernel.mass import MG_PER_TONNE, tonnes_from_mg
from fieldfare.kernel.money import (
    CENTS_PER_DOLLAR,
    MICRO_PER_CENT,
    PPM,
    micro_from_cents,
)
from fieldfare.kernel.numbers import ceil_div, largest_remainder
from fieldfare.orders.errors import PriceAboveMaximum
from fieldfare.orders.model import OffsetRequest, Quote, Share
from fieldfare.payments.errors import AboveMaximum, BelowMinimum
from fieldfare.payments.model import Exchange

CARD_MINIMUM_CENTS = 100
WHOLE_CENTS_FROM = CENTS_PER_DOLLAR


def price_cents(mass_mg: int, cost_per_ton_cents: int) -> int:
    """What a mass costs at a shown price per tonne, in US cents, rounded up."""
    return ceil_div(mass_mg * cost_per_ton_cents, MG_PER_TONNE)


def smallest_mass_mg(cost_per_ton_cents: int, minimum_cents: int) -> int:
    """The smallest mass whose price reaches `minimum_cents`."""
    return (minimum_cents - 1) * MG_PER_TONNE // cost_per_ton_cents + 1


def quote_offset(
    asked: OffsetRequest, portfolio: Portfolio, exchange: Exchange, *, price_revision: int
) -> Quote:
    """Price and split an offset order.

    `exchange` is what it is charged in; for credits that is always US dollars. Raises
    `BelowMinimum`, `AboveMaximum` or `PriceAboveMaximum`.
    """
    amount_cents = price_cents(asked.mass_mg, portfolio.cost_per_ton_cents)
    charge = charge_minor(amount_cents, exchange.rate, exchange.currency)
    if asked.payment_method == "stripe":
        _check_card_bounds(amount_cents, charge, exchange.currency, portfolio)
    _check_price_cap(asked, charge, exchange.currency)
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
        charge_minor=charge,
        exchange=exchange,
        shares=split_offset(portfolio, mass_mg=asked.mass_mg, amount_cents=amount_cents),
    )


def _check_card_bounds(
    amount_cents: int, charge: int, currency: Currency, portfolio: Portfolio
) -> None:
    if amount_cents < CARD_MINIMUM_CENTS:
        smallest = smallest_mass_mg(portfolio.cost_per_ton_cents, CARD_MINIMUM_CENTS)
        raise BelowMinimum(
            f"A card is charged $1.00 or more. For this portfolio that is tons "
            f'{tonnes_from_mg(smallest):f} or more; with paymentMethod "credits" there is no '
            "minimum.",
            param="tons",
        )
    if charge > currency.max_minor:
        raise AboveMaximum(
            f"A card cannot be charged more than {currency.max_minor} in the smallest unit of "
            f"{currency.code} at once, and this order comes to {charge}. Split it into smaller "
            'orders, or pay with paymentMethod "credits".',
            param="tons",
        )


def _check_price_cap(asked: OffsetRequest, charge: int, currency: Currency) -> None:
    if asked.max_amount_minor is not None and charge > asked.max_amount_minor:
        raise PriceAboveMaximum(
            f"This order costs {charge} in the smallest unit of {currency.code}, more than your "
            f"maxAmountCharged of {asked.max_amount_minor}. Nothing was charged. Raise it, or "
            "order less.",
            param="maxAmountCharged",
        )


def split_offset(portfolio: Portfolio, *, mass_mg: int, amount_cents: int) -> tuple[Share, ...]:
    """The order's parts, by project id; money and mass add up exactly."""
    amounts = largest_remainder(micro_from_cents(amount_cents), portfolio.money_weights)
    masses = largest_remainder(mass_mg, portfolio.mass_weights)
    billed = billed_micros(amount_cents, amounts, portfolio.money_weights)
    return tuple(
        _share(part, mass_mg=mass, amount_micro=amount, billed_micro=shown)
        for part, mass, amount, shown in zip(portfolio.parts, masses, amounts, billed, strict=True)
    )


def billed_micros(
    amount_cents: int, amounts_micro: tuple[int, ...], weights: tuple[int, ...]
) -> tuple[int, ...]:
    """The parts as the customer is shown them, in millionths of a cent.

    Whole cents from one dollar up; below that the parts as they are in the books.
    """
    if amount_cents < WHOLE_CENTS_FROM:
        return amounts_micro
    return tuple(part * MICRO_PER_CENT for part in largest_remainder(amount_cents, weights))


def partner_part_micro(amount_micro: int, partner_share_ppm: int) -> int:
    """What the partner is paid of a line, rounded down; the rest is the margin."""
    return amount_micro * partner_share_ppm // PPM


def _share(part: PortfolioPart, *, mass_mg: int, amount_micro: int, billed_micro: int) -> Share:
    partner = partner_part_micro(amount_micro, part.project.partner_share_ppm)
    return Share(
        project=part.project,
        kind="donation" if part.project.unit == "none" else "offset",
        weight_ppm=part.weight_ppm,
        mass_mg=mass_mg,
        trees=0,
        amount_micro=amount_micro,
        billed_micro=billed_micro,
        partner_micro=partner,
        margin_micro=amount_micro - partner,
    )
