"""`fieldfare backup`: write a dump, with an archive a base backup too, and check both.

What is typed and told; `cli.backing_up` does it.
"""

from pathlib import Path
from typing import Annotated

import typer

from fieldfare.cli.context import run
from fieldfare.cli.steps import say


def backup_command(
    folder: Annotated[
        Path, typer.Argument(help="Where backups are kept; each gets a folder of its own there.")
    ],
    keep: Annotated[
        int | None, typer.Option(min=1, help="Delete all but so many of the newest, this included.")
    ] = None,
) -> None:
    """Write a backup of the database, read it back, and print its folder.

    A dump of one snapshot, beside a busy server. With FIELDFARE_ARCHIVE set and `fieldfare archive`
    running, a base backup of the server too, for `fieldfare restore --to`.

    Example: fieldfare backup /var/backups/fieldfare --keep 14
    """
    from fieldfare.cli.backing_up import back_up

    made = run(back_up(folder.absolute(), keep))
    say(str(made))
