"""`fieldfare books`: the trial balance, a row for each book and a column for each currency.

What must hold: figures are shown exactly, down to the millionth of a cent, so that a column that is
added up by hand gives what the last row says.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import typer

from fieldfare.cli.context import open_cli_database, run
from fieldfare.cli.steps import say
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.currency import get_currency, minor_to_major
from fieldfare.kernel.mass import scaled
from fieldfare.ledger.model import Book, BookTotals

if TYPE_CHECKING:
    from fieldfare.payments.service.positions import Position

MEANINGS: dict[Book, str] = {
    "credits": "prepaid credits that customers hold",
    "partners": "the partners' part of what was sold",
    "margin": "our part of what was sold",
    "tax": "tax that was collected",
    "suspense": "money that nothing explains yet, or that is on its way back",
    "processor": "our balance at the card processor",
    "bank": "paid out to our bank account, less what came from there",
    "receivables": "what customers owe us after lost disputes",
    "disputes": "held back while disputes are open",
    "fees": "the processor's fees",
    "exchange": "bought and sold between currencies",
    "adjustments": "operators' changes of credits",
}
MICRO_DECIMALS = 8
SUM = "sum"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown, as of one moment."""

    totals: BookTotals
    positions: "dict[str, Position]"
    complete_to: datetime | None


def books_command() -> None:
    """Show the trial balance: what every book has come to, in each currency.

    What we owe is positive, what we own is negative, and each currency sums to zero; exit code 1 if
    one does not. `fieldfare verify` tells whether each figure is right.

    Example: fieldfare books
    """
    report = run(_read())
    for line in show_report(report):
        say(line)
    if any(sums_of(report.totals).values()):
        say("A currency does not sum to 0: `fieldfare verify` names the rows.")
        raise typer.Exit(1)


async def _read() -> Report:
    from fieldfare.db.pool import connection
    from fieldfare.orders.service.trial_balance import read_trial_balance
    from fieldfare.payments.service.positions import find_complete_to, read_positions

    async with (
        open_cli_database() as db,
        connection(db) as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        return Report(
            totals=await read_trial_balance(conn),
            positions=await read_positions(conn),
            complete_to=await find_complete_to(conn),
        )


def sums_of(totals: BookTotals) -> dict[str, int]:
    """What each currency sums to, over all books."""
    sums = {currency: 0 for _, currency in sorted(totals, key=lambda key: key[1])}
    for (_, currency), micro in totals.items():
        sums[currency] += micro
    return sums


def show_report(report: Report) -> Iterator[str]:
    """The lines of the table, and of what the processor's record says."""
    sums = sums_of(report.totals)
    books = [book for book in MEANINGS if any(book == used for used, _ in report.totals)]
    columns = [
        [code, *_column([report.totals.get((book, code), 0) for book in books] + [total], code)]
        for code, total in sums.items()
    ]
    names = ["", *books, SUM]
    notes = ["", *(MEANINGS[book] for book in books), "what must be 0"]
    widths = [max(map(len, column)) for column in columns]
    for place, (name, meaning) in enumerate(zip(names, notes, strict=True)):
        cells = (column[place].rjust(width) for column, width in zip(columns, widths, strict=True))
        yield "  ".join([name.ljust(max(map(len, names))), *cells, meaning]).rstrip()
    yield ""
    yield from _show_positions(report)


def _column(micros: list[int], currency: str) -> list[str]:
    """Exact figures, their decimal points one below the other; nothing where there is nothing."""
    decimals = get_currency(currency).decimals
    values = [scaled(micro, MICRO_DECIMALS) for micro in micros]
    finest = [max(decimals, -int(value.as_tuple().exponent)) for value in values]
    shown = [f"{value:,.{places}f}" for value, places in zip(values, finest, strict=True)]
    widest = max(finest)
    # Without a fraction there is no point either.
    blanks = [widest - places + (widest > 0 == places) for places in finest]
    cells = [text + " " * blank for text, blank in zip(shown, blanks, strict=True)]
    return [cell if micro else "" for cell, micro in zip(cells[:-1], micros, strict=False)] + [
        cells[-1]
    ]


def _show_positions(report: Report) -> Iterator[str]:
    if report.complete_to is None:
        yield "The processor's own record was not read yet; `fieldfare verify --processor` does."
        return
    shown = [
        f"{_major(at.net_minor, code)} {code}"
        + (f" ({_major(at.unmet_minor, code)} not shown there yet)" if at.unmet_minor else "")
        for code, at in report.positions.items()
        if at.net_minor or at.unmet_minor
    ]
    yield f"By the processor's own record of {rfc3339(report.complete_to)} we have there:"
    yield f"  {', '.join(shown) or 'nothing'}"


def _major(amount_minor: int, currency: str) -> Decimal:
    return minor_to_major(amount_minor, get_currency(currency))
