"""An order's parts, a line to be for each project; pure and exact.

Project i of a portfolio gets its weight of the money and `pᵢ/cᵢ ÷ Σ(pⱼ/cⱼ)` of the tonnes (its
price is cᵢ), both split by the largest remainder method, so that lines add up exactly: mass in
milligrams, money in millionths of a cent. The customer is shown whole cents from one dollar up, by
a second split of the whole cents. An order for one project is one part that holds all of it.
"""

from fieldfare.catalog.model import Portfolio, Project, Unit
from fieldfare.kernel.money import CENTS_PER_DOLLAR, MICRO_PER_CENT, PPM, micro_from_cents
from fieldfare.kernel.numbers import largest_remainder
from fieldfare.orders.model import LineKind, Share

WHOLE_CENTS_FROM = CENTS_PER_DOLLAR
LINE_KINDS: dict[Unit, LineKind] = {"tonne": "offset", "tree": "tree", "none": "donation"}


def split_offset(portfolio: Portfolio, *, mass_mg: int, amount_cents: int) -> tuple[Share, ...]:
    """The order's parts, by project id; money and mass add up exactly."""
    amounts = largest_remainder(micro_from_cents(amount_cents), portfolio.money_weights)
    masses = largest_remainder(mass_mg, portfolio.mass_weights)
    billed = billed_micros(amount_cents, amounts, portfolio.money_weights)
    return tuple(
        _share(
            part.project,
            weight_ppm=part.weight_ppm,
            mass_mg=mass,
            trees=0,
            amount_micro=amount,
            billed_micro=shown,
        )
        for part, mass, amount, shown in zip(portfolio.parts, masses, amounts, billed, strict=True)
    )


def whole_share(project: Project, *, mass_mg: int, trees: int, amount_cents: int) -> Share:
    """All of an order for one project."""
    amount_micro = micro_from_cents(amount_cents)
    return _share(
        project,
        weight_ppm=PPM,
        mass_mg=mass_mg,
        trees=trees,
        amount_micro=amount_micro,
        billed_micro=amount_micro,
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


def _share(
    project: Project,
    *,
    weight_ppm: int,
    mass_mg: int,
    trees: int,
    amount_micro: int,
    billed_micro: int,
) -> Share:
    partner = partner_part_micro(amount_micro, project.partner_share_ppm)
    return Share(
        project=project,
        kind=LINE_KINDS[project.unit],
        weight_ppm=weight_ppm,
        mass_mg=mass_mg,
        trees=trees,
        amount_micro=amount_micro,
        billed_micro=billed_micro,
        partner_micro=partner,
        margin_micro=amount_micro - partner,
    )
