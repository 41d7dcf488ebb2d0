"""Amounts: what may be charged in a currency, and how Stripe writes it in a message.

What may be charged is `kernel.currency`'s table; amounts are whole minor units throughout.
"""

from fractions import Fraction

from fieldfare.kernel.currency import Currency, UnknownCurrency, get_currency
from fieldfare.kernel.numbers import half_up
from fieldfare.simulators.stripe.errors import invalid

SETTLEMENT = "usd"
# Thirty cents, or about as much, in minor units by the currency's decimals.
_FIXED_FEE = {0: 30, 2: 30, 3: 90}
_FEE_SHARE = Fraction(29, 1_000)
DISPUTE_FEE = 1_500


def check_charge(amount: int, code: str) -> Currency:
    """The currency, if `amount` of it may be charged; raises `ApiError` (400)."""
    currency = known_currency(code)
    if amount < 1:
        raise invalid(
            "This value must be greater than or equal to 1.",
            param="amount",
            code="parameter_invalid_integer",
        )
    if amount > currency.max_minor:
        raise invalid(
            f"Amount must be no more than {written(currency.max_minor, currency)}",
            param="amount",
            code="amount_too_large",
        )
    if amount % currency.step:
        raise invalid(
            f"Invalid amount: {code} amounts must be divisible by {currency.step}.",
            param="amount",
            code="parameter_invalid_integer",
        )
    if currency.min_minor is not None and amount < currency.min_minor:
        raise invalid(
            f"Amount must be at least {written(currency.min_minor, currency)}",
            param="amount",
            code="amount_too_small",
        )
    return currency


def known_currency(code: str) -> Currency:
    """The currency of a code; raises `ApiError` (400)."""
    try:
        return get_currency(code)
    except UnknownCurrency as error:
        raise invalid(
            f"Invalid currency: {code[:8]}. Stripe does not support it, or it is not a "
            "three-letter ISO code.",
            param="currency",
        ) from error


def written(amount: int, currency: Currency) -> str:
    """`$0.50 usd`, `¥50 jpy`, `0.300 kwd`."""
    sign = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}.get(currency.code, "")
    whole, part = divmod(amount, 10**currency.decimals)
    digits = f".{part:0{currency.decimals}d}" if currency.decimals else ""
    return f"{sign}{whole:,}{digits} {currency.code.lower()}"


def charge_fee(amount: int, currency: Currency) -> int:
    """2.9 % and 30 cents, in whole steps of the currency."""
    fixed = _FIXED_FEE[currency.decimals] * (currency.step if currency.decimals == 2 else 1)
    return half_up(amount * _FEE_SHARE) + fixed


def settled(amount: int, currency: Currency, usd_per_unit: str) -> int:
    """`amount`, of either sign, in US cents at a rate."""
    cents = half_up(Fraction(usd_per_unit) * abs(amount) * 100 / 10**currency.decimals)
    return cents if amount >= 0 else -cents
