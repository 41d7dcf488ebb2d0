"""`fieldfare verify`: hold the books against each other and name every row that does not agree.

What is typed and told at the end; `cli.checks` lists the checks and carries them out.
"""

from typing import Annotated

import typer

from fieldfare.cli.context import run
from fieldfare.cli.steps import say


def verify_command(
    processor: Annotated[
        bool,
        typer.Option(
            "--processor",
            help="First read the card processor's own record, then hold all against it.",
        ),
    ] = False,
) -> None:
    """Hold every balance, entry, purchase and line against the rows that must agree with it.

    Prints each row that does not, and ends with exit code 1 if there is one. It reads in one
    snapshot, so it can run beside a busy server. Without --processor nothing is written, and what
    the hourly import has not seen yet is left out.

    Example: fieldfare verify --processor
    """
    from fieldfare.cli.checks import verify, verify_with_processor

    found = run(verify_with_processor() if processor else verify())
    if found:
        say(f"Findings: {found}. Stop paying out until each is explained.")
        raise typer.Exit(1)
    say("The books agree.")
