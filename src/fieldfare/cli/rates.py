"""`fieldfare rates`: what a dollar costs in the currencies that cards are charged in."""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fieldfare.cli.context import open_cli_database, open_cli_transaction, run
from fieldfare.cli.steps import say
from fieldfare.kernel.currency import RateRefused, round_rate
from fieldfare.kernel.numbers import NotANumber, parse_number
from fieldfare.payments.errors import RateNotTaken
from fieldfare.payments.model import ExchangeRate, Recorded, RecordedRate
from fieldfare.settings import read_settings

if TYPE_CHECKING:
    from fieldfare.payments.service.rates import Rates

rates_app = typer.Typer(
    help="Exchange rates: units of a currency for one US dollar.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Force = Annotated[
    bool, typer.Option("--force", help="Also if it is more than a fifth away from the one before.")
]


@rates_app.command("list")
def list_command() -> None:
    """Show the rate that holds of each currency, and which currencies have none.

    Example: fieldfare rates list
    """
    from fieldfare.payments.service.rates import CHARGED_IN

    rates = run(_load())
    for rate in rates.values():
        say(_line(rate))
    missing = [code for code in CHARGED_IN if code not in rates]
    if missing:
        say(f"Without a rate: {', '.join(missing)}")


async def _load() -> "Rates":
    from fieldfare.payments.service.rates import load_rates

    async with open_cli_database() as db:
        return await load_rates(db)


def _line(rate: RecordedRate) -> str:
    origin = "European Central Bank" if rate.source == "ecb" else "operator"
    return f"{rate.currency}  {rate.rate:>16f}  {rate.rate_on}  {origin}"


@rates_app.command("set")
def set_command(
    currency: Annotated[str, typer.Argument(help="ISO 4217: KWD.")],
    rate: Annotated[str, typer.Argument(help="Units that one US dollar buys: 0.3071.")],
    on: Annotated[str, typer.Option(help="The day that it is the rate of: 2026-11-20.")],
    force: Force = False,
) -> None:
    """Set a rate by hand, from now on; a reference rate of a later day takes its place.

    Example: fieldfare rates set KWD 0.3071 --on 2026-11-20
    """
    said = run(_set(currency, rate, on, force))
    say(f"One US dollar is {said.rate:f} {said.currency}, as of {said.rate_on}.")


async def _set(currency: str, rate: str, on: str, force: bool) -> ExchangeRate:
    from fieldfare.payments.service.rates import set_rate

    said = read_rate(currency, rate, on)
    async with open_cli_transaction() as conn:
        await set_rate(conn, said, now=datetime.now(UTC), force=force)
    return said


def read_rate(currency: str, rate: str, on: str) -> ExchangeRate:
    """What an operator wrote; raises `RateNotTaken`."""
    try:
        value = round_rate(parse_number(rate.strip()))
    except (NotANumber, RateRefused) as error:
        raise RateNotTaken(f"{rate[:40]!r} is no rate. Give a number such as 0.3071.") from error
    try:
        rate_on = date.fromisoformat(on)
    except ValueError as error:
        raise RateNotTaken(f"{on[:40]!r} is no day. Give --on one such as 2026-11-20.") from error
    return ExchangeRate(currency=currency.upper(), rate=value, rate_on=rate_on)


@rates_app.command("refresh")
def refresh_command(force: Force = False) -> None:
    """Take over new reference rates now, from FIELDFARE_RATES_URL or the installed package.

    Example: FIELDFARE_RATES_URL=https://rates.example/eurofxref.zip fieldfare rates refresh
    """
    recorded = run(_refresh(force))
    for refused in recorded.refused:
        typer.echo(f"{refused.currency} keeps its rate: {refused.reason}", err=True)
    changed = sorted({rate.currency for rate in recorded.written})
    say(f"New rates: {', '.join(changed)}." if changed else "There are no newer rates.")


async def _refresh(force: bool) -> Recorded:
    from fieldfare.payments.jobs import refresh_rates_once

    url = read_settings().rates_url
    async with open_cli_database() as db:
        return await refresh_rates_once(db, url, now=datetime.now(UTC), force=force)
