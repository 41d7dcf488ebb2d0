"""What a charge on a card moves in the books, and in which currency it is made."""

from decimal import Decimal
from typing import Literal

from fieldfare.kernel.currency import get_currency, micro_from_minor
from fieldfare.kernel.money import micro_from_cents
from fieldfare.ledger.model import Leg
from fieldfare.payments.model import Exchange

IN_DOLLARS = Exchange(currency=get_currency("USD"), rate=Decimal(1))

Sign = Literal[1, -1]


def card_legs(*, currency: str, amount_minor: int, amount_cents: int, sign: Sign = 1) -> list[Leg]:
    """The card's side of a movement whose other side is `sign` times `amount_cents` of US money.

    `amount_minor` of `currency` is what the processor holds more of (sign 1: the card was charged)
    or less of (sign -1: money went back). With the other side the legs sum to zero in each
    currency; what the two amounts are worth to each other is the exchange's matter.

    Raises `UnknownCurrency`.
    """
    held_micro = sign * micro_from_minor(amount_minor, get_currency(currency))
    bought_micro = sign * micro_from_cents(amount_cents)
    held = Leg(book="processor", currency=currency, amount_micro=-held_micro)
    if currency == IN_DOLLARS.currency.code:
        return [held]
    return [
        held,
        Leg(book="exchange", currency=currency, amount_micro=held_micro),
        Leg(book="exchange", currency="USD", amount_micro=-bought_micro),
    ]
