"""Numbers as clients write them, read exactly.

A number is parsed from its decimal text under a bounded grammar: at most 30 characters and two
exponent digits. So neither a float's rounding nor a ten-thousand-digit literal ever gets in.
"""

import re
from fractions import Fraction

MAX_NUMBER_CHARACTERS = 30
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?", re.ASCII)


class NotANumber(ValueError):
    """The text is no number under the bounded grammar."""


def parse_number(text: str) -> Fraction:
    """The exact value of a decimal text such as `0.45`, `1e-3` or `12.`.

    Raises `NotANumber` for anything else, `NaN`, `Infinity` and `1e400` among it.
    """
    if len(text) > MAX_NUMBER_CHARACTERS or not _NUMBER.fullmatch(text):
        raise NotANumber(text[:MAX_NUMBER_CHARACTERS])
    return Fraction(text)


def parse_integer(text: str) -> int:
    """The whole value of a decimal text; `1.0` and `1e3` are whole, `1.5` raises `NotANumber`."""
    value = parse_number(text)
    if value.denominator != 1:
        raise NotANumber(text)
    return value.numerator


def ceil_div(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded up; `denominator` is positive."""
    return -(-numerator // denominator)


def half_up(value: Fraction) -> int:
    """A value of zero or more rounded to the nearest whole number, halves up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def largest_remainder(total: int, weights: tuple[int, ...]) -> tuple[int, ...]:
    """Split `total` in proportion to `weights` so that the parts are whole and add up exactly.

    The largest remainder (Hamilton) method: each part is first rounded down, then the units that
    are left go one each to the largest remainders; ties go to the lower position. `total` is zero
    or more, weights are zero or more with a positive sum, and a weight of zero gets nothing.
    """
    whole = sum(weights)
    parts, remainders = [], []
    for weight in weights:
        part, remainder = divmod(total * weight, whole)
        parts.append(part)
        remainders.append(remainder)
    left = total - sum(parts)
    if left:
        by_remainder = sorted(range(len(weights)), key=lambda i: (-remainders[i], i))
        for i in by_remainder[:left]:
            parts[i] += 1
    return tuple(parts)
