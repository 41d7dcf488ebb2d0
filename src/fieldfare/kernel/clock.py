"""Instants and how they are written. The current time itself always comes in as an argument.

An instant is an aware `datetime`, in any zone; a naive one raises `ValueError`, because Python
would take it for the local time of the machine.
"""

from datetime import UTC, datetime


def rfc3339(instant: datetime) -> str:
    """An instant in UTC, cut to milliseconds: `2026-01-31T09:30:00.125Z`."""
    text = _utc(instant).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def month_start(instant: datetime) -> datetime:
    """The first instant, in UTC, of the month in which `instant` lies."""
    return _utc(instant).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(instant: datetime) -> datetime:
    """The first instant of the month after the one in which `instant` lies."""
    start = month_start(instant)
    if start.month == 12:
        return start.replace(year=start.year + 1, month=1)
    return start.replace(month=start.month + 1)


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone, so it is no instant")
    return instant.astimezone(UTC)
