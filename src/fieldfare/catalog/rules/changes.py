"""What a change of the catalogue may be, and what it does to the rows.

A change is the rows that it writes, whole. Applied one after the other to nothing, the changes so
far give the catalogue: that is how it is proven.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from fieldfare.catalog.errors import CatalogueRefused, PriceRefused, PriceTooSoon, WeightsRefused
from fieldfare.catalog.model import (
    MAX_UNIT_PRICE_MICRO,
    MIN_UNIT_PRICE_MICRO,
    PartnerRow,
    PortfolioRow,
    PriceRow,
    ProjectRow,
    Rows,
)
from fieldfare.catalog.rules.pricing import check_weights, price_at
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.money import dollars_from_micro

PRICE_NOTICE = timedelta(seconds=5)
"""How far ahead a price must be set. Processes follow changes within a second (`db.changes`)."""

RowT = TypeVar("RowT", PartnerRow, ProjectRow, PortfolioRow)


def apply_change(rows: Rows, change: Rows) -> Rows:
    """The rows after a change: new ones added, those with a known id replaced, none taken out."""
    return Rows(
        partners=_overlaid(rows.partners, change.partners),
        projects=_overlaid(rows.projects, change.projects),
        portfolios=_overlaid(rows.portfolios, change.portfolios),
        prices=tuple(
            {
                (price.project_id, price.effective_at): price
                for price in rows.prices + change.prices
            }.values()
        ),
    )


def _overlaid(rows: tuple[RowT, ...], change: tuple[RowT, ...]) -> tuple[RowT, ...]:
    return tuple({row.id: row for row in rows + change}.values())


def change_to(current: Rows, wanted: Rows, now: datetime) -> Rows:
    """The change that brings `current` to `wanted`; empty if it is there already.

    A price is written only for a project that has none, from `now` on: others are set ahead. What
    `wanted` does not name stays, but a new default portfolio or tree provider relieves the old one.
    Raises `CatalogueRefused` if a project's unit would change, or a custom portfolio.
    """
    _refuse_other_units(current, wanted)
    _refuse_custom(current, wanted)
    priced = {price.project_id for price in current.prices}
    return Rows(
        partners=_new_or_other(current.partners, wanted.partners),
        projects=_new_or_other(current.projects, _without_old_provider(current, wanted)),
        portfolios=_new_or_other(current.portfolios, _without_old_default(current, wanted)),
        prices=tuple(
            msgspec.structs.replace(price, effective_at=now)
            for price in wanted.prices
            if price.project_id not in priced
        ),
    )


def refused_prices(current: Rows, wanted: Rows, now: datetime) -> tuple[PriceRow, ...]:
    """The prices of `wanted` that `change_to` leaves out although another one holds at `now`."""
    held = [
        (price, price_at((p for p in current.prices if p.project_id == price.project_id), now))
        for price in wanted.prices
    ]
    return tuple(
        price for price, kept in held if kept and kept.unit_price_micro != price.unit_price_micro
    )


def _new_or_other(current: tuple[RowT, ...], wanted: tuple[RowT, ...]) -> tuple[RowT, ...]:
    known = {row.id: row for row in current}
    return tuple(row for row in wanted if known.get(row.id) != row)


def _without_old_provider(current: Rows, wanted: Rows) -> tuple[ProjectRow, ...]:
    if not any(row.is_tree_provider for row in wanted.projects):
        return wanted.projects
    named = {row.id for row in wanted.projects}
    return wanted.projects + tuple(
        msgspec.structs.replace(row, is_tree_provider=False)
        for row in current.projects
        if row.is_tree_provider and row.id not in named
    )


def _without_old_default(current: Rows, wanted: Rows) -> tuple[PortfolioRow, ...]:
    if not any(row.is_default for row in wanted.portfolios):
        return wanted.portfolios
    named = {row.id for row in wanted.portfolios}
    return wanted.portfolios + tuple(
        msgspec.structs.replace(row, is_default=False)
        for row in current.portfolios
        if row.is_default and row.id not in named
    )


def _refuse_other_units(current: Rows, wanted: Rows) -> None:
    units = {row.id: row.unit for row in current.projects}
    for row in wanted.projects:
        if units.get(row.id, row.unit) != row.unit:
            raise CatalogueRefused(
                f"Project {row.id} is priced by another unit ({units[row.id]}). "
                "Add a new project instead: prices and orders are counted in its unit."
            )


def _refuse_custom(current: Rows, wanted: Rows) -> None:
    owners = {row.id: row.account_id for row in current.portfolios}
    for row in wanted.portfolios:
        if owners.get(row.id) is not None:
            raise CatalogueRefused(
                f"Portfolio {row.id} is the custom portfolio of account {owners[row.id]}. "
                "Give yours another id."
            )


def check_rows(rows: Rows) -> None:
    """Raise `CatalogueRefused` unless these rows, all of a catalogue, fit together."""
    partners = {row.id for row in rows.partners}
    projects = {row.id: row for row in rows.projects}
    priced = {price.project_id for price in rows.prices}
    for project in rows.projects:
        _check_project(project, partners, is_priced=project.id in priced)
    for portfolio in rows.portfolios:
        try:
            check_weights(portfolio.weights, projects)
        except WeightsRefused as error:
            raise CatalogueRefused(f"Portfolio {portfolio.id}: {error.message}") from error
    _check_one("default portfolio", (row.id for row in rows.portfolios if row.is_default))
    _check_one("tree provider", (row.id for row in rows.projects if row.is_tree_provider))


def _check_project(project: ProjectRow, partners: set[int], *, is_priced: bool) -> None:
    problem = None
    if project.partner_id not in partners:
        problem = f"There is no partner {project.partner_id}. Add it, or name another."
    elif is_priced and project.unit == "none":
        problem = "It takes donations and has no unit. Leave out its price."
    elif not is_priced and project.unit != "none":
        problem = f"It has no price for one {project.unit}. Add one."
    elif project.is_tree_provider and (project.unit != "tree" or not project.provider_name):
        problem = "A tree provider is priced per tree and has a provider_name. Add both."
    if problem:
        raise CatalogueRefused(f"Project {project.id}: {problem}")


def _check_one(what: str, ids: Iterable[int]) -> None:
    several = sorted(ids)
    if len(several) > 1:
        raise CatalogueRefused(f"There are {len(several)} of one {what}: {several}. Mark one only.")


def check_new_price(
    price: PriceRow, project: ProjectRow, others: Iterable[PriceRow], now: datetime
) -> None:
    """Raise `PriceRefused` or `PriceTooSoon` unless the price can be set at the instant `now`.

    `others` are the project's prices so far.
    """
    if project.unit == "none":
        raise PriceRefused(
            f"Project {project.id} takes donations and has no unit. Set no price for it."
        )
    if not MIN_UNIT_PRICE_MICRO <= price.unit_price_micro <= MAX_UNIT_PRICE_MICRO:
        low, high = map(dollars_from_micro, (MIN_UNIT_PRICE_MICRO, MAX_UNIT_PRICE_MICRO))
        raise PriceRefused(f"A price must be from {low} to {high} US dollars for one unit.")
    if price.effective_at < now + PRICE_NOTICE:
        raise PriceTooSoon(
            f"A price must be set at least {PRICE_NOTICE.seconds} seconds ahead, so that every "
            f"process knows it in time. Give an instant after {rfc3339(now + PRICE_NOTICE)}."
        )
    if any(other.effective_at == price.effective_at for other in others):
        raise PriceRefused(
            f"Project {project.id} has a price from {rfc3339(price.effective_at)} on already. "
            "Prices are only added: give another instant, a later one prevails."
        )
