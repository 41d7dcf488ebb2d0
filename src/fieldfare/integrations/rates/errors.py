"""Why there are no rates to be had.

Whoever asks again later may be lucky after `RatesUnavailable`; after `RatesUnreadable` only when
the address, or what lies there, is another.
"""


class RatesError(Exception):
    """There are no rates to be had."""


class RatesUnavailable(RatesError):
    """The address does not answer, or not in time."""


class RatesUnreadable(RatesError):
    """What came is no table of reference rates."""
