"""Currencies as the card processor counts them, and a dollar price as a charge in one of them.

The tables hold what Stripe documents for card charges (docs.stripe.com/currencies, read in 2026):
its minor units are not always those of ISO 4217, and some amounts between two minor units cannot be
charged. What must hold: a charge is a whole number of steps, never below its price and never a
whole step above it, reckoned in exact rationals from the rate that is stored with the order.
"""

import math
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import TypeAlias

import msgspec

from fieldfare.kernel.mass import plain, scaled
from fieldfare.kernel.money import CENTS_PER_DOLLAR
from fieldfare.kernel.numbers import ceil_div

Rate: TypeAlias = Decimal
"""Units of a currency per one US dollar, rounded by `round_rate`."""

RATE_DIGITS = 10
SMALLEST_CHARGE_USD_CENTS = 50
_MICRO_DIGITS = 8
"""A unit is a hundred hundredths, each of a million parts."""


class UnknownCurrency(ValueError):
    """The code names no currency that a card can be charged in."""


class RateRefused(ValueError):
    """An exchange rate is not a finite number above zero."""


class Currency(msgspec.Struct, frozen=True, kw_only=True):
    """One currency; its amounts count the processor's minor unit, `10 ** -decimals` of a unit."""

    code: str
    """Its ISO 4217 code, in capitals."""
    decimals: int
    """0, 2 or 3."""
    step: int
    """A charge is a multiple of this, in minor units."""
    max_minor: int
    """The largest charge: itself a multiple of `step`."""
    min_minor: int | None
    """The smallest charge, where one is documented; see `smallest_charge_minor`."""


# Withdrawn codes that the processor still knows (ANG, BGN, HRK, STD, ...) are left out.
_TWO_DECIMALS = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY
    COP CRC CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
    INR JMD KES KGS KHR KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN
    NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS
    SRD SZL THB TJS TOP TRY TTD TWD TZS UAH USD UYU UZS WST XCD XCG YER ZAR ZMW
"""
_NO_DECIMALS = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
# The last of the three digits has to be 0.
_THREE_DECIMALS = "BHD JOD KWD OMR TND"
# Without a minor unit today, but still written with two decimals that have to be 00.
_TWO_ZERO_DECIMALS = "ISK UGX"

# HUF and TWD lose their decimals in payouts only, so they are plain above.
_GROUPS = (
    (_TWO_DECIMALS, 2, 1),
    (_NO_DECIMALS, 0, 1),
    (_THREE_DECIMALS, 3, 10),
    (_TWO_ZERO_DECIMALS, 2, 100),
)

# A card network may take more or less; these are the limits documented for the amount itself.
_MAX_DIGITS = 8
_MORE_DIGITS = {"COP": 10, "HUF": 10, "IDR": 12, "INR": 9, "JPY": 10, "LBP": 11}

# Enforced in the currency that an operator's account settles in, so a foreign one may ask for more.
_MIN_MINOR = {
    "AED": 200, "ARS": 50, "AUD": 50, "BRL": 50, "CAD": 50, "CHF": 50, "COP": 50, "CZK": 1_500,
    "DKK": 250, "EUR": 50, "GBP": 30, "HKD": 400, "HUF": 17_500, "IDR": 50, "ILS": 50, "INR": 50,
    "JPY": 50, "KRW": 50, "MXN": 1_000, "MYR": 200, "NOK": 300, "NZD": 50, "PHP": 50, "PLN": 200,
    "RON": 200, "RUB": 50, "SEK": 300, "SGD": 50, "THB": 1_000, "USD": 50, "ZAR": 50,
}  # fmt: skip


def _currency(code: str, decimals: int, step: int) -> Currency:
    most = 10 ** _MORE_DIGITS.get(code, _MAX_DIGITS) - 1
    return Currency(
        code=code,
        decimals=decimals,
        step=step,
        max_minor=most - most % step,
        min_minor=_MIN_MINOR.get(code),
    )


_BY_CODE = {
    code: _currency(code, decimals, step)
    for codes, decimals, step in _GROUPS
    for code in codes.split()
}
_IN_ORDER = tuple(_BY_CODE[code] for code in sorted(_BY_CODE))


def get_currency(code: str) -> Currency:
    """The currency of a three-letter code in any case; raises `UnknownCurrency`."""
    # Capitals of a letter outside ASCII can be inside it: `uſd` must not pass for USD.
    found = _BY_CODE.get(code.upper()) if code.isascii() else None
    if found is None:
        raise UnknownCurrency(
            f"{code[:8]!r} is no currency that a card can be charged in; "
            "give a three-letter ISO 4217 code such as USD, EUR or JPY"
        )
    return found


def list_currencies() -> tuple[Currency, ...]:
    """Every currency that a card can be charged in, by code."""
    return _IN_ORDER


def round_rate(value: Fraction) -> Rate:
    """A rate to 10 significant digits, halves up, without trailing zeros.

    Raises `RateRefused` unless it is above zero.
    """
    if value <= 0:
        raise RateRefused(f"an exchange rate must be above zero, not {value}")
    context = Context(prec=RATE_DIGITS, rounding=ROUND_HALF_UP)
    return plain(context.divide(Decimal(value.numerator), Decimal(value.denominator)))


def charge_minor(usd_cents: int, rate: Rate, currency: Currency) -> int:
    """A price in US cents, zero or more, as the charge in `currency`'s minor units.

    It is `usd_cents / 100 × rate` rounded up to the next step. Raises `RateRefused`.
    """
    if not (rate.is_finite() and rate > 0):
        raise RateRefused(f"an exchange rate must be a number above zero, not {rate}")
    per_unit: int = 10**currency.decimals
    exact_minor = Fraction(usd_cents * per_unit, CENTS_PER_DOLLAR) * Fraction(rate)
    return math.ceil(exact_minor / currency.step) * currency.step


def smallest_charge_minor(rate: Rate, currency: Currency) -> int:
    """The smallest charge the processor takes: the documented one, else 50 US cents at `rate`."""
    if currency.min_minor is not None:
        return currency.min_minor
    return charge_minor(SMALLEST_CHARGE_USD_CENTS, rate, currency)


def smallest_price_cents(least_minor: int, rate: Rate, currency: Currency) -> int:
    """The smallest price in US cents whose charge reaches `least_minor`, which is above zero.

    The inverse of `charge_minor`; raises `RateRefused` too.
    """
    if not (rate.is_finite() and rate > 0):
        raise RateRefused(f"an exchange rate must be a number above zero, not {rate}")
    step_below = (ceil_div(least_minor, currency.step) - 1) * currency.step
    per_unit: int = 10**currency.decimals
    return math.floor(Fraction(step_below * CENTS_PER_DOLLAR, per_unit) / Fraction(rate)) + 1


def micro_from_minor(amount_minor: int, currency: Currency) -> int:
    """Minor units as the books hold them: millionths of a hundredth of the currency's unit.

    704 of USD is 704_000_000, 1 of JPY is 100_000_000, 10 of KWD is 1_000_000.
    """
    scale: int = 10 ** (_MICRO_DIGITS - currency.decimals)
    return amount_minor * scale


def minor_to_major(amount_minor: int, currency: Currency) -> Decimal:
    """Minor units as whole units for the wire: 250 of USD is `2.5`, 250 of JPY is `250`."""
    return scaled(amount_minor, currency.decimals)
