"""Parameters of lists: how many rows, from where, between which instants."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from fieldfare.kernel.errors import InvalidRequest
from fieldfare.kernel.ids import parse_id

DefaultT = TypeVar("DefaultT", int, None)

_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:[Zz]|[+-]\d{2}:\d{2}))?", re.ASCII
)
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)


def whole_parameter(
    query: Mapping[str, str], name: str, *, low: int, high: int, default: DefaultT
) -> int | DefaultT:
    """A whole number of at least `low`; a larger one than `high` is clamped to it."""
    text = query.get(name) or ""
    if not text:
        return default
    if not _WHOLE.fullmatch(text) or int(text) < low:
        raise InvalidRequest(
            f"{name} must be a whole number of at least {low}, for instance {max(low, 50)}.",
            code="invalid_parameter",
            param=name,
        )
    return min(int(text), high)


def instant_parameter(query: Mapping[str, str], name: str) -> datetime | None:
    """An RFC 3339 instant, or a date, which stands for its first instant in UTC."""
    text = query.get(name) or ""
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
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


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
    """Parameters of the form `name[key]=value`, as pairs."""
    prefix = f"{name}["
    pairs = {
        key[len(prefix) : -1]: value
        for key, value in query.items()
        if key.startswith(prefix) and key.endswith("]")
    }
    if "\x00" in "".join((*pairs, *pairs.values())):
        raise InvalidRequest(
            f"{name} must not contain the character U+0000.", code="invalid_parameter", param=name
        )
    return pairs or None
