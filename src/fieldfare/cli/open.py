"""`fieldfare open`: open a closed shop, once its books were held against the processor's lists.

What is typed and told; `cli.opening` does it.
"""

from typing import Annotated

import typer

from fieldfare.cli.context import run
from fieldfare.cli.steps import say


def open_command(
    no_cards: Annotated[
        bool,
        typer.Option("--no-cards", help="No card is charged here: there is no processor to ask."),
    ] = False,
    despite_findings: Annotated[
        bool,
        typer.Option("--despite-findings", help="Open although the books do not agree."),
    ] = False,
) -> None:
    """Open a closed shop, once its books were held against the card processor's lists.

    Settles what was under way, puts each charge and refund that these books do not know on the list
    of exceptions, verifies everything, and opens. Nothing is charged or refunded. It may be cut off
    and repeated; until it says so, the shop stays closed.

    Example: FIELDFARE_STRIPE_KEY_FILE=/run/secrets/stripe fieldfare open
    """
    from fieldfare.cli.opening import open_shop_again

    findings = run(open_shop_again(no_cards=no_cards, despite_findings=despite_findings))
    if findings is not None:
        say(
            f"Findings: {findings}. The shop stays closed; explain each, or open with "
            "--despite-findings."
        )
        raise typer.Exit(1)
