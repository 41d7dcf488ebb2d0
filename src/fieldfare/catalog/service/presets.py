"""Catalogues as TOML files: the operator's own, and the demo's, which is also the sandbox's.

A file has `[[partners]]`, `[[projects]]` and `[[portfolios]]`, each with its id below 1000: the
ones from 1000 on are given by the database. Prices are dollars for one unit, shares and weights
fractions of one, all read from their decimal text: no float comes near them.
"""

import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from importlib import resources
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from fieldfare.catalog import rules
from fieldfare.catalog.errors import CatalogueRefused
from fieldfare.catalog.model import (
    Catalogue,
    PartnerRow,
    PortfolioFacts,
    PortfolioRow,
    PriceRow,
    ProjectFacts,
    ProjectRow,
    Rows,
)
from fieldfare.kernel.money import CENTS_PER_DOLLAR, MICRO_PER_CENT, PPM
from fieldfare.kernel.numbers import NotANumber, parse_number

ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)
"""From when on the prices of a file hold that was not imported into a database."""

DEMO = "demo.toml"

MICRO_PER_DOLLAR = CENTS_PER_DOLLAR * MICRO_PER_CENT

RowT = TypeVar("RowT", PartnerRow, ProjectRow, PortfolioRow, PriceRow)

FileId: TypeAlias = Annotated[int, Meta(ge=1, le=999)]


class FilePartner(PartnerRow, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A partner in a file."""

    id: FileId


class FileProject(ProjectFacts, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A project in a file."""

    id: FileId
    partner: int
    partner_share: Decimal
    """Of each cent, 0.70 to 0.95."""
    price: Decimal | None = None
    """US dollars for one unit; none for a project without a unit."""


class FilePortfolio(PortfolioFacts, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A portfolio in a file."""

    id: FileId
    weights: dict[int, Decimal]
    """Each project's share of the money; they sum to 1."""


class File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A catalogue in a file, or a part of one."""

    partners: tuple[FilePartner, ...] = ()
    projects: tuple[FileProject, ...] = ()
    portfolios: tuple[FilePortfolio, ...] = ()


def demo_file() -> bytes:
    """The file of the demo's catalogue, as it comes with this program."""
    return resources.files("fieldfare.catalog").joinpath("preset", DEMO).read_bytes()


def load_preset() -> Rows:
    """The rows of the demo's catalogue."""
    return read_preset(demo_file())


def preset_catalogue() -> Catalogue:
    """What the sandbox sells: the demo's catalogue, without a database."""
    return rules.build_catalogue(load_preset(), 0, ALWAYS)


def read_preset(content: bytes) -> Rows:
    """The rows that a file asks for; raises `CatalogueRefused` with what to correct."""
    try:
        # `Decimal` keeps the text of a number as it is written.
        parsed = tomllib.loads(content.decode(), parse_float=Decimal)
        # Not strict, because TOML has only text for the keys of a table.
        file = msgspec.convert(parsed, File, strict=False)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CatalogueRefused(f"The catalogue cannot be read: {error}. Correct it.") from error
    _refuse_doubles("partner", [partner.id for partner in file.partners])
    _refuse_doubles("project", [project.id for project in file.projects])
    _refuse_doubles("portfolio", [portfolio.id for portfolio in file.portfolios])
    return Rows(
        partners=tuple(_partner(partner) for partner in file.partners),
        projects=tuple(_project(project) for project in file.projects),
        portfolios=tuple(_portfolio(portfolio) for portfolio in file.portfolios),
        prices=tuple(
            _price(project.id, project.price)
            for project in file.projects
            if project.price is not None
        ),
    )


def micro_from_dollars(price: Decimal) -> int:
    """Dollars as millionths of a cent; raises `CatalogueRefused` if that is no whole number."""
    return _whole(price, MICRO_PER_DOLLAR, "price")


def _partner(partner: FilePartner) -> PartnerRow:
    return _checked(f"Partner {partner.id}", PartnerRow, msgspec.structs.asdict(partner))


def _project(project: FileProject) -> ProjectRow:
    where = f"Project {project.id}"
    fields = msgspec.structs.asdict(project)
    del fields["price"]
    fields["partner_id"] = fields.pop("partner")
    fields["partner_share_ppm"] = _whole(fields.pop("partner_share"), PPM, f"{where}: share")
    return _checked(where, ProjectRow, fields)


def _portfolio(portfolio: FilePortfolio) -> PortfolioRow:
    where = f"Portfolio {portfolio.id}"
    weights = [
        {"project_id": project_id, "weight_ppm": _whole(weight, PPM, f"{where}: weight")}
        for project_id, weight in sorted(portfolio.weights.items())
    ]
    fields = msgspec.structs.asdict(portfolio) | {"weights": weights}
    return _checked(where, PortfolioRow, fields)


def _price(project_id: int, price: Decimal) -> PriceRow:
    where = f"Project {project_id}"
    fields = {
        "project_id": project_id,
        "effective_at": ALWAYS,
        "unit_price_micro": _whole(price, MICRO_PER_DOLLAR, f"{where}: price"),
    }
    return _checked(where, PriceRow, fields)


def _whole(value: Decimal, scale: int, what: str) -> int:
    try:
        scaled = parse_number(str(value)) * scale
    except NotANumber as error:
        raise CatalogueRefused(f"{what} {value} is no number. Write one such as 0.85.") from error
    if scaled.denominator != 1:
        decimals = len(str(scale)) - 1
        raise CatalogueRefused(f"{what} {value} is too fine. Write at most {decimals} decimals.")
    return scaled.numerator


def _checked(where: str, kind: type[RowT], fields: dict[str, Any]) -> RowT:
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise CatalogueRefused(f"{where}: {error}. Correct it.") from error


def _refuse_doubles(what: str, ids: list[int]) -> None:
    if double := next((one for one in ids if ids.count(one) > 1), None):
        raise CatalogueRefused(f"There are two of {what} {double}. Give one of them another id.")
