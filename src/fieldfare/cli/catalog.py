"""`fieldfare catalog`: bring the catalogue to a file, set prices ahead, show what is sold.

Amounts are US dollars for one tonne or tree.
"""

import getpass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fieldfare.catalog.errors import CatalogueRefused, PriceRefused
from fieldfare.catalog.model import Catalogue, Portfolio, PriceRow, Project
from fieldfare.cli.context import open_cli_database, open_cli_transaction, run
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.money import dollars_from_cents, dollars_from_micro

if TYPE_CHECKING:
    from fieldfare.catalog import service

catalog_app = typer.Typer(
    help="What is sold: import it, price it, show it.", no_args_is_help=True, rich_markup_mode=None
)
price_app = typer.Typer(help="Prices.", no_args_is_help=True, rich_markup_mode=None)
catalog_app.add_typer(price_app, name="price")


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run as a number that has no name.
        return "operator"


By = Annotated[
    str, typer.Option(default_factory=_user_name, help="Who makes the change; kept with it.")
]


@catalog_app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="A catalogue, or a part of one, as TOML.")],
    by: By,
) -> None:
    """Bring partners, projects, portfolios and weights to what a file says.

    Done again, it changes nothing. What the file does not name stays, and a project that has a
    price keeps it: change it with `fieldfare catalog price set`.

    Example: fieldfare catalog import catalogue.toml
    """
    imported = run(_import(file, by))
    typer.echo(_told(imported))
    for price in imported.refused_prices:
        typer.echo(
            f"Project {price.project_id} keeps its price, the file says "
            f"{_dollars(price.unit_price_micro)}: set that with `fieldfare catalog price set`.",
            err=True,
        )


async def _import(file: Path, by: str) -> "service.Imported":
    from fieldfare.catalog import service

    wanted = service.read_preset(_content(file))
    async with open_cli_transaction() as conn:
        return await service.import_catalogue(
            conn, wanted, now=datetime.now(UTC), made_by=by, reason=f"import of {file.name}"
        )


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CatalogueRefused(
            f"{file} cannot be read ({error.strerror}). Give the path of a TOML file."
        ) from error


def _told(imported: "service.Imported") -> str:
    if imported.revision is None:
        return "Nothing to do: the catalogue is as the file says."
    counts = ", ".join(
        f"{len(rows)} {name}"
        for name, rows in (
            ("partners", imported.change.partners),
            ("projects", imported.change.projects),
            ("portfolios", imported.change.portfolios),
            ("prices", imported.change.prices),
        )
    )
    return f"Revision {imported.revision} of the catalogue: {counts} written."


@price_app.command("set")
def set_price_command(
    project_id: Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The project's id.")],
    price: Annotated[str, typer.Argument(help="US dollars for one tonne or tree.")],
    at: Annotated[
        str, typer.Option(help="From when on, in RFC 3339; at least five seconds ahead.")
    ],
    by: By,
    reason: Annotated[str, typer.Option(help="Why; kept with the change.")] = "new price",
) -> None:
    """Set a project's price from an instant on. Prices are only added: a later one prevails.

    Example: fieldfare catalog price set 18 251.40 --at 2027-01-01T00:00:00Z
    """
    row = run(_set_price(project_id, price, at, by, reason))
    typer.echo(
        f"Project {row.project_id} costs {_dollars(row.unit_price_micro)} "
        f"from {rfc3339(row.effective_at)} on."
    )


async def _set_price(project_id: int, price: str, at: str, by: str, reason: str) -> PriceRow:
    from fieldfare.catalog import service

    unit_price_micro = service.micro_from_dollars(_decimal(price))
    effective_at = _instant(at)
    async with open_cli_transaction() as conn:
        return await service.set_price(
            conn, project_id, unit_price_micro, effective_at, made_by=by, reason=reason
        )


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise PriceRefused(f"{text!r} is no price. Give dollars such as 242.86.") from error


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise PriceRefused(
            f"{text!r} is no instant. Give --at one such as 2027-01-01T00:00:00Z."
        ) from error
    if instant.tzinfo is None:
        raise PriceRefused(f"{text!r} has no time zone. Add Z for UTC, or an offset.")
    return instant.astimezone(UTC)


@catalog_app.command("example")
def example_command() -> None:
    """Print the demo's catalogue, as a file to begin with.

    Example: fieldfare catalog example > catalogue.toml
    """
    from fieldfare.catalog import service

    typer.echo(service.demo_file().decode(), nl=False)


@catalog_app.command("list")
def list_command() -> None:
    """Show the projects and portfolios with their prices of now.

    Example: fieldfare catalog list
    """
    catalogue = run(_load())
    typer.echo("Projects")
    for project in catalogue.projects.values():
        typer.echo(_project_line(project))
    typer.echo("Portfolios, by the tonne")
    for portfolio in catalogue.portfolios.values():
        typer.echo(_portfolio_line(catalogue, portfolio))
    if catalogue.valid_until is not None:
        typer.echo(f"The next price takes effect at {rfc3339(catalogue.valid_until)}.")


async def _load() -> Catalogue:
    from fieldfare.catalog import service

    async with open_cli_database() as db:
        return await service.load_catalogue(db, datetime.now(UTC))


def _project_line(project: Project) -> str:
    price = "-" if project.unit_price_micro is None else _dollars(project.unit_price_micro)
    closed = "" if project.is_open else "  (closed)"
    return (
        f"{project.id:>6}  {price:>10}  {project.unit:5}  {project.standing:17}  "
        f"{project.name}, {project.partner_name}{closed}"
    )


def _portfolio_line(catalogue: Catalogue, portfolio: Portfolio) -> str:
    notes = [
        note
        for note, holds in (
            ("default", portfolio.id == catalogue.default_portfolio_id),
            (f"only for account {portfolio.account_id}", portfolio.account_id is not None),
            ("closed", not portfolio.is_open),
        )
        if holds
    ]
    price = f"{dollars_from_cents(portfolio.cost_per_ton_cents):f}"
    shown = f"  ({', '.join(notes)})" if notes else ""
    return f"{portfolio.id:>6}  {price:>10}  {portfolio.name}{shown}"


def _dollars(unit_price_micro: int) -> str:
    return f"{dollars_from_micro(unit_price_micro):f}"
