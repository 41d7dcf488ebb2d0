"""Ids that sort by time: UUID version 7 (RFC 9562, section 5.7).

The first 48 bits are Unix milliseconds, so an id tells its month, and with it its partition.
New ids are drawn in `db.ids`; what is here only reads them.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

_TIMESTAMP_SHIFT = 80
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def floor_id(instant: datetime) -> UUID:
    """The lowest UUID that an id drawn at an aware `instant` or later can have."""
    # Whole numbers: a float of seconds can be a millisecond off.
    millis = (instant - _EPOCH) // _MILLISECOND
    return UUID(int=millis << _TIMESTAMP_SHIFT)


def instant_of(identifier: UUID) -> datetime:
    """The instant, to the millisecond, at which a version 7 id was drawn.

    Raises `OverflowError` for one that lies after the year 9999, which only a foreign id can have.
    """
    millis = identifier.int >> _TIMESTAMP_SHIFT
    return _EPOCH + millis * _MILLISECOND


def parse_id(text: str) -> UUID | None:
    """A UUID from its canonical 36-character text, or None for anything else."""
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text.lower() else None
