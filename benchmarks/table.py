"""`python -m benchmarks.table`: a table of the last three runs of each benchmark.

A run is a file of `benchmarks/results`; its figure, limit and ratio are those of its line. The load
is the highest that the machine had when a run ended, with what the run itself put on it.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.figures import RESULTS, readable

RUNS = 3


class Side(msgspec.Struct, frozen=True):
    """The median over a run's turns."""

    median: float


class Machine(msgspec.Struct, frozen=True):
    """What a run was measured on."""

    load_1_5_15_min: tuple[float, float, float]


class Run(msgspec.Struct, frozen=True):
    """Of a file, what the table tells."""

    name: str
    unit: str
    measured_at: str
    figure: Side
    limit: Side
    ratio: float
    machine: Machine


def read_runs(folder: Path = RESULTS) -> dict[str, list[Run]]:
    """The last runs of each benchmark, oldest first."""
    runs: dict[str, list[Run]] = {}
    for path in folder.glob("*.json"):
        run = msgspec.json.decode(path.read_bytes(), type=Run)
        runs.setdefault(run.name, []).append(run)
    return {
        name: sorted(own, key=lambda run: run.measured_at)[-RUNS:]
        for name, own in sorted(runs.items())
    }


def row(runs: Sequence[Run]) -> str:
    """A row: smallest - median - largest of the runs, for both sides and for the ratio."""
    sides = [[run.figure.median for run in runs], [run.limit.median for run in runs]]
    told = " | ".join(f"{spread(side)} {runs[0].unit}" for side in sides)
    ratios = spread([run.ratio for run in runs])
    load = max(run.machine.load_1_5_15_min[0] for run in runs)
    return f"| `{runs[0].name}` | {told} | {ratios} | {len(runs)} | {load:.1f} |"


def spread(numbers: Sequence[float]) -> str:
    """`1.10 - 1.20 - 1.40`."""
    return " - ".join(readable(n) for n in (min(numbers), median(numbers), max(numbers)))


def main() -> None:
    """Print the table."""
    print("| line | figure | limit | ratio | runs | load |")
    print("|---|---|---|---|---|---|")
    for runs in read_runs().values():
        print(row(runs))


if __name__ == "__main__":
    main()
