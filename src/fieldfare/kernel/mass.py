"""Mass of CO₂e: whole milligrams inside, tonnes as decimal numbers on the wire."""

from decimal import Decimal
from fractions import Fraction

from fieldfare.kernel.numbers import half_up

MG_PER_TONNE = 1_000_000_000
MAX_ORDER_TONNES = 1_000_000
MAX_ORDER_MG = MAX_ORDER_TONNES * MG_PER_TONNE


def mg_from_tonnes(tonnes: Fraction) -> int:
    """Tonnes (zero or more) as whole milligrams, rounded half up."""
    return half_up(tonnes * MG_PER_TONNE)


def tonnes_from_mg(mass_mg: int) -> Decimal:
    """Milligrams as tonnes, exact and without trailing zeros: 450_000_000 mg is `0.45`."""
    return scaled(mass_mg, 9)


def scaled(amount: int, decimals: int) -> Decimal:
    """`amount × 10 ** -decimals`, exact and `plain`: 2398 with 2 decimals is `23.98`."""
    # From text, because arithmetic would round to the 28 digits of the thread's decimal context.
    return plain(Decimal(f"{amount}E-{decimals}"))


def plain(value: Decimal) -> Decimal:
    """The same finite number without trailing zeros or a positive exponent: `0.45` or `20`.

    Below a millionth `str` still writes an exponent (`1E-9`), as JSON allows; `format(_, "f")`
    never does.
    """
    text = format(value, "f")
    return Decimal(text.rstrip("0").rstrip(".")) if "." in text else Decimal(text)
