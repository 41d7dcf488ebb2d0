"""A bucket lets in what its limit says in any span of time, and tells what is left of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldfare.kernel.buckets import BEAT_S, Bucket, Limit

bounded = settings(max_examples=80, deadline=None)
LIMIT = Limit(per_second=10, burst=25)
GAPS_S = st.lists(st.sampled_from([0.0, 0.001, 0.05, 0.1, 0.3, 1.0, 7.0]), max_size=80)


def let_in(bucket: Bucket, instants: list[float]) -> list[float]:
    """When a request is let in, of those that come at these instants."""
    return [instant for instant in instants if bucket.take(instant)]


@given(gaps_s=GAPS_S, burst=st.integers(10, 40))
@bounded
def test_no_span_sees_more_than_the_burst_and_the_rate(gaps_s: list[float], burst: int) -> None:
    instants = [1_000.0 + sum(gaps_s[:count]) for count in range(len(gaps_s))]
    passed = let_in(Bucket(Limit(10, burst), 1_000.0), instants)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + 10 * (passed[last] - passed[first]) + 1e-6


def test_a_window_s_edge_gives_nothing_twice() -> None:
    # A burst just before a second is over and another one just after it.
    assert len(let_in(Bucket(LIMIT, 0.0), [0.99] * 60 + [1.01] * 60)) == 25
    assert len(let_in(Bucket(LIMIT, 0.0), [0.99] * 60 + [1.99] * 60)) == 35


def test_who_keeps_to_the_rate_is_never_refused() -> None:
    instants = [number / 10 for number in range(500)]
    assert let_in(Bucket(LIMIT, 0.0), instants) == instants


def test_it_tells_what_is_left_and_how_long_to_wait() -> None:
    bucket = Bucket(LIMIT, 0.0)
    assert (bucket.remaining, LIMIT.window_s) == (25, 3)
    let_in(bucket, [0.0] * 25)
    assert bucket.remaining == 0
    assert not bucket.take(0.0)
    assert bucket.wait_s == pytest.approx(0.1)
    assert bucket.take(0.1 + 1e-9)
    bucket.pass_time(100.0)
    assert bucket.remaining == 25


def test_what_is_given_back_can_be_taken() -> None:
    bucket = Bucket(LIMIT, 0.0)
    let_in(bucket, [0.0] * 25)
    bucket.give_back()
    assert (bucket.remaining, bucket.take(0.0), bucket.take(0.0)) == (1, True, False)


def test_equal_parts_are_the_whole_together() -> None:
    parts = [Bucket(LIMIT, 0.0) for _ in range(5)]
    for part in parts:
        part.hold_equal_part(5)
    assert sum(len(let_in(part, [0.0] * 60)) for part in parts) == 25
    # Five seconds on, each has got back its part of the rate.
    assert sum(len(let_in(part, [1.0] * 60)) for part in parts) == 10


def test_a_part_of_less_than_one_token_lets_one_in() -> None:
    part = Bucket(LIMIT, 0.0)
    part.hold_equal_part(64)
    assert len(let_in(part, [0.0] * 5)) == 1
    # The rest of the bucket is there: whoever needs it has it once the parts are weighed anew.
    assert part.wait_s == BEAT_S


def test_a_part_asks_for_more_once_while_there_may_be_more() -> None:
    part = Bucket(LIMIT, 0.0)
    part.hold_equal_part(2)
    let_in(part, [0.0] * 6)
    assert part.level > part.alarm
    part.take(0.0)
    assert part.level < part.alarm
    part.hold_part(0.5, others=17.0, unused=0.0)
    assert part.alarm == float("-inf")


def test_what_was_given_too_much_is_missing_until_it_has_come_back() -> None:
    part = Bucket(LIMIT, 0.0)
    let_in(part, [0.0] * 25)
    part.hold_part(1.0, others=20.0, unused=0.0)
    assert (part.remaining, part.take(1.9)) == (0, False)
    assert part.wait_s == pytest.approx(0.2)
    assert part.take(2.11)


def test_tokens_come_back_sooner_by_what_others_leave() -> None:
    part = Bucket(LIMIT, 0.0)
    let_in(part, [0.0] * 20)
    part.hold_part(0.8, others=0.0, unused=2.0)
    part.pass_time(1.0)
    assert part.owed == pytest.approx(10)
    assert part.level == pytest.approx(0.8 * 5 + 8)
