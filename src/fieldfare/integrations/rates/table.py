"""The European Central Bank's table of reference rates, read with distrust.

A CSV, also as the one file of a zip: a header of `Date` and currency codes, then a row for each
day, the newest first. The daily file has one row, the historical one thousands; both have units for
one euro. What must hold: a file is read whole or refused, so that no figure is taken from a garbled
one, and neither a packed nor an unpacked file outgrows memory.
"""

import io
import re
import zipfile
import zlib
from datetime import UTC, date, datetime
from fractions import Fraction

from fieldfare.integrations.rates.errors import RatesUnreadable
from fieldfare.integrations.rates.model import DayRates
from fieldfare.kernel.currency import round_rate
from fieldfare.kernel.numbers import NotANumber, parse_number

MAX_FILE_BYTES = 4 * 1024 * 1024
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, IndexError, NotImplementedError)
"""What a zip file that is cut, empty, or packed in a way that `zipfile` does not know raises."""
MAX_TABLE_BYTES = 16 * 1024 * 1024
"""The historical file has 0.6 MiB packed and 2 MiB unpacked, and grows by a hundredth a year."""

_ZIP_MARK = b"PK\x03\x04"
_CODE = re.compile(r"[A-Z]{3}", re.ASCII)
_NO_VALUE = ("", "N/A")
_DATE_FORMATS = ("%Y-%m-%d", "%d %B %Y")


def read_file(content: bytes) -> DayRates:
    """The newest day of a table, zipped or not; raises `RatesUnreadable`."""
    table = _unzip(content) if content.startswith(_ZIP_MARK) else content
    try:
        return read_table(table.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RatesUnreadable("the table is no text in UTF-8") from error


def _unzip(content: bytes) -> bytes:
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        with archive, archive.open(archive.namelist()[0]) as member:
            table = member.read(MAX_TABLE_BYTES + 1)
    except DAMAGED as error:
        raise RatesUnreadable(f"the zip file is damaged: {error}") from error
    except RuntimeError as error:
        raise RatesUnreadable("the zip file wants a password") from error
    if len(table) > MAX_TABLE_BYTES:
        raise RatesUnreadable(f"the table has more than {MAX_TABLE_BYTES} bytes")
    return table


def read_table(text: str) -> DayRates:
    """The newest day of a table in CSV; raises `RatesUnreadable`."""
    header, newest = _first_rows(text)
    per_euro = {
        code: _value(code, cell)
        for code, cell in zip(header[1:], newest[1:], strict=True)
        if _is_named(code) and cell not in _NO_VALUE
    }
    dollars = per_euro.pop("USD", None)
    if dollars is None:
        raise RatesUnreadable("the table has no rate of the US dollar, which all others go by")
    per_euro["EUR"] = Fraction(1)
    return DayRates(
        rate_on=_date(newest[0]),
        per_dollar={code: round_rate(value / dollars) for code, value in per_euro.items()},
    )


def _first_rows(text: str) -> tuple[list[str], list[str]]:
    lines = [line for line in text.splitlines() if line.strip()][:2]
    rows = [[cell.strip() for cell in line.split(",")] for line in lines]
    if len(rows) < 2 or rows[0][0] != "Date":
        raise RatesUnreadable("it is no table of reference rates: a header, Date first, and a row")
    header, newest = rows
    if len(header) != len(newest):
        raise RatesUnreadable(f"the row of {newest[0][:20]} has not as many cells as the header")
    return header, newest


def _is_named(code: str) -> bool:
    """Whether a column is a currency's; the one after the last comma has no name."""
    if code and not _CODE.fullmatch(code):
        raise RatesUnreadable(f"{code[:20]!r} is no code of a currency")
    return bool(code)


def _value(code: str, cell: str) -> Fraction:
    try:
        value = parse_number(cell)
    except NotANumber as error:
        raise RatesUnreadable(f"{cell[:20]!r} is no rate of {code}") from error
    if value <= 0:
        raise RatesUnreadable(f"the rate of {code} is {cell}, not above zero")
    return value


def _date(cell: str) -> date:
    for form in _DATE_FORMATS:
        try:
            return datetime.strptime(cell, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    raise RatesUnreadable(f"{cell[:20]!r} is no date")
