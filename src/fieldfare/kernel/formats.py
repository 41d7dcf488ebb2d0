"""Figures and dates as they are written in each language, after CLDR's patterns.

What must hold: every digit is exact, because nothing here is ever a float; and blanks inside a
figure do not break, so that no line ends between a number and its unit.
"""

from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec

from fieldfare.kernel.currency import Currency, Rate
from fieldfare.kernel.languages import Language
from fieldfare.kernel.mass import plain, scaled
from fieldfare.kernel.money import PPM

NBSP = "\u00a0"
NARROW_NBSP = "\u202f"
USD = "USD"


class _Style(msgspec.Struct, frozen=True, kw_only=True):
    point: str
    group: str
    min_grouped_digits: int
    """Shorter whole parts are not grouped: Spanish writes 1234 and 12.345."""
    is_symbol_first: bool
    percent_blank: str
    symbols: dict[str, str]
    """Signs that can mean only one currency to a reader of the language."""
    tree: str
    trees: str
    months: tuple[str, ...]
    day: str
    first_day: str


def _names(written: str) -> tuple[str, ...]:
    return tuple(written.split())


_STYLES: dict[Language, _Style] = {
    "en": _Style(
        point=".",
        group=",",
        min_grouped_digits=4,
        is_symbol_first=True,
        percent_blank="",
        symbols={USD: "$", "EUR": "€", "GBP": "£", "JPY": "¥"},
        tree="{count} tree",
        trees="{count} trees",
        months=_names(
            "January February March April May June July August September October November December"
        ),
        day="{day} {month} {year}",
        first_day="1 {month} {year}",
    ),
    "de": _Style(
        point=",",
        group=".",
        min_grouped_digits=4,
        is_symbol_first=False,
        percent_blank=NBSP,
        symbols={"EUR": "€", "GBP": "£"},
        tree="{count} Baum",
        trees="{count} Bäume",
        months=_names(
            "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
        ),
        day="{day}. {month} {year}",
        first_day="1. {month} {year}",
    ),
    "fr": _Style(
        point=",",
        group=NARROW_NBSP,
        min_grouped_digits=4,
        is_symbol_first=False,
        percent_blank=NARROW_NBSP,
        symbols={"EUR": "€", "GBP": "£"},
        tree="{count} arbre",
        trees="{count} arbres",
        months=_names(
            "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"
        ),
        day="{day} {month} {year}",
        first_day="1er {month} {year}",
    ),
    "es": _Style(
        point=",",
        group=".",
        min_grouped_digits=5,
        is_symbol_first=False,
        percent_blank=NBSP,
        symbols={"EUR": "€", "GBP": "£"},
        tree="{count} árbol",
        trees="{count} árboles",
        months=_names(
            "enero febrero marzo abril mayo junio"
            " julio agosto septiembre octubre noviembre diciembre"
        ),
        day="{day} de {month} de {year}",
        first_day="1 de {month} de {year}",
    ),
}


def number(value: Decimal, language: Language, *, decimals: int = 0) -> str:
    """A finite number of zero or more in full, with at least so many decimals."""
    style = _STYLES[language]
    whole, _, fraction = format(plain(value), "f").partition(".")
    fraction = fraction.ljust(decimals, "0")
    grouped = f"{int(whole):,}".replace(",", style.group)
    written = grouped if len(whole) >= style.min_grouped_digits else whole
    return f"{written}{style.point}{fraction}" if fraction else written


def usd(cents: Decimal, language: Language) -> str:
    """US cents as dollars, with more than two decimals where there are fractions of a cent."""
    return _money(number(_dollars(cents), language, decimals=2), USD, language)


def charge(amount_minor: int, currency: Currency, language: Language) -> str:
    """A charge in its own currency, with as many decimals as that currency uses.

    Where a charge is always a multiple of whole units (ISK), none are written.
    """
    whole_units = currency.step % 10**currency.decimals == 0
    decimals = 0 if whole_units else currency.decimals
    amount = scaled(amount_minor, currency.decimals)
    return _money(number(amount, language, decimals=decimals), currency.code, language)


def rate_per_dollar(rate: Rate, currency: Currency, language: Language) -> str:
    """An exchange rate: `1 USD = 0.9052 EUR`."""
    return f"1{NBSP}{USD} = {number(rate, language)}{NBSP}{currency.code}"


def tonnes(tons: Decimal, language: Language) -> str:
    """Tonnes of CO₂e, exact: `0.45 t CO₂e`."""
    return f"{number(tons, language)}{NBSP}t{NBSP}CO₂e"


def trees(count: int, language: Language) -> str:
    """A number of trees: `1 tree`, `1,200 trees`."""
    style = _STYLES[language]
    pattern = style.tree if count == 1 else style.trees
    return pattern.format(count=number(Decimal(count), language)).replace(" ", NBSP)


def percent(share_ppm: int, language: Language) -> str:
    """Parts per million as per cent, exact: `19 %`, `7.7%`."""
    written = number(scaled(share_ppm, 4), language)
    return f"{written}{_STYLES[language].percent_blank}%"


def whole_percent(share: int, language: Language) -> str:
    """A whole per cent of a part that is more than nothing: `38%`, `<1%`."""
    written = percent(max(share, 1) * (PPM // 100), language)
    return written if share else f"<{written}"


def day(on: date, language: Language) -> str:
    """A date with the month in words: `31 January 2026`."""
    style = _STYLES[language]
    pattern = style.first_day if on.day == 1 else style.day
    written = pattern.format(day=on.day, month=style.months[on.month - 1], year=on.year)
    return written.replace(" ", NBSP)


def instant(at: datetime, language: Language) -> str:
    """An aware instant to the minute, in UTC."""
    in_utc = at.astimezone(UTC)
    return f"{day(in_utc.date(), language)}, {in_utc:%H:%M}{NBSP}UTC"


def _dollars(cents: Decimal) -> Decimal:
    # Shifted in the text, because arithmetic would round to the context's digits.
    return plain(Decimal(f"{cents:f}E-2"))


def _money(written: str, code: str, language: Language) -> str:
    style = _STYLES[language]
    symbol = style.symbols.get(code)
    if style.is_symbol_first:
        return f"{symbol}{written}" if symbol else f"{code}{NBSP}{written}"
    return f"{written}{NBSP}{symbol or code}"
