"""`fieldfare erase`: forget the persons of an order or of an account, and keep the books.

What is typed and asked; `cli.erasing` does it.
"""

from typing import Annotated

import typer

from fieldfare.cli.context import run
from fieldfare.cli.steps import complain


def erase_command(
    group: Annotated[
        str | None,
        typer.Option(metavar="GROUP_ID", help="An order: a charge, or the purchase's UUID."),
    ] = None,
    account: Annotated[
        int | None, typer.Option(min=1, max=2**63 - 1, help="An account's number.")
    ] = None,
    forfeit: Annotated[
        bool, typer.Option("--forfeit", help="Give up the credits that an account still has.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget the persons of an order or an account for good; books and certificates stay.

    Of an order: its note, its metadata, and on whose behalf it was placed. Of an account: that of
    all its orders, its name and addresses, its tokens, log-ins and card, here and at the card
    processor. Safe to repeat, also after it was cut off.

    Example: fieldfare erase --group ch_3MmlLrLkdIwHu7ix0snN0B15

    Example: fieldfare erase --account 1001
    """
    from fieldfare.cli import erasing

    if (group is None) == (account is None):
        raise typer.BadParameter("give either --group or --account")
    if account is None:
        assert group is not None, "one of the two is given"
        _ask(f"Forget the persons of the order {group} for good?", yes)
        run(erasing.erase_group(group))
        return
    named = run(erasing.name_account(account))
    _ask(f"Forget account {account} ({named}) and the persons of all its orders for good?", yes)
    if not run(erasing.erase_account(account, forfeit)):
        raise typer.Exit(1)


def _ask(question: str, yes: bool) -> None:
    try:
        agreed = yes or typer.confirm(question, err=True)
    except typer.Abort:
        agreed = False
    if not agreed:
        complain("nothing was erased; answer y, or give --yes")
        raise typer.Exit(1)
