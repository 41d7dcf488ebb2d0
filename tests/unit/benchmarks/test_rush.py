"""What is read from the run that asks for more than can be carried out."""

import pytest

from benchmarks.overload import read_rush
from benchmarks.refusal import BenchmarkRefused

OUTPUT = (
    "Running 2s test\n"
    '{"taken":[[900,2],[10,97],[20,1]],"refused":50,"wrong":%d,"broken":%d,"duration_us":2000000}\n'
)


def test_the_accepted_are_counted_and_timed_alone() -> None:
    rush = read_rush(OUTPUT % (0, 0))
    assert rush.accepted == 100
    assert rush.accepted_per_s == 50.0
    assert rush.asked_per_s == 75.0
    assert [rush.percentile_ms(percent) for percent in (50, 97, 98, 99, 100)] == [
        10, 10, 20, 900, 900,
    ]  # fmt: skip


@pytest.mark.parametrize(("wrong", "broken"), [(1, 0), (0, 1)])
def test_an_answer_that_is_neither_spoils_the_run(wrong: int, broken: int) -> None:
    with pytest.raises(BenchmarkRefused, match="beside 100 accepted and 50 refused"):
        read_rush(OUTPUT % (wrong, broken))


def test_a_run_without_an_answer_or_a_word_is_none() -> None:
    for output in ("", "unable to connect", OUTPUT.replace("[[900,2],[10,97],[20,1]]", "[]")):
        with pytest.raises(BenchmarkRefused):
            read_rush(output % (0, 0) if "%" in output else output)
