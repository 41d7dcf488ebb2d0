"""What a process counts, and what several have counted together."""

import msgspec

from fieldfare.telemetry.meters import Counter, Gauge, Histogram, Labels, Samples, add_up


def test_a_counter_counts_by_its_labels() -> None:
    orders = Counter("orders_total", "", ("kind",))
    orders.add("tree")
    orders.add("tree", by=3)
    orders.add("offset", by=0)
    assert orders.samples() == [(("tree",), [4]), (("offset",), [0])]


def test_a_value_falls_under_the_first_bound_that_is_not_below_it() -> None:
    sizes = Histogram("sizes", "", bounds=(1, 2, 4))
    for size in (1, 2, 3, 4, 5):
        sizes.observe(size)
    assert sizes.samples() == [((), [1, 1, 2, 1, 15])]


def test_a_gauge_is_looked_at_when_it_is_asked_for() -> None:
    waiting = Gauge("waiting", "", ("line",))
    assert waiting.samples() == []
    lines: dict[Labels, float] = {("new",): 1.0}
    waiting.watch(lambda: lines)
    lines["begun",] = 2.0
    assert waiting.samples() == [(("new",), [1.0]), (("begun",), [2.0])]


def test_processes_are_added_up_by_labels_as_they_were_written() -> None:
    one: Samples = [(("tree",), [1.0, 2.0]), (("offset",), [5.0, 5.0])]
    read = msgspec.json.decode(msgspec.json.encode(one), type=Samples)
    other: Samples = [(("tree",), [10.0, 20.0])]
    assert dict(add_up([read, other])) == {("tree",): [11.0, 22.0], ("offset",): [5.0, 5.0]}


def test_a_histogram_with_other_bounds_begins_anew() -> None:
    assert dict(add_up([[((), [1.0, 2.0, 3.0])], [((), [4.0, 5.0])]])) == {(): [4.0, 5.0]}
