"""`fieldfare restore`: make a database of a backup, verify it, and leave the shop closed.

What is typed and told; `cli.restoring` does it.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from fieldfare.cli.context import run
from fieldfare.cli.steps import say

END = "end"


def restore_command(
    backup: Annotated[Path, typer.Argument(help="The folder that `fieldfare backup` printed.")],
    to: Annotated[
        str | None,
        typer.Option(
            help="An instant such as 2026-12-01T10:00:00Z, or `end`: go on from the base backup "
            "by the log in FIELDFARE_ARCHIVE."
        ),
    ] = None,
) -> None:
    """Restore a backup into an empty database, verify it, and leave the shop closed.

    Into the database at DATABASE_URL, or without it into a new server in FIELDFARE_HOME. What is
    there is never overwritten. `fieldfare open` opens the shop, once it was held against the
    card processor.

    Example: fieldfare restore /var/backups/fieldfare/20261201T100000Z --to 2026-12-01T11:30:00Z
    """
    from fieldfare.cli.restoring import restore

    instant = None if to in (None, END) else _instant(str(to))
    found = run(restore(backup.absolute(), to_instant=to is not None, instant=instant))
    if found:
        say(f"Findings: {found}. The shop is closed; do not open it before each is explained.")
        raise typer.Exit(1)
    say("The books agree. The shop is closed until `fieldfare open` has looked at the processor.")


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise typer.BadParameter(
            "--to takes an instant with its zone, such as 2026-12-01T10:00:00Z, or `end`"
        )
    return instant
