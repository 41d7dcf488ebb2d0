"""What one order may cost: what the books hold, what a card is charged, what the client accepts.

A refusal names the smallest amount that would pass, or what to change, in the client's own words.
"""

from collections.abc import Callable

import msgspec

from fieldfare.kernel.currency import (
    Currency,
    charge_minor,
    smallest_charge_minor,
    smallest_price_cents,
)
from fieldfare.kernel.money import CENTS_PER_DOLLAR
from fieldfare.orders.errors import PriceAboveMaximum
from fieldfare.orders.model import OrderRequest
from fieldfare.payments.errors import AboveMaximum, BelowMinimum
from fieldfare.payments.model import Exchange

MAX_PRICE_CENTS = 10**12
"""What a wallet can hold; a thousand times as much would burst the books' integers."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """The field of a request that sets the price, and how to speak of it."""

    param: str
    card_minimum_cents: int
    """Our own least price by card; the processor's holds beside it."""
    name_smallest: Callable[[int], str]
    """From a price in US cents to words such as `tons 0.063339732`: the least that reaches it."""


def check_price(amount_cents: int, param: str) -> None:
    """Raise `AboveMaximum` for a price beyond what the books hold."""
    if amount_cents > MAX_PRICE_CENTS:
        raise AboveMaximum(
            f"An order can cost at most {_dollars(MAX_PRICE_CENTS)}, and this one comes to "
            f"{_dollars(amount_cents)}. Split it into smaller orders.",
            param=param,
        )


def bounded_charge_minor(
    asked: OrderRequest, amount_cents: int, exchange: Exchange, size: Size
) -> int:
    """What an order of this price is charged, in minor units of the exchange's currency.

    Raises `BelowMinimum`, `AboveMaximum` or `PriceAboveMaximum`.
    """
    check_price(amount_cents, size.param)
    charge = charge_minor(amount_cents, exchange.rate, exchange.currency)
    if asked.payment_method == "stripe":
        _check_card_minimum(amount_cents, exchange, size)
        _check_card_maximum(charge, exchange.currency, size)
    _check_price_cap(asked, charge, exchange.currency)
    return charge


def _check_card_minimum(amount_cents: int, exchange: Exchange, size: Size) -> None:
    least_minor = smallest_charge_minor(exchange.rate, exchange.currency)
    minimum_cents = max(
        size.card_minimum_cents,
        smallest_price_cents(least_minor, exchange.rate, exchange.currency),
    )
    if amount_cents < minimum_cents:
        raise BelowMinimum(
            f"An order by card costs {_dollars(minimum_cents)} or more: "
            f"{size.name_smallest(minimum_cents)} or more. "
            'With paymentMethod "credits" it may be less.',
            param=size.param,
        )


def _check_card_maximum(charge: int, currency: Currency, size: Size) -> None:
    if charge > currency.max_minor:
        raise AboveMaximum(
            f"A card cannot be charged more than {currency.max_minor} in the smallest unit of "
            f"{currency.code} at once, and this order comes to {charge}. Split it into smaller "
            'orders, or pay with paymentMethod "credits".',
            param=size.param,
        )


def _check_price_cap(asked: OrderRequest, charge: int, currency: Currency) -> None:
    if asked.max_amount_minor is not None and charge > asked.max_amount_minor:
        raise PriceAboveMaximum(
            f"This order costs {charge} in the smallest unit of {currency.code}, more than your "
            f"maxAmountCharged of {asked.max_amount_minor}. Nothing was charged. Raise it, or "
            "order less.",
            param="maxAmountCharged",
        )


def _dollars(cents: int) -> str:
    return f"${cents // CENTS_PER_DOLLAR:,}.{cents % CENTS_PER_DOLLAR:02}"
