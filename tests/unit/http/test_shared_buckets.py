"""Processes that hear each other once a second hold one limit, whatever each of them is asked."""

import heapq
import random
from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fieldfare.http.limits.buckets import Buckets, SharedBuckets, Voice
from fieldfare.http.limits.heartbeat import SOONEST_S
from fieldfare.kernel.buckets import BEAT_S, Limit
from fieldfare.kernel.shares import Claim

bounded = settings(max_examples=25, deadline=None)
ACCOUNT = 1001
SECONDS = 10
WAY_S = 0.003
"""To the database and back."""


class House:
    """Processes on one database, in a time of their own."""

    def __init__(self, limit: Limit, count: int, seed: int) -> None:
        self.limit = limit
        self.random = random.Random(seed)
        self.rows: dict[int, tuple[float, list[Claim]]] = {}
        self.processes = [SharedBuckets(limit) for _ in range(count)]
        self.waiting: list[tuple[float, str, int]] = []
        self.beats = [0] * count
        self.asked = 0
        self.now = 0.0
        for number, process in enumerate(self.processes):
            process.on_alarm = partial(self._alarm, number)
        self._last_beat = [-9.0] * count
        for _ in range(2):
            for number in range(count):
                self._beat(number)
        for number in range(count):
            self._at(self.random.uniform(0, BEAT_S), "beat", number)

    def run(self, per_second: Sequence[float], until: float) -> list[float]:
        """Ask each process so often, at random; gives the instants of what was let in."""
        let_in = []
        for number, rate in enumerate(per_second):
            self._ask_later(number, rate)
        while self.waiting[0][0] < until:
            self.now, what, number = heapq.heappop(self.waiting)
            if what == "ask":
                self.asked += 1
                if self.processes[number].take(ACCOUNT, self.now)[1]:
                    let_in.append(self.now)
                self._ask_later(number, per_second[number])
            elif what == "early" or self.now - self._last_beat[number] >= BEAT_S - WAY_S:
                self._beat(number)
        self.waiting = [one for one in self.waiting if one[1] != "ask"]
        heapq.heapify(self.waiting)
        self.now = until
        return let_in

    def _ask_later(self, number: int, rate: float) -> None:
        if rate:
            self._at(self.now + self.random.expovariate(rate), "ask", number)

    def _alarm(self, number: int) -> None:
        self._at(max(self.now + WAY_S, self._last_beat[number] + SOONEST_S), "early", number)

    def _beat(self, number: int) -> None:
        self.beats[number] += 1
        self._last_beat[number] = self.now
        process = self.processes[number]
        self.rows[number] = self.now, process.claim(self.now)
        voices = [
            Voice(age_s=self.now - at, claims=claims)
            for other, (at, claims) in self.rows.items()
            if other != number
        ]
        process.hear(voices, self.now)
        self._at(self.now + BEAT_S, "beat", number)

    def _at(self, instant: float, what: str, number: int) -> None:
        heapq.heappush(self.waiting, (instant, what, number))


@pytest.mark.parametrize(
    ("limit", "per_second"),
    [
        (Limit(200, 1000), [1200, 0, 0, 0]),
        (Limit(200, 1000), [600, 200, 100, 20]),
        (Limit(200, 1000), [300, 300, 300, 300]),
        (Limit(200, 1000), [1200]),
        (Limit(200, 200), [400, 150, 0, 0]),
        (Limit(200, 200), [1000, 10, 10, 10]),
        (Limit(100, 150), [500, 500, 500, 500]),
        (Limit(100, 150), [300, 60]),
    ],
)
def test_what_is_let_in_is_the_limit_within_a_tenth(limit: Limit, per_second: list[float]) -> None:
    house = House(limit, len(per_second), seed=7)
    let_in = house.run(per_second, SECONDS)
    whole = limit.burst + limit.per_second * SECONDS
    assert 0.9 * whole <= len(let_in) <= 1.1 * whole
    # In the long run too, when the burst is gone.
    later = house.run(per_second, 1.5 * SECONDS)
    assert len(later) == pytest.approx(limit.per_second * SECONDS / 2, rel=0.1)


@given(
    per_second=st.lists(st.sampled_from([0, 5, 30, 120, 300]), min_size=1, max_size=5),
    burst=st.sampled_from([100, 300]),
    seed=st.integers(0, 1_000),
)
@example(per_second=[5], burst=100, seed=36)
@example(per_second=[30, 120, 120, 30], burst=100, seed=581)
@bounded
def test_it_is_hardly_exceeded_whatever_is_asked(
    per_second: list[int], burst: int, seed: int
) -> None:
    house = House(Limit(100, burst), len(per_second), seed)
    let_in = house.run(per_second, SECONDS)
    whole = burst + 100 * SECONDS
    # Of ten thousand draws four came to more than a tenth above, the most to 11.3 %; in all a burst
    # was used up within a second or two: for so long processes know little of each other.
    assert len(let_in) <= 1.15 * whole
    assert len(let_in) >= 0.85 * min(whole, house.asked)


def test_a_burst_just_before_a_beat_is_not_there_again_after_it() -> None:
    house = House(Limit(100, 400), 4, seed=1)
    house.run([0, 0, 0, 0], 5.0)
    first = house.run([4_000] * 4, 5.1)
    second = house.run([1_000] * 4, 6.1)
    assert 0.9 * 400 <= len(first) <= 1.2 * 410
    assert len(first) + len(second) <= 1.2 * (400 + 110)


def test_whoever_moves_to_another_process_finds_the_rest_of_its_limit_there() -> None:
    house = House(Limit(100, 400), 4, seed=1)
    house.run([500, 0, 0, 0], 8.0)
    assert len(house.run([0, 500, 0, 0], 18.0)) == pytest.approx(1_000, rel=0.1)
    # After a rest the burst is whole again.
    house.run([0, 0, 0, 0], 24.0)
    assert len(house.run([0, 0, 500, 0], 26.0)) == pytest.approx(600, rel=0.1)


def test_few_beats_are_made_before_their_time() -> None:
    house = House(Limit(200, 1000), 4, seed=1)
    house.run([600, 200, 100, 20], SECONDS)
    assert max(house.beats) <= 2 * SECONDS + 5


def test_nobody_is_spoken_of_who_is_far_from_its_limit() -> None:
    process = SharedBuckets(Limit(200, 1000))
    process.hear([Voice(age_s=0.1, claims=())] * 3, 0.0)
    for account in range(20_000):
        for _ in range(5):
            assert process.take(account, 1.0)[1]
    assert process.claim(1.5) == []
    for _ in range(300):
        process.take(7, 2.0)
    assert [claim.key for claim in process.claim(2.1)] == [7]
    process.hear([Voice(age_s=0.1, claims=())] * 3, 2.1)
    # Once it rests nobody need hear of it any more.
    for second in range(3, 12):
        process.claim(float(second))
        process.hear([Voice(age_s=0.1, claims=())] * 3, float(second))
    assert process.claim(13.0) == []


def test_a_row_is_bounded_however_many_are_near_their_limit() -> None:
    process = SharedBuckets(Limit(2, 4), most_claims=16)
    process.hear([Voice(age_s=0.1, claims=())], 0.0)
    for account in range(500):
        for _ in range(2 + account // 100):
            process.take(account, 1.0)
    claims = process.claim(1.1)
    assert len(claims) == 16
    process.hear([Voice(age_s=0.1, claims=())], 1.1)
    assert len(process.claim(1.2)) <= 16


def test_buckets_are_bounded_and_the_ones_in_use_are_kept() -> None:
    accounts: SharedBuckets = SharedBuckets(Limit(10, 20), most=1_000)
    for stranger in range(5_000):
        accounts.take(ACCOUNT, 1.0)
        accounts.take(-1 - stranger, 1.0)
    assert len(accounts) == 1_000
    assert not accounts.take(ACCOUNT, 1.0)[1]
    addresses: Buckets[str] = Buckets(Limit(10, 20), most=2)
    first = addresses.find("192.0.2.1", 0.0)
    addresses.find("192.0.2.2", 0.0)
    assert addresses.find("192.0.2.1", 0.0) is first
    addresses.find("192.0.2.3", 0.0)
    assert addresses.find("192.0.2.1", 0.0) is first
    assert len(addresses) == 2


def test_a_process_that_comes_late_has_its_small_part_of_what_is_left() -> None:
    others = [Voice(age_s=0.1, claims=[Claim(key=ACCOUNT, owed=1000, wants=200, uses=200)])]
    late = SharedBuckets(Limit(200, 1000))
    late.hear(others, 0.0)
    assert not late.take(ACCOUNT, 0.0)[1]
    assert late.take(1002, 0.0)[1]
