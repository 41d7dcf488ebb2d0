"""What a source of rates gives."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import TypeAlias

import msgspec

from fieldfare.kernel.currency import Rate


class DayRates(msgspec.Struct, frozen=True):
    """The reference rates of one day."""

    rate_on: date
    per_dollar: dict[str, Rate]
    """By ISO 4217 code: units for one US dollar, ten significant digits; not the dollar itself."""


FetchRates: TypeAlias = Callable[[], Awaitable[DayRates]]
"""A source: the newest rates it has. Raises `RatesError`."""
