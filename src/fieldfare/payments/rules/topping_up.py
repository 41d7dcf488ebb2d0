"""Credits bought by card: what the card is charged, and what the client is told."""

from typing import Literal

import msgspec

from fieldfare.kernel.currency import charge_minor
from fieldfare.kernel.wire import CurrencyCode, GivenId, MinorAmount
from fieldfare.payments.errors import AboveMaximum, BelowMinimum
from fieldfare.payments.model import Exchange, TopUpQuote

MIN_CENTS = 100
MAX_CENTS = 99_999_999
FIELD = "amountInUsdCents"


class TopUpBody(msgspec.Struct, rename="camel"):
    """What `POST /api/credits/top-up` answers."""

    amount_charged: MinorAmount
    """In the currency's smallest unit."""
    currency: CurrencyCode
    id: GivenId
    """The charge at the processor."""
    credit_balance: MinorAmount
    """US cents, with what was bought in it."""
    test: Literal[True] | msgspec.UnsetType = msgspec.UNSET


def quote_top_up(amount_cents: int, exchange: Exchange) -> TopUpQuote:
    """What a card is charged for `amount_cents` of credits: rounded up, never less than they cost.

    Raises `BelowMinimum` or `AboveMaximum`.
    """
    if amount_cents < MIN_CENTS:
        raise BelowMinimum(
            f"{FIELD} must be {MIN_CENTS} ($1.00) or more. Send a larger amount.", param=FIELD
        )
    if amount_cents > MAX_CENTS:
        raise AboveMaximum(
            f"{FIELD} must be {MAX_CENTS} ($999,999.99) or less. Send a smaller amount, more than "
            "once if need be.",
            param=FIELD,
        )
    currency = exchange.currency
    charge = charge_minor(amount_cents, exchange.rate, currency)
    if charge > currency.max_minor:
        raise AboveMaximum(
            f"A card cannot be charged more than {currency.max_minor} in the smallest unit of "
            f"{currency.code} at once, and this top-up comes to {charge}. Send a smaller amount, "
            "more than once if need be.",
            param=FIELD,
        )
    return TopUpQuote(amount_cents=amount_cents, charge_minor=charge, exchange=exchange)


def top_up_answer(
    *, charge_minor: int, currency: str, charge_id: str, balance_cents: int, test: bool = False
) -> bytes:
    """The encoded answer to a top-up; it is kept under the client's key as it stands here."""
    return msgspec.json.encode(
        TopUpBody(
            amount_charged=charge_minor,
            currency=currency,
            id=charge_id,
            credit_balance=balance_cents,
            test=True if test else msgspec.UNSET,
        )
    )
