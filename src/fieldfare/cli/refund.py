"""`fieldfare refund`: give money of an order, or of a top-up, back to whoever paid it.

What is typed, checked as far as that goes without the order; `cli.refunding` does it.
"""

import re
from fractions import Fraction
from typing import Annotated

import typer

from fieldfare.cli.context import run
from fieldfare.cli.steps import say
from fieldfare.kernel.numbers import NotANumber, parse_number
from fieldfare.kernel.text import TextRefused, clean_text

REASON = "Asked for by an operator"
REASON_CHARACTERS = 500
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def refund_command(
    group_id: Annotated[
        str,
        typer.Argument(
            metavar="GROUP_ID",
            help="An order: a charge, or the purchase's UUID. Or a top-up, by its charge.",
        ),
    ],
    amount: Annotated[
        str | None,
        typer.Option(help="In the currency that was charged, as 5.00; without it, all of it."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = REASON,
    key: Annotated[
        str | None,
        typer.Option(help="A name for this refund: repeated with it, there is only one."),
    ] = None,
) -> None:
    """Give money back: to the card that paid, or to the credits that were taken.

    An order gives up that part of its tonnes and trees; a top-up, that part of its credits. What
    the card processor has not answered is settled in the background, so do not refund it again.

    Example: fieldfare refund ch_3MmlLrLkdIwHu7ix0snN0B15 --amount 5.00 --reason "Ticket 4711"
    """
    from fieldfare.cli.refunding import Wish, refund

    wish = Wish(group_id, _parse_amount(amount), _parse_reason(reason), _parse_key(key))
    for line in run(refund(wish)):
        say(line)


def _parse_amount(text: str | None) -> Fraction | None:
    if text is None:
        return None
    try:
        return parse_number(text.strip())
    except NotANumber as error:
        raise typer.BadParameter(
            "write a number, for instance 5.00", param_hint="--amount"
        ) from error


def _parse_reason(text: str) -> str:
    try:
        cleaned = clean_text(text.strip(), max_characters=REASON_CHARACTERS)
    except TextRefused as error:
        raise typer.BadParameter(str(error), param_hint="--reason") from error
    if not cleaned:
        raise typer.BadParameter("say why, in a few words", param_hint="--reason")
    return cleaned


def _parse_key(text: str | None) -> str | None:
    if text is not None and not _KEY.fullmatch(text):
        raise typer.BadParameter("give 1 to 255 visible ASCII characters", param_hint="--key")
    return text
