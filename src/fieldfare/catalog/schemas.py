"""Portfolios on the wire: the short form in snake_case, the expanded one in camelCase.

Prices are dollars and shares are fractions of one, as exact JSON numbers.
"""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fieldfare.catalog.model import Goals, Portfolio, PortfolioPart, Standing, Unit
from fieldfare.catalog.service import image_address
from fieldfare.kernel.money import dollars_from_cents, dollars_from_micro, fraction_from_ppm
from fieldfare.kernel.wire import Address, Dollars, FractionOfOne, IntegerId


class ShortProject(msgspec.Struct, kw_only=True):
    """A project in a portfolio."""

    id: IntegerId
    name: str
    description: str
    cost_per_ton: Dollars | None
    """US dollars; null for a project without a unit."""
    percentage: FractionOfOne
    """Its share of the money: a fraction of one, not a hundredth."""
    image_url: Address | None
    certification_status: str


class ShortPortfolio(msgspec.Struct, kw_only=True):
    """A portfolio that can be ordered."""

    id: IntegerId
    name: str
    description: str
    cost_per_ton: Dollars
    """US dollars for one tonne: what is charged."""
    image_url: Address | None
    projects: list[ShortProject]


class ShortList(msgspec.Struct):
    """The answer of `GET /api/portfolios`."""

    portfolios: list[ShortPortfolio]
    test: Literal[True] | UnsetType = UNSET
    """True in test mode, else left out."""


class FullProject(msgspec.Struct, kw_only=True, rename="camel"):
    """A project in a portfolio, with all that is public of it."""

    id: IntegerId
    name: str
    description: str
    unit: Unit
    cost_per_ton: Dollars | None
    percentage: FractionOfOne
    image_url: Address | None
    standing: Standing
    certification_status: str
    registry: str | None
    methodology: str
    vintage: str
    durability: str
    risk_note: str
    partner_name: str
    country: str
    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    sdgs: Goals


class FullPortfolio(msgspec.Struct, kw_only=True, rename="camel"):
    """A portfolio that can be ordered, with all that is public of it."""

    id: IntegerId
    name: str
    description: str
    cost_per_ton: Dollars
    image_url: Address | None
    is_default: bool
    is_custom: bool
    """True for one that only the caller's account sees."""
    projects: list[FullProject]


class FullList(msgspec.Struct):
    """The answer of `GET /api/portfolios?expanded`."""

    portfolios: list[FullPortfolio]
    test: Literal[True] | UnsetType = UNSET


def short_portfolio(portfolio: Portfolio, public_url: str) -> ShortPortfolio:
    """The short form of a portfolio."""
    return ShortPortfolio(
        id=portfolio.id,
        name=portfolio.name,
        description=portfolio.description,
        cost_per_ton=dollars_from_cents(portfolio.cost_per_ton_cents),
        image_url=image_address(public_url, portfolio.image_url),
        projects=[_short_project(part, public_url) for part in portfolio.parts],
    )


def full_portfolio(portfolio: Portfolio, public_url: str) -> FullPortfolio:
    """The expanded form of a portfolio."""
    return FullPortfolio(
        id=portfolio.id,
        name=portfolio.name,
        description=portfolio.description,
        cost_per_ton=dollars_from_cents(portfolio.cost_per_ton_cents),
        image_url=image_address(public_url, portfolio.image_url),
        is_default=portfolio.is_default,
        is_custom=portfolio.account_id is not None,
        projects=[_full_project(part, public_url) for part in portfolio.parts],
    )


def _short_project(part: PortfolioPart, public_url: str) -> ShortProject:
    project = part.project
    return ShortProject(
        id=project.id,
        name=project.name,
        description=project.description,
        cost_per_ton=_dollars(project.unit_price_micro),
        percentage=fraction_from_ppm(part.weight_ppm),
        image_url=image_address(public_url, project.image_url),
        certification_status=project.certification_status,
    )


def _full_project(part: PortfolioPart, public_url: str) -> FullProject:
    project = part.project
    return FullProject(
        id=project.id,
        name=project.name,
        description=project.description,
        unit=project.unit,
        cost_per_ton=_dollars(project.unit_price_micro),
        percentage=fraction_from_ppm(part.weight_ppm),
        image_url=image_address(public_url, project.image_url),
        standing=project.standing,
        certification_status=project.certification_status,
        registry=project.registry,
        methodology=project.methodology,
        vintage=project.vintage,
        durability=project.durability,
        risk_note=project.risk_note,
        partner_name=project.partner_name,
        country=project.country,
        latitude=project.latitude,
        longitude=project.longitude,
        sdgs=project.sdgs,
    )


def _dollars(unit_price_micro: int | None) -> Decimal | None:
    return None if unit_price_micro is None else dollars_from_micro(unit_price_micro)
