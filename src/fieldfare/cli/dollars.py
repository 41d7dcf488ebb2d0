"""US dollars as an operator writes and reads them; in between they are whole cents."""

import re

import typer

from fieldfare.kernel.money import dollars_from_cents

_DOLLARS = re.compile(r"([+-]?)(\d{1,9})(?:\.(\d{2}))?", re.ASCII)


def parse_dollars(text: str) -> int:
    """US cents from dollars such as 500, -12.50 or +0.05."""
    found = _DOLLARS.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter("write dollars with two decimals or none, for instance -12.50")
    cents = int(found[2]) * 100 + int(found[3] or 0)
    return -cents if found[1] == "-" else cents


def show_dollars(cents: int) -> str:
    """Dollars with two decimals from US cents: `$12.50`, or `-$0.05`."""
    return f"{'-' if cents < 0 else ''}${dollars_from_cents(abs(cents)):.2f}"
