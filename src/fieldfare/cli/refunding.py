"""How `fieldfare refund` does it: finds what is meant, gives the money back, and tells of it.

What must hold: what went back is told by what the books say afterwards; an outcome that nobody
knows yet is told as such, with exit code 1.
"""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from fractions import Fraction
from uuid import UUID, uuid5

import msgspec

from fieldfare.cli.context import open_cli_database, open_cli_gateway
from fieldfare.db.pool import Database, connection
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.kernel.currency import get_currency, minor_to_major
from fieldfare.kernel.mass import tonnes_from_mg
from fieldfare.kernel.money import dollars_from_cents
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

ID = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)


class Wish(msgspec.Struct, frozen=True):
    """What an operator has typed, checked as far as that goes without the order."""

    group_id: str
    amount: Fraction | None
    reason: str
    key: str | None


async def refund(wish: Wish) -> list[str]:
    """Carry it out; gives the lines that tell of it.

    Raises `ProblemError` if it cannot be, or if its outcome is not known yet, and `SettingsRefused`
    if it takes a card processor and none is known.
    """
    async with open_cli_database() as db:
        async with connection(db) as conn:
            is_id = ID.fullmatch(wish.group_id)
            top_up_id = await find_top_up_id(conn, wish.group_id) if is_id else None
        if top_up_id is not None:
            async with open_cli_gateway(db) as gateway:
                return await _refund_top_up(db, gateway, top_up_id, wish)
        async with _gateway_if_known(db) as maybe:
            return await _refund_order(db, maybe, wish)


@asynccontextmanager
async def _gateway_if_known(db: Database) -> AsyncIterator[StripeGateway | None]:
    """An order that was paid from credits is refunded without the card processor."""
    async with AsyncExitStack() as stack:
        try:
            gateway = await stack.enter_async_context(open_cli_gateway(db))
        except SettingsRefused:
            gateway = None
        yield gateway


async def _refund_order(db: Database, gateway: StripeGateway | None, wish: Wish) -> list[str]:
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
    db: Database, gateway: StripeGateway, top_up_id: UUID, wish: Wish
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
