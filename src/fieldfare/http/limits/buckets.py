"""The buckets of one process: a bounded number of them, the least recently used ones given up.

Who is given up and comes again has a full bucket. That takes as many other callers in between as
there are buckets, and by then its own would have been full again or nearly so.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from heapq import nlargest
from typing import Generic, TypeVar

import msgspec

from fieldfare.kernel.buckets import Bucket, Limit
from fieldfare.kernel.shares import Claim, Heard, make_claim, settle

MOST_ACCOUNTS = 50_000
MOST_ADDRESSES = 20_000
MOST_CLAIMS = 256
"""Accounts that a process speaks of at a time; any others have equal parts everywhere."""

KeyT = TypeVar("KeyT", int, str)


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that another process says at a time."""

    age_s: float
    """Seconds since it said so."""
    claims: Sequence[Claim]


class Buckets(Generic[KeyT]):
    """Buckets under one limit, by whatever tells callers apart."""

    def __init__(self, limit: Limit, *, most: int) -> None:
        self.limit = limit
        self._most = most
        self._buckets: OrderedDict[KeyT, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def find(self, key: KeyT, now: float) -> Bucket:
        """A caller's bucket."""
        bucket = self._buckets.get(key)
        if bucket is not None:
            self._buckets.move_to_end(key)
            return bucket
        bucket = Bucket(self.limit, now)
        self._buckets[key] = bucket
        if len(self._buckets) > self._most:
            self._forgotten(self._buckets.popitem(last=False)[0])
        self._opened(key, bucket, now)
        return bucket

    def _opened(self, key: KeyT, bucket: Bucket, now: float) -> None:
        """A new caller has come."""

    def _forgotten(self, key: KeyT) -> None:
        """A caller's bucket was given up."""


class SharedBuckets(Buckets[int]):
    """Buckets that several processes hold together; each account's by a number.

    An account is spoken of once it has used half of an equal part, and no more once an equal part
    is plenty for it everywhere. Until then nobody need hear of it, however many accounts there are.
    """

    def __init__(
        self, limit: Limit, *, most: int = MOST_ACCOUNTS, most_claims: int = MOST_CLAIMS
    ) -> None:
        super().__init__(limit, most=most)
        self._most_claims = most_claims
        self._processes = 1
        self._unequal: set[int] = set()
        """Accounts whose parts are, or should be, as they are needed."""
        self._alarmed: set[int] = set()
        """Those of them that have become so since the last claims."""
        self._claims: dict[int, Claim] = {}
        self._first_claims: set[int] = set()
        """Accounts that we had not spoken of before."""
        self._heard: dict[int, list[Heard]] = {}
        self._claimed_at = -math.inf
        self.on_alarm: Callable[[], None] = lambda: None
        """Called when a part runs out while other processes may have some of theirs left."""

    def take(self, key: int, now: float) -> tuple[Bucket, bool]:
        """An account's bucket, and whether its request is let in."""
        bucket = self.find(key, now)
        is_let_in = bucket.take(now)
        if bucket.level < bucket.alarm:
            bucket.alarm = -math.inf
            self._alarmed.add(key)
            self._unequal.add(key)
            self.on_alarm()
        return bucket, is_let_in

    def claim(self, now: float) -> list[Claim]:
        """What to say of our accounts: a bounded number of them."""
        span_s = min(max(now - self._claimed_at, 0.01), 1.0)
        self._claimed_at = now
        self._alarmed.clear()
        claims = (self._claim_of(key, now, span_s) for key in self._unequal)
        told = (claim for claim in claims if self._is_worth_telling(claim))
        chosen = nlargest(self._most_claims, told, key=lambda claim: (claim.wants, claim.owed))
        self._first_claims = {claim.key for claim in chosen if claim.key not in self._claims}
        self._claims = {claim.key: claim for claim in chosen}
        return chosen

    def _claim_of(self, key: int, now: float, span_s: float) -> Claim:
        last = self._claims.get(key)
        return make_claim(key, self._buckets[key], self.limit, now, last=last, span_s=span_s)

    def hear(self, voices: Sequence[Voice], now: float) -> None:
        """Take our parts anew, now that all other living processes have been heard."""
        if len(voices) + 1 != self._processes:
            self._processes = len(voices) + 1
            self._hold_equal_parts(self._buckets.keys() - self._unequal, now)
        self._heard = {}
        for voice in voices:
            for claim in voice.claims:
                heard = Heard(age_s=voice.age_s, claim=claim)
                self._heard.setdefault(claim.key, []).append(heard)
        contested = {key for key in self._heard.keys() & self._buckets if self._is_contested(key)}
        unequal = self._claims.keys() | contested
        self._hold_equal_parts(self._unequal - unequal - self._alarmed, now)
        self._unequal = unequal | self._alarmed
        for key in unequal:
            self._settle(key, self._buckets[key], now)
        if self._first_claims:
            self.on_alarm()

    def _settle(self, key: int, bucket: Bucket, now: float) -> None:
        bucket.pass_time(now)
        heard = self._heard.get(key, ())
        wants = self._claims[key].wants if key in self._claims else 0.0
        settle(
            bucket,
            self.limit,
            heard,
            wants=wants,
            silent=self._processes - 1 - len(heard),
            # Whoever is asked as much at this moment has not had the time to say so.
            silent_wants=wants if key in self._first_claims else 0.0,
        )

    def _hold_equal_parts(self, keys: Iterable[int], now: float) -> None:
        for key in keys:
            bucket = self._buckets[key]
            bucket.pass_time(now)
            bucket.hold_equal_part(self._processes)

    def _is_worth_telling(self, claim: Claim) -> bool:
        if self._is_contested(claim.key):
            return claim.wants > 0.0 or claim.owed > 0.0
        return not claim.is_calm(self.limit, self._processes)

    def _is_contested(self, key: int) -> bool:
        """Whether another process is near its part of an account's bucket."""
        return any(
            not heard.claim.is_calm(self.limit, self._processes)
            for heard in self._heard.get(key, ())
        )

    def _opened(self, key: int, bucket: Bucket, now: float) -> None:
        bucket.hold_equal_part(self._processes)
        if self._is_contested(key):
            self._unequal.add(key)
            self._settle(key, bucket, now)

    def _forgotten(self, key: int) -> None:
        self._unequal.discard(key)
        self._alarmed.discard(key)
        self._claims.pop(key, None)
