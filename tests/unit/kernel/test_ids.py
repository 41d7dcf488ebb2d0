"""Ids: the milliseconds in a version 7 id are read exactly, and only canonical text is one."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
import uuid_utils
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fieldfare.kernel.ids import floor_id, instant_of, parse_id

bounded = settings(max_examples=200, deadline=None)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
low, drawable, high = map(datetime.fromisoformat, ("1970-01-02", "2500-01-01", "9999-12-30"))
instants = st.datetimes(low, high, timezones=st.just(UTC))


def draw_id(instant: datetime) -> UUID:
    """A version 7 id as `uuid_utils` draws it at `instant`."""
    nanoseconds = (instant - EPOCH) // timedelta(microseconds=1) * 1_000
    return UUID(bytes=uuid_utils.uuid7(nanoseconds=nanoseconds).bytes)


@bounded
@given(st.datetimes(low, drawable, timezones=st.just(UTC)))
@example(datetime(2276, 10, 5, 21, 7, 45, 86_999, tzinfo=UTC))
def test_no_id_lies_below_the_floor_of_its_instant(instant: datetime) -> None:
    drawn = draw_id(instant)
    assert drawn.version == 7
    assert floor_id(instant) <= drawn
    assert drawn < floor_id(instant + timedelta(milliseconds=1))


@bounded
@given(instants, instants)
def test_floors_sort_as_their_instants(one: datetime, other: datetime) -> None:
    earlier, later = sorted((one, other))
    assert floor_id(earlier) <= floor_id(later)


@bounded
@given(instants)
@example(datetime(5584, 11, 21, 1, 39, 51, 876_000, tzinfo=UTC))
@example(datetime(2026, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC))
def test_an_id_tells_its_instant_to_the_millisecond(instant: datetime) -> None:
    millisecond = instant.replace(microsecond=instant.microsecond // 1_000 * 1_000)
    assert instant_of(floor_id(instant)) == millisecond


def test_a_drawn_id_tells_its_instant() -> None:
    instant = datetime(2026, 2, 28, 23, 59, 59, 999_000, tzinfo=UTC)
    assert instant_of(draw_id(instant)) == instant
    assert instant_of(draw_id(instant)).tzinfo is UTC


def test_the_zone_in_which_an_instant_is_written_says_nothing() -> None:
    tokyo = datetime(2026, 2, 1, 9, 0, tzinfo=timezone(timedelta(hours=9)))
    assert floor_id(tokyo) == floor_id(datetime(2026, 2, 1, tzinfo=UTC))


def test_the_floor_of_a_month_worked_by_hand() -> None:
    new_year = floor_id(datetime(2026, 1, 1, tzinfo=UTC))
    assert new_year.int == 1_767_225_600_000 << 80
    assert str(new_year) == "019b76da-a800-0000-0000-000000000000"
    assert str(floor_id(EPOCH)) == "00000000-0000-0000-0000-000000000000"


def test_what_no_id_of_ours_can_be_is_not_given_an_instant() -> None:
    with pytest.raises(OverflowError):
        instant_of(UUID(int=2**128 - 1))
    with pytest.raises(ValueError, match="128-bit"):
        floor_id(EPOCH - timedelta(milliseconds=1))
    with pytest.raises(TypeError):
        floor_id(datetime.fromisoformat("2026-01-01T00:00:00"))


@bounded
@given(st.uuids())
def test_canonical_text_is_read_in_any_case(identifier: UUID) -> None:
    assert parse_id(str(identifier)) == identifier
    assert parse_id(str(identifier).upper()) == identifier


@bounded
@given(st.text(alphabet="0123456789abcdefABCDEF-_{} urn:uid１٣", min_size=30, max_size=48))
def test_only_canonical_text_is_read(text: str) -> None:
    identifier = parse_id(text)
    assert identifier is None or str(identifier) == text.lower()


CANONICAL = "0198c1a2-7b3c-7def-8abc-0123456789ab"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        CANONICAL.replace("-", ""),
        f"{{{CANONICAL}}}",
        f"urn:uuid:{CANONICAL}",
        f" {CANONICAL}",
        f"{CANONICAL}\n",
        CANONICAL[:-1],
        CANONICAL + "0",
        CANONICAL.replace("0", "\uff10"),  # a full-width zero is a digit to int()
        CANONICAL.replace("01", "0_"),
        CANONICAL.replace("-", "_"),
        "ch_3Pq8bL2eZvKYlo2C1gE5Yx0m",
        "test_oo_" + CANONICAL,
    ],
    ids=ascii,
)
def test_any_other_text_is_no_id(text: str) -> None:
    assert parse_id(CANONICAL) is not None
    assert parse_id(text) is None
