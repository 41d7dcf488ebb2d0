"""`python -m benchmarks [NAME]...`: run every benchmark, or some; `make bench` calls it.

A line of stdout for each; all else goes to stderr and to a file in `benchmarks/results`.
"""

import signal
import sys
from collections.abc import Callable

from benchmarks import (
    certificates_10k,
    cold_start,
    credit_orders,
    history_10m,
    list_million,
    order_latency_idle,
    overload,
    public_feed,
    rank_10m,
)
from benchmarks.figures import Comparison, progress, save
from benchmarks.refusal import BenchmarkRefused
from fieldfare.db.embedded import EmbeddedRefused

BENCHMARKS: dict[str, Callable[[], Comparison]] = {
    credit_orders.NAME: credit_orders.measure,
    credit_orders.ONE_ACCOUNT_NAME: credit_orders.measure_one_account,
    order_latency_idle.NAME: order_latency_idle.measure,
    overload.NAME: overload.measure,
    public_feed.NAME: public_feed.measure,
    list_million.NAME: list_million.measure,
    rank_10m.NAME: rank_10m.measure,
    history_10m.NAME: history_10m.measure,
    certificates_10k.NAME: certificates_10k.measure,
    cold_start.NAME: cold_start.measure,
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
