"""Holding orders against the catalogue they were priced from; part of `fieldfare verify`.

Each purchase is priced and split once more as its revision of the catalogue tells of it, by the
rules that priced it, and held against its own numbers and its lines.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from fieldfare.catalog.model import Catalogue, Project, Rows
from fieldfare.catalog.rules import build_catalogue
from fieldfare.kernel.findings import Finding
from fieldfare.orders.model import OrderKind, Share
from fieldfare.orders.rules import bought_mass_mg, split_offset, tree_price_cents, whole_share

# An order is priced a moment before its id is drawn, and an id knows no finer time than this.
PRICED_WITHIN = timedelta(minutes=1)
ID_GRAIN = timedelta(milliseconds=1)
CATALOGUES_KEPT = 64

PastCatalogues = Callable[[int, datetime], list[Catalogue]]
"""What may have been sold when an order was placed: by revision and instant."""


class Meant(msgspec.Struct, frozen=True):
    """What an order should be by one catalogue."""

    columns: dict[str, Any]
    """Of the purchase, by name."""
    shares: tuple[Share, ...]


def past_catalogues(rows: Mapping[int, Rows]) -> PastCatalogues:
    """The catalogues of every revision, built as they are asked for."""

    @lru_cache(CATALOGUES_KEPT)
    def sold(revision: int, instant: datetime) -> Catalogue:
        return build_catalogue(rows[revision], revision, instant)

    @lru_cache(CATALOGUES_KEPT)
    def changes(revision: int) -> list[datetime]:
        return sorted({price.effective_at for price in rows[revision].prices})

    def catalogues(revision: int, at: datetime) -> list[Catalogue]:
        if revision not in rows:
            return []
        since, until = at - PRICED_WITHIN, at + ID_GRAIN
        before = [instant for instant in changes(revision) if instant <= since]
        within = [instant for instant in changes(revision) if since < instant <= until]
        return [sold(revision, instant) for instant in [*before[-1:], *within]]

    return catalogues


def catalogue_faults(purchase: Any, lines: list[Any], past: PastCatalogues) -> list[Finding]:
    """What differs from the order as the catalogue of its time prices and splits it.

    Around a price's instant more than one catalogue may have been meant: the nearest one counts.
    """
    mean = MEANT[purchase["kind"]]
    sold = past(purchase["price_revision"], purchase["created_at"])
    meant = [one for one in (mean(purchase, catalogue) for catalogue in sold) if one is not None]
    if not meant:
        return [of_purchase(purchase, _not_sold(purchase))]
    return min((list(_differing(purchase, lines, one)) for one in meant), key=len)


def _not_sold(purchase: Any) -> str:
    wanted = {
        "offset": f"portfolio {purchase['portfolio_id']}",
        "tree": f"trees of project {purchase['project_id']}",
        "project": f"project {purchase['project_id']}",
    }
    return (
        f"revision {purchase['price_revision']} of the catalogue does not sell "
        f"{wanted[purchase['kind']]} at {purchase['created_at'].isoformat()}"
    )


def _mean_offset(purchase: Any, catalogue: Catalogue) -> Meant | None:
    portfolio = catalogue.portfolios.get(purchase["portfolio_id"])
    if portfolio is None:
        return None
    columns = {
        "unit_price_cents": portfolio.cost_per_ton_cents,
        # A custom portfolio is sold to its own account only.
        "account_id": portfolio.account_id or purchase["account_id"],
    }
    mass_mg, amount_cents = purchase["mass_mg"], purchase["amount_cents"]
    return Meant(columns, split_offset(portfolio, mass_mg=mass_mg, amount_cents=amount_cents))


def _mean_trees(purchase: Any, catalogue: Catalogue) -> Meant | None:
    project = catalogue.projects.get(purchase["project_id"])
    is_provider = project is not None and project.id == catalogue.tree_provider_id
    if project is None or not is_provider or project.unit_price_micro is None:
        return None
    price = tree_price_cents(purchase["trees"], project.unit_price_micro)
    return Meant({"amount_cents": price}, _whole(purchase, project, trees=purchase["trees"]))


def _mean_project(purchase: Any, catalogue: Catalogue) -> Meant | None:
    project = catalogue.projects.get(purchase["project_id"])
    if project is None or project.unit == "tree":
        return None
    mass_mg = 0
    if project.unit == "tonne":
        if project.unit_price_micro is None:
            return None
        mass_mg = bought_mass_mg(purchase["amount_cents"], project.unit_price_micro)
    return Meant({"mass_mg": mass_mg}, _whole(purchase, project, mass_mg=mass_mg))


def _whole(
    purchase: Any, project: Project, *, mass_mg: int = 0, trees: int = 0
) -> tuple[Share, ...]:
    amount_cents = purchase["amount_cents"]
    return (whole_share(project, mass_mg=mass_mg, trees=trees, amount_cents=amount_cents),)


MEANT: dict[OrderKind, Callable[[Any, Catalogue], Meant | None]] = {
    "offset": _mean_offset,
    "tree": _mean_trees,
    "project": _mean_project,
}
"""What a purchase of each kind should be; None if the catalogue does not sell it."""


def _differing(purchase: Any, lines: list[Any], meant: Meant) -> Iterator[Finding]:
    for message in differences(purchase, meant.columns):
        yield of_purchase(purchase, message)
    if purchase["state"] == "failed":
        return
    due = {share.project.id: share for share in meant.shares}
    for line in lines:
        share = due.pop(line["project_id"], None)
        if share is None:
            yield of_line(
                line, f"project {line['project_id']} is not in this order, or there twice"
            )
        else:
            for message in differences(line, _line_columns(purchase, share)):
                yield of_line(line, message)
    for project_id in due:
        yield of_purchase(purchase, f"its line of project {project_id} is not there")


def _line_columns(purchase: Any, share: Share) -> dict[str, Any]:
    return {
        "account_id": purchase["account_id"],
        "partner_id": share.project.partner_id,
        "kind": share.kind,
        "standing": share.project.standing,
        "certification_status": share.project.certification_status,
        "weight_ppm": share.weight_ppm,
        "unit_price_micro": share.project.unit_price_micro,
        "mass_mg": share.mass_mg,
        "trees": share.trees,
        "amount_micro": share.amount_micro,
        "billed_micro": share.billed_micro,
        "partner_share_ppm": share.project.partner_share_ppm,
        "partner_micro": share.partner_micro,
        "margin_micro": share.margin_micro,
    }


def differences(row: Any, expected: Mapping[str, Any]) -> Iterator[str]:
    """Where a row differs from what its columns should be, in words."""
    for column, value in expected.items():
        if row[column] != value:
            yield f"{column} is {row[column]}, should be {value}"


def of_purchase(purchase: Any, message: str) -> Finding:
    """What is wrong with a purchase."""
    return Finding("orders.purchase", f"id={purchase['id']}", message)


def of_line(line: Any, message: str) -> Finding:
    """What is wrong with a line."""
    return Finding("orders.line", f"id={line['id']}", message)
