"""Two sides measured in turn, and the line and the file that tell of it.

What must hold: the figure and its limit come from the same run, each as the median of its turns.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from benchmarks.machine import describe_machine

RESULTS = Path(__file__).parent / "results"
_WHOLE_FROM = 9.995


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A figure and the limit that it is held against, turn by turn and in one unit."""

    name: str
    unit: str
    """What both sides count, for instance `orders/s`."""
    figures: tuple[float, ...]
    limits: tuple[float, ...]
    details: dict[str, Any] = {}

    @property
    def ratio(self) -> float:
        """The median figure over the median limit."""
        return median(self.figures) / median(self.limits)

    def line(self) -> str:
        """`credit_orders: 1234 orders/s, limit 5678 orders/s, ratio 0.22`."""
        figure, limit = (
            f"{readable(median(side))} {self.unit}" for side in (self.figures, self.limits)
        )
        return f"{self.name}: {figure}, limit {limit}, ratio {self.ratio:.2f}"


def readable(number: float) -> str:
    """A figure for people: from ten up in whole numbers, below with two decimals."""
    return f"{number:.0f}" if number >= _WHOLE_FROM else f"{number:.2f}"


def progress(text: str) -> None:
    """Tell whoever waits what goes on; on stderr, so that stdout holds nothing but the lines."""
    print(text, file=sys.stderr, flush=True)


def take_turns(
    figure: Callable[[], float], limit: Callable[[], float], *, rounds: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Measure one side, then the other, and again: noise that lasts meets both."""
    figures, limits = [], []
    for turn in range(1, rounds + 1):
        figures.append(figure())
        limits.append(limit())
        turns = f"{readable(figures[-1])}, limit {readable(limits[-1])}"
        progress(f"  turn {turn} of {rounds}: {turns}")
    return tuple(figures), tuple(limits)


def save(comparison: Comparison, folder: Path = RESULTS) -> Path:
    """Write all that is known of a run as JSON; gives the file."""
    now = datetime.now(UTC)
    record = {
        "name": comparison.name,
        "unit": comparison.unit,
        "measured_at": now,
        "figure": _spread(comparison.figures),
        "limit": _spread(comparison.limits),
        "ratio": round(comparison.ratio, 4),
        "machine": describe_machine(),
        "details": comparison.details,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{comparison.name}-{now:%Y%m%dT%H%M%S}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
    return path


def _spread(runs: tuple[float, ...]) -> dict[str, Any]:
    rounded = [round(run, 3) for run in runs]
    return {
        "min": min(rounded),
        "median": round(median(rounded), 3),
        "max": max(rounded),
        "runs": rounded,
    }
