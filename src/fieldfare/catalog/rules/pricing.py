"""Prices and portfolios: what a tonne costs, and whose share of it is whose.

A portfolio's weights are shares of the money, so what a dollar buys is Σ(pᵢ/cᵢ) tonnes and a tonne
costs the weighted harmonic mean 1 / Σ(pᵢ/cᵢ), in exact rationals, rounded once: up, to whole cents.
A project without a unit takes its share of the money and counts 0 in Σ.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction

import msgspec

from fieldfare.catalog.errors import WeightsRefused
from fieldfare.catalog.model import (
    Catalogue,
    Portfolio,
    PortfolioPart,
    PortfolioRow,
    PriceRow,
    Project,
    ProjectRow,
    Rows,
    WeightRow,
)
from fieldfare.kernel.money import MICRO_PER_CENT, PPM, fraction_from_ppm


def cost_per_ton_cents(parts: Sequence[PortfolioPart]) -> int:
    """What a tonne of these parts costs, in US cents; one of them at least has a price."""
    tonnes_per_micro = sum(_bought(part) for part in parts) / PPM
    return math.ceil(1 / (tonnes_per_micro * MICRO_PER_CENT))


def mass_weights(parts: Sequence[PortfolioPart]) -> tuple[int, ...]:
    """The smallest whole numbers in proportion to each part's share of the tonnes."""
    bought = [_bought(part) for part in parts]
    common = math.lcm(*(share.denominator for share in bought))
    whole = [int(share * common) for share in bought]
    divisor = math.gcd(*whole)
    return tuple(weight // divisor for weight in whole)


def _bought(part: PortfolioPart) -> Fraction:
    """pᵢ/cᵢ in proportion."""
    price_micro = part.project.unit_price_micro
    return Fraction(part.weight_ppm, price_micro) if price_micro else Fraction(0)


def check_weights(weights: Sequence[WeightRow], projects: Mapping[int, ProjectRow]) -> None:
    """Raise `WeightsRefused` unless the weights sum to 1 over projects that can be together."""
    ids = [weight.project_id for weight in weights]
    if unknown := sorted(set(ids) - projects.keys()):
        raise WeightsRefused(f"There is no project {unknown[0]}. Name projects that exist.")
    if len(set(ids)) < len(ids):
        raise WeightsRefused("A project is named twice. Give it one weight.")
    if any(weight.weight_ppm < 1 for weight in weights):
        raise WeightsRefused("A weight is not above zero. Leave its project out.")
    total_ppm = sum(weight.weight_ppm for weight in weights)
    if total_ppm != PPM:
        raise WeightsRefused(
            f"The weights sum to {fraction_from_ppm(total_ppm)}. Make them sum to 1 exactly."
        )
    units = {projects[project_id].unit: project_id for project_id in ids}
    if "tree" in units:
        raise WeightsRefused(
            f"Project {units['tree']} is priced per tree. Leave it out: trees have no mass."
        )
    if "tonne" not in units:
        raise WeightsRefused("No project here is priced per tonne. Add one at least.")


def price_at(prices: Iterable[PriceRow], instant: datetime) -> PriceRow | None:
    """The one of a project's prices that holds at `instant`: the newest not in the future."""
    past = (price for price in prices if price.effective_at <= instant)
    return max(past, key=lambda price: price.effective_at, default=None)


def next_change(prices: Iterable[PriceRow], instant: datetime) -> datetime | None:
    """The next instant after `instant` at which any of these prices takes effect."""
    return min((p.effective_at for p in prices if p.effective_at > instant), default=None)


def build_catalogue(rows: Rows, revision: int, instant: datetime) -> Catalogue:
    """What is sold at `instant`. A portfolio that cannot be priced then is left out."""
    projects = {project.id: project for project in _projects(rows, instant)}
    portfolios = {
        row.id: _portfolio(row, projects)
        for row in sorted(rows.portfolios, key=lambda row: row.id)
        if row.weights and _is_priced(row, projects)
    }
    by_account: dict[int | None, list[Portfolio]] = {}
    for portfolio in portfolios.values():
        if portfolio.is_open:
            by_account.setdefault(portfolio.account_id, []).append(portfolio)
    listed = sorted(by_account.pop(None, []), key=lambda portfolio: not portfolio.is_default)
    return Catalogue(
        revision=revision,
        projects=projects,
        portfolios=portfolios,
        listed=tuple(listed),
        custom={account: tuple(own) for account, own in by_account.items() if account is not None},
        default_portfolio_id=next((p.id for p in portfolios.values() if p.is_default), None),
        tree_provider_id=next((p.id for p in projects.values() if p.is_tree_provider), None),
        valid_until=next_change(rows.prices, instant),
    )


def _projects(rows: Rows, instant: datetime) -> Iterable[Project]:
    partners = {partner.id: partner.name for partner in rows.partners}
    prices: dict[int, list[PriceRow]] = {}
    for price in rows.prices:
        prices.setdefault(price.project_id, []).append(price)
    for row in sorted(rows.projects, key=lambda row: row.id):
        held = price_at(prices.get(row.id, ()), instant)
        yield Project(
            **msgspec.structs.asdict(row),
            partner_name=partners[row.partner_id],
            unit_price_micro=held.unit_price_micro if held else None,
        )


def _is_priced(row: PortfolioRow, projects: Mapping[int, Project]) -> bool:
    parts = [projects[weight.project_id] for weight in row.weights]
    return all(project.unit == "none" or project.unit_price_micro for project in parts)


def _portfolio(row: PortfolioRow, projects: Mapping[int, Project]) -> Portfolio:
    parts = tuple(
        PortfolioPart(projects[weight.project_id], weight.weight_ppm)
        for weight in sorted(row.weights, key=lambda weight: weight.project_id)
    )
    return Portfolio(
        id=row.id,
        name=row.name,
        description=row.description,
        image_url=row.image_url,
        account_id=row.account_id,
        is_default=row.is_default,
        is_open=row.is_open and all(part.project.is_open for part in parts),
        parts=parts,
        cost_per_ton_cents=cost_per_ton_cents(parts),
        money_weights=tuple(part.weight_ppm for part in parts),
        mass_weights=mass_weights(parts),
    )
