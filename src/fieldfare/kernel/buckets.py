"""A token bucket: how many requests one caller may still make.

A request takes a token; tokens come back at a steady rate up to the burst. So there is no window
with an edge to be used twice: in any span of t seconds at most `burst + per_second * t` requests
are let in. A process holds a part of each bucket, and which part that is may change
(`kernel.shares`). The time comes in as an argument, in seconds of a clock that never goes back. It
stands in the way of every request, so a bucket is changed in place.
"""

import math

import msgspec

BEAT_S = 1.0
"""How often the parts of the processes are weighed anew."""
_NEVER = -math.inf


class Limit(msgspec.Struct, frozen=True):
    """What one caller may do."""

    per_second: int
    """Requests, in the long run."""
    burst: int
    """Requests at once, after a rest; at least `per_second`."""

    @property
    def window_s(self) -> int:
        """Whole seconds in which the burst comes back."""
        return math.ceil(self.burst / self.per_second)


class Bucket:
    """One process's part of a caller's bucket; to begin with a full one, the whole of it."""

    __slots__ = (
        "_at", "_burst", "_most", "_per_second", "_recovery", "_refill", "alarm", "asked", "level",
        "others", "owed", "refused",
    )  # fmt: skip

    def __init__(self, limit: Limit, now: float) -> None:
        self._burst = float(limit.burst)
        self._per_second = float(limit.per_second)
        self._at = now
        self._most = self._burst
        self._refill = self._per_second
        self._recovery = self._per_second
        self.level = self._burst
        """Tokens that are ours to give; below zero if all together have given too many."""
        self.owed = 0.0
        """Tokens that we have given and that have not come back."""
        self.others = 0.0
        """The same of all other processes, when they were heard last."""
        self.asked = 0
        """Requests since the last claim, refused ones among them."""
        self.refused = 0
        """Those of them."""
        self.alarm = _NEVER
        """Below this level a larger part should be asked for."""

    def take(self, now: float) -> bool:
        """Whether a request is let in; if so, its token is gone."""
        self.pass_time(now)
        self.asked += 1
        if self.level < 1.0:
            self.refused += 1
            return False
        self.level -= 1.0
        self.owed += 1.0
        return True

    def pass_time(self, now: float) -> None:
        """Let the tokens come back that are due by now."""
        passed_s = now - self._at
        self._at = now
        level = self.level + passed_s * self._refill
        self.level = min(self._most, level)
        owed = self.owed - passed_s * self._recovery
        self.owed = max(0.0, owed)

    def give_back(self) -> None:
        """Undo a `take` that let a request in."""
        self.level += 1.0
        self.owed = max(0.0, self.owed - 1.0)

    def hold_equal_part(self, processes: int) -> None:
        """Be one of so many, of which none needs more than another."""
        self._hold(1 / processes)
        self._recovery = self._refill
        self.others = 0.0
        self.level = self._most - self.owed
        self.alarm = self._most / 2 if processes > 1 else _NEVER

    def hold_part(self, part: float, *, others: float, unused: float) -> None:
        """Hold a part, above 0 and up to 1, of a bucket of which `others` owe so many tokens.

        By what they leave `unused` of theirs, in tokens a second, ours come back the sooner.
        """
        self._hold(part)
        self._recovery = self._refill + unused
        self.others = others
        self.level = part * (self._burst - self.owed - others)
        # Where little is left all know of it, and to ask again at once would bring nothing.
        self.alarm = self.level / 2 if self.level >= self._most / 4 else _NEVER

    def _hold(self, part: float) -> None:
        self._refill = part * self._per_second
        # With less than one token nobody would be let in.
        self._most = max(1.0, part * self._burst)

    @property
    def remaining(self) -> int:
        """Whole tokens left to all processes together."""
        return max(0, int(self._burst - self.owed - self.others))

    @property
    def wait_s(self) -> float:
        """After a refusal: seconds until a request is let in, unless others come first.

        A small part is waited for no longer than until the parts are weighed anew.
        """
        of_all = (self.owed + self.others + 1.0 - self._burst) / self._per_second
        return min((1.0 - self.level) / self._refill, max(BEAT_S, of_all))
