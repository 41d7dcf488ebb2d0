"""Instants: one way to write them, and the month they lie in, which is the month in UTC."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldfare.kernel.clock import month_start, next_month, rfc3339

bounded = settings(max_examples=200, deadline=None)

zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
low, high = map(datetime.fromisoformat, ("1970-01-03", "9999-11-29"))
instants = st.datetimes(low, high, timezones=zones)


@bounded
@given(instants)
def test_an_instant_is_written_in_utc_to_the_millisecond(instant: datetime) -> None:
    text = rfc3339(instant)
    assert len(text) == len("2026-01-31T09:30:00.125Z")
    assert text.endswith("Z")
    assert timedelta(0) <= instant - datetime.fromisoformat(text) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 1, 31, 9, 30, 0, 125_000, tzinfo=UTC), "2026-01-31T09:30:00.125Z"),
        (datetime(2026, 1, 31, 9, 30, 0, 999_999, tzinfo=UTC), "2026-01-31T09:30:00.999Z"),
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31T00:00:00.000Z"),
        (datetime(2026, 3, 29, 3, 0, tzinfo=ZoneInfo("Europe/Paris")), "2026-03-29T01:00:00.000Z"),
        (datetime(2025, 12, 31, 19, 0, tzinfo=timezone(-timedelta(hours=5))),
         "2026-01-01T00:00:00.000Z"),
    ],
)  # fmt: skip
def test_instants_worked_by_hand(instant: datetime, text: str) -> None:
    assert rfc3339(instant) == text


@bounded
@given(instants)
def test_an_instant_lies_in_its_month(instant: datetime) -> None:
    start, after = month_start(instant), next_month(instant)
    assert start <= instant < after
    assert (start.day, start.hour, start.minute, start.second, start.microsecond) == (1, 0, 0, 0, 0)
    assert start.tzinfo is after.tzinfo is UTC
    assert timedelta(days=28) <= after - start <= timedelta(days=31)
    assert month_start(after) == after
    assert month_start(after - timedelta(microseconds=1)) == start


@pytest.mark.parametrize(
    ("instant", "start", "after"),
    [
        ("2026-01-31T23:59:59.999999Z", "2026-01-01", "2026-02-01"),
        ("2026-02-01T00:00:00Z", "2026-02-01", "2026-03-01"),
        ("2024-02-29T12:00:00Z", "2024-02-01", "2024-03-01"),
        ("2100-02-28T23:59:59Z", "2100-02-01", "2100-03-01"),
        ("2026-12-31T23:59:59Z", "2026-12-01", "2027-01-01"),
        ("2027-01-01T00:59:59+01:00", "2026-12-01", "2027-01-01"),
        ("2026-12-31T19:00:00-05:00", "2027-01-01", "2027-02-01"),
    ],
)
def test_month_edges_worked_by_hand(instant: str, start: str, after: str) -> None:
    moment = datetime.fromisoformat(instant)
    assert month_start(moment) == datetime.fromisoformat(f"{start}T00:00:00Z")
    assert next_month(moment) == datetime.fromisoformat(f"{after}T00:00:00Z")


@pytest.mark.parametrize("year", [2023, 2024, 2000, 2100])
def test_twelve_months_make_the_year(year: int) -> None:
    moment = datetime(year, 1, 1, tzinfo=UTC)
    days = []
    for _ in range(12):
        days.append((next_month(moment) - moment).days)
        moment = next_month(moment)
    assert moment == datetime(year + 1, 1, 1, tzinfo=UTC)
    assert days[1] == (29 if year in (2024, 2000) else 28)


@pytest.mark.parametrize("read", [rfc3339, month_start, next_month])
def test_a_naive_time_is_no_instant(read: object) -> None:
    assert callable(read)
    with pytest.raises(ValueError, match="no time zone"):
        read(datetime.fromisoformat("2026-01-31T09:30:00"))
