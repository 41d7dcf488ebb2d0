"""Metrics as Prometheus reads them: all processes of a machine added up, and what is read besides.

What must hold: every family is told at every scrape, also one that has no sample yet; counters
never go down because a process ended.
"""

import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from fieldfare import __version__
from fieldfare.db.revision import known_revisions
from fieldfare.settings import Settings
from fieldfare.telemetry import families
from fieldfare.telemetry.meters import Cell, Counter, Gauge, Histogram, Labels, Reading, Samples
from fieldfare.telemetry.snapshots import ByName, Seen, Snapshot, sum_up


def expose(seen: Seen, facts: ByName | None, settings: Settings, accept: str) -> tuple[bytes, str]:
    """The page and its content type, for a scraper that takes `accept`."""
    encode: Callable[[Collector], bytes]
    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(collect(seen, facts, settings)))
    return encode(registry), content_type


class _Once(Collector):
    def __init__(self, metrics: Iterator[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """What there is, once."""
        return self._metrics

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry that is used once need not know the names beforehand."""
        return ()


def collect(seen: Seen, facts: ByName | None, settings: Settings) -> Iterator[Metric]:
    """Every family of `families.FAMILIES`, in that order."""
    counted = sum_up([seen.ended.counted, *(one.counted for one in seen.living)])
    for meter in families.COUNTED:
        yield _counted(meter, counted.get(meter.name, []))
    for gauge in families.WATCHED:
        yield _gauge(gauge, _by_role(gauge, seen.living), families.ROLE)
    read = {**_read(seen.living, facts, settings), **(facts or {})}
    for reading in (*families.READ, *families.STORED):
        yield _gauge(reading, read.get(reading.name, []))


def _counted(meter: Counter | Histogram, samples: Samples) -> Metric:
    if isinstance(meter, Counter):
        counter = CounterMetricFamily(meter.name, meter.about, labels=meter.labels)
        for labels, (number,) in samples:
            counter.add_metric(labels, number)
        return counter
    histogram = HistogramMetricFamily(meter.name, meter.about, labels=meter.labels)
    for labels, cell in samples:
        if len(cell) == len(meter.bounds) + 2:
            histogram.add_metric(labels, _buckets(meter, cell), cell[-1])
    return histogram


def _buckets(meter: Histogram, cell: Cell) -> list[tuple[str, float]]:
    """Prometheus counts what is at most a bound, so each bucket holds the ones before it."""
    bounds = [*(str(float(bound)) for bound in meter.bounds), "+Inf"]
    return [(bound, sum(cell[: place + 1])) for place, bound in enumerate(bounds)]


def _gauge(of: Gauge | Reading, samples: Samples, *more: str) -> Metric:
    gauge = GaugeMetricFamily(of.name, of.about, labels=(*more, *of.labels))
    for labels, (number,) in samples:
        gauge.add_metric(labels, number)
    return gauge


def _by_role(gauge: Gauge, living: list[Snapshot]) -> Samples:
    roles = sorted({one.role for one in living})
    return [
        ((role, *labels), cell)
        for role in roles
        for labels, cell in sum_up(one.watched for one in living if one.role == role).get(
            gauge.name, []
        )
    ]


def _read(living: list[Snapshot], facts: ByName | None, settings: Settings) -> ByName:
    now = time.time()
    processes: dict[Labels, Cell] = {}
    silent: dict[Labels, Cell] = {}
    for one in living:
        role = (one.role,)
        processes[role] = [processes.get(role, [0])[0] + 1]
        silent[role] = [max(silent.get(role, [0])[0], now - one.taken_at)]
    return {
        families.PROCESSES.name: list(processes.items()),
        families.SILENT_S.name: list(silent.items()),
        families.BUILD.name: [((__version__, known_revisions()[-1]), [1])],
        families.PACE.name: [((), [settings.stripe_calls_per_second])],
        families.READABLE.name: [((), [0 if facts is None else 1])],
    }
