"""`python -m benchmarks [NAME]`: run every benchmark, or one; `make bench` calls it.

A line of stdout for each; all else goes to stderr and to a file in `benchmarks/results`.
"""

import signal
import sys
from collections.abc import Callable

from benchmarks import credit_orders
from benchmarks.figures import Comparison, progress, save
from benchmarks.refusal import BenchmarkRefused
from fieldfare.db.embedded import EmbeddedRefused

BENCHMARKS: dict[str, Callable[[], Comparison]] = {
    credit_orders.NAME: credit_orders.measure,
}


def main(names: list[str]) -> int:
    """Run what is named, or everything; gives the exit code."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        progress(f"there is no benchmark {unknown[0]}; there is: {', '.join(BENCHMARKS)}")
        return 2
    for name in names or BENCHMARKS:
        try:
            comparison = BENCHMARKS[name]()
        except (BenchmarkRefused, EmbeddedRefused) as refusal:
            progress(f"{name}: {refusal}")
            return 1
        except KeyboardInterrupt:
            return 130
        path = save(comparison)
        progress(f"details in {path}")
        print(comparison.line(), flush=True)
    return 0


if __name__ == "__main__":
    # So that a run which is ended takes its servers and its folder along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
