"""Counters, histograms and gauges of one process: plain numbers that are cheap to change.

A process counts for itself, and `snapshots` adds the processes up. What must hold: counting costs
less than a microsecond and never waits, and no label takes a value that a client can choose freely,
because every combination of labels is kept for as long as the process lives. A process counts in
one thread.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

import msgspec

Labels: TypeAlias = tuple[str, ...]
Cell: TypeAlias = list[float]
"""The number of a counter or a gauge; of a histogram, how many fell under each bound and above the
last one, and the sum of what was observed."""
Samples: TypeAlias = list[tuple[Labels, Cell]]


class Meter:
    """A metric with a number, or several, for each combination of its labels."""

    def __init__(self, name: str, about: str, labels: Labels = ()) -> None:
        self.name = name
        self.about = about
        self.labels = labels
        self._cells: dict[Labels, Cell] = {}

    def samples(self) -> Samples:
        """What was counted until now."""
        return list(self._cells.items())


class Counter(Meter):
    """How often something happened, or how much of it, since the process began."""

    def add(self, *labels: str, by: int = 1) -> None:
        """Count it once, or `by` at once, zero or more."""
        cell = self._cells.get(labels)
        if cell is None:
            cell = self._cells[labels] = [0]
        cell[0] += by


class Histogram(Meter):
    """How large or how long something was, each time."""

    def __init__(
        self, name: str, about: str, labels: Labels = (), *, bounds: tuple[float, ...]
    ) -> None:
        super().__init__(name, about, labels)
        self.bounds = bounds

    def observe(self, value: float, *labels: str) -> None:
        """Take in one of them."""
        cell = self._cells.get(labels)
        if cell is None:
            cell = self._cells[labels] = [0] * (len(self.bounds) + 2)
        cell[bisect_left(self.bounds, value)] += 1
        cell[-1] += value


class Gauge(Meter):
    """How much of something there is; looked at when it is told, so it costs nothing before."""

    _read: Callable[[], Mapping[Labels, float]] | None = None

    def watch(self, read: Callable[[], Mapping[Labels, float]]) -> None:
        """From now on, `read` says how much there is; it must not wait."""
        self._read = read

    def samples(self) -> Samples:
        """What there is now."""
        return [] if self._read is None else [(at, [n]) for at, n in self._read().items()]


class Reading(msgspec.Struct, frozen=True):
    """A gauge that no process counts: whoever answers the scrape reads it where it stands."""

    name: str
    about: str
    labels: Labels = ()


def add_up(many: Iterable[Samples]) -> Iterator[tuple[Labels, Cell]]:
    """The sums of what several processes counted under one name, by labels."""
    sums: dict[Labels, Cell] = {}
    for samples in many:
        for labels, cell in samples:
            before = sums.get(labels)
            # A histogram whose bounds an update has changed begins anew.
            if before is None or len(before) != len(cell):
                sums[labels] = list(cell)
            else:
                sums[labels] = [a + b for a, b in zip(before, cell, strict=True)]
    yield from sums.items()
