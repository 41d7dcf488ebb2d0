"""Money: integers everywhere.

At the edges an amount is in a currency's smallest unit (`_minor`; `_cents` where it is US cents).
In the books it is in millionths of a US cent (`_micro`), so that a one-cent order can be split over
seven projects and still add up. Shares and weights are whole parts per million (`_ppm`).
"""

from decimal import Decimal

from fieldfare.kernel.mass import scaled

MICRO_PER_CENT = 1_000_000
PPM = 1_000_000
CENTS_PER_DOLLAR = 100


def micro_from_cents(cents: int) -> int:
    """US cents as millionths of a cent."""
    return cents * MICRO_PER_CENT


def cents_from_micro(amount_micro: int) -> Decimal:
    """Millionths of a cent as cents for the wire: 1_200_000 is `1.2`, 432_000_000 is `432`."""
    return scaled(amount_micro, 6)


def dollars_from_cents(cents: int) -> Decimal:
    """US cents as dollars for the wire: 2398 is `23.98`, 6000 is `60`."""
    return scaled(cents, 2)


def dollars_from_micro(amount_micro: int) -> Decimal:
    """Millionths of a cent as dollars for the wire: 1_563_000_000 is `15.63`."""
    return scaled(amount_micro, 8)


def fraction_from_ppm(share_ppm: int) -> Decimal:
    """Parts per million as a fraction of one for the wire: 400_000 is `0.4`."""
    return scaled(share_ppm, 6)
