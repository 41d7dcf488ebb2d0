"""`fieldfare refund`: give money of an order, or of a top-up, back to whoever paid it.

What must hold: what went back is told by what the books say afterwards; an outcome that nobody
knows yet is told as such, with exit code 1.
"""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from fractions import Fraction
from typing import Annotated
from uuid import UUID, uuid5

import msgspec
import typer

from fieldfare.cli.context import open_cli_database, open_cli_gateway, run
from fieldfare.cli.steps import say
from fieldfare.db.pool import Database, connection
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.kernel.currency import get_currency, minor_to_major
from fieldfare.kernel.mass import tonnes_from_mg
from fieldfare.kernel.money import dollars_from_cents
from fieldfare.kernel.numbers import NotANumber, parse_number
from fieldfare.kernel.text import TextRefused, clean_text
from fieldfare.orders.model import OrderRefund, Purchase
from fieldfare.orders.rules import asked_minor
from fieldfare.orders.service.find import get_any_purchase
from fieldfare.orders.service.refund import refund_order
from fieldfare.payments.service.outcomes import find_payment_of
from fieldfare.payments.service.top_ups.refunding import (
    TopUpRefund,
    find_top_up_id,
    refund_top_up,
)
from fieldfare.settings import SettingsRefused

REASON = "Asked for by an operator"
REASON_CHARACTERS = 500
ID = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class _Wish(msgspec.Struct, frozen=True):
    """What an operator has typed, checked as far as that goes without the order."""

    group_id: str
    amount: Fraction | None
    reason: str
    key: str | None


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
    wish = _Wish(group_id, _parse_amount(amount), _parse_reason(reason), _parse_key(key))
    for line in run(_refund(wish)):
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


async def _refund(wish: _Wish) -> list[str]:
    async with open_cli_database() as db:
        async with connection(db) as conn:
            is_id = ID.fullmatch(wish.group_id)
            top_up_id = await find_top_up_id(conn, wish.group_id) if is_id else None
        if top_up_id is not None:
            async with open_cli_gateway() as gateway:
                return await _refund_top_up(db, gateway, top_up_id, wish)
        async with _gateway_if_known() as maybe:
            return await _refund_order(db, maybe, wish)


@asynccontextmanager
async def _gateway_if_known() -> AsyncIterator[StripeGateway | None]:
    """An order that was paid from credits is refunded without the card processor."""
    async with AsyncExitStack() as stack:
        try:
            gateway = await stack.enter_async_context(open_cli_gateway())
        except SettingsRefused:
            gateway = None
        yield gateway


async def _refund_order(db: Database, gateway: StripeGateway | None, wish: _Wish) -> list[str]:
    async with connection(db) as conn:
        purchase = await get_any_purchase(conn, wish.group_id)
    refund = await refund_order(
        db,
        gateway,
        purchase.id,
        amount_minor=asked_minor(wish.amount, purchase.currency),
        reason=wish.reason,
        request_key=wish.key,
    )
    async with connection(db) as conn:
        return _order_lines(await get_any_purchase(conn, str(purchase.id)), refund)


def _order_lines(purchase: Purchase, refund: OrderRefund) -> list[str]:
    shown = _shown(refund.amount_minor, refund.currency)
    if refund.state == "pending":
        return [_pending_line(shown, refund.id)]
    into = "credits" if purchase.payment_method == "credits" else "card"
    return [
        f"{shown} went back to the {into}, refund {refund.id}.",
        *_impact_lines(refund),
        f"Order {purchase.group_id} is {purchase.state.replace('_', ' ')}: "
        f"{_shown(purchase.refunded_minor, purchase.currency)} of "
        f"{_shown(purchase.charge_minor, purchase.currency)} is back.",
    ]


def _impact_lines(refund: OrderRefund) -> list[str]:
    """What went with the money; a donation bought nothing that could."""
    if refund.mass_mg:
        return [f"With it went {tonnes_from_mg(refund.mass_mg):f} t CO₂e."]
    if refund.trees:
        return [f"With it went {refund.trees} tree{'s' if refund.trees > 1 else ''}."]
    return []


async def _refund_top_up(
    db: Database, gateway: StripeGateway, top_up_id: UUID, wish: _Wish
) -> list[str]:
    async with connection(db) as conn:
        payment = await find_payment_of(conn, top_up_id)
    assert payment is not None, "a top-up has its payment from its first row"
    returned = await refund_top_up(
        db,
        gateway,
        top_up_id,
        amount_minor=asked_minor(wish.amount, payment.currency),
        reason=wish.reason,
        refund_id=None if wish.key is None else uuid5(top_up_id, wish.key),
    )
    return _top_up_lines(returned)


def _top_up_lines(returned: TopUpRefund) -> list[str]:
    shown = _shown(returned.refund.amount_minor, returned.refund.currency)
    left = f"${dollars_from_cents(returned.credits_cents):.2f} of credits left the wallet with it."
    if returned.refund.state == "pending":
        return [_pending_line(shown, returned.refund.id), left]
    return [f"{shown} went back to the card, refund {returned.refund.id}.", left]


def _pending_line(shown: str, refund_id: UUID) -> str:
    return (
        f"The card processor has taken refund {refund_id} of {shown} and takes its time over it. "
        "It takes effect by itself once the money is gone; do not refund again."
    )


def _shown(amount_minor: int, currency: str) -> str:
    known = get_currency(currency)
    return f"{minor_to_major(amount_minor, known):.{min(known.decimals, 3)}f} {currency}"
