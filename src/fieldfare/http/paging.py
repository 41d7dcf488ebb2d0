"""Parameters of lists: how many rows, from where, between which instants."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from fieldfare.kernel.errors import InvalidRequest
from fieldfare.kernel.ids import parse_id
from fieldfare.kernel.text import TextRefused, clean_text

DefaultT = TypeVar("DefaultT", int, None)

_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2}))?", re.ASCII
)
_WHOLE = re.compile(r"0*(\d+)", re.ASCII)
# Nothing was ordered outside these, and within them no zone and no slack leaves the calendar.
_FIRST_INSTANT = datetime(1970, 1, 2, tzinfo=UTC)
_LAST_INSTANT = datetime(9999, 1, 1, tzinfo=UTC)
MAX_PAIR_CHARACTERS = 1_000


def whole_parameter(
    query: Mapping[str, str], name: str, *, low: int, high: int, default: DefaultT
) -> int | DefaultT:
    """A whole number of at least `low`; a larger one than `high` is clamped to it."""
    text = query.get(name) or ""
    if not text:
        return default
    digits = _WHOLE.fullmatch(text)
    # Thirty digits are more than any bound, and quick to read.
    number = int(digits[1][:30]) if digits else low - 1
    if number < low:
        raise InvalidRequest(
            f"{name} must be a whole number of at least {low}, for instance {max(low, 50)}.",
            code="invalid_parameter",
            param=name,
        )
    return min(number, high)


def instant_parameter(query: Mapping[str, str], name: str) -> datetime | None:
    """An RFC 3339 instant, or a date, which stands for its first instant in UTC.

    One before 1970 or after 9998 is brought into that range: no row lies outside it.
    """
    text = (query.get(name) or "").upper()
    if not text:
        return None
    # In a URL a plus sign that was not escaped arrives as a blank.
    text = re.sub(r" (\d{2}:\d{2})$", r"+\1", text)
    try:
        instant = datetime.fromisoformat(text) if _INSTANT.fullmatch(text) else None
    except ValueError:
        instant = None
    if instant is None:
        raise InvalidRequest(
            f"{name} must be an RFC 3339 instant, for instance 2026-01-31T00:00:00Z.",
            code="invalid_parameter",
            param=name,
        )
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return min(max(aware, _FIRST_INSTANT), _LAST_INSTANT)


def id_parameter(query: Mapping[str, str], name: str) -> UUID | None:
    """A UUID, as an answer gave it."""
    text = query.get(name) or ""
    parsed = parse_id(text) if text else None
    if text and parsed is None:
        raise InvalidRequest(
            f"{name} must be a value that an earlier answer gave; leave it out to start anew.",
            code="invalid_parameter",
            param=name,
        )
    return parsed


def pairs_parameter(query: Mapping[str, str], name: str) -> dict[str, str] | None:
    """Parameters of the form `name[key]=value`, as pairs, normalised as a body's are."""
    prefix = f"{name}["
    pairs = {
        _clean(name, key[len(prefix) : -1]): _clean(name, value)
        for key, value in query.items()
        if key.startswith(prefix) and key.endswith("]")
    }
    return pairs or None


def _clean(name: str, text: str) -> str:
    try:
        return clean_text(text, max_characters=MAX_PAIR_CHARACTERS)
    except TextRefused as error:
        raise InvalidRequest(f"{name} {error}.", code="invalid_parameter", param=name) from error
