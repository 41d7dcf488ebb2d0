"""The line that others read, the turns, and the file with the details."""

from pathlib import Path

import msgspec
import pytest

from benchmarks.figures import Comparison, readable, save, take_turns

COMPARISON = Comparison(
    name="credit_orders",
    unit="orders/s",
    figures=(1_200.4, 1_000.0, 1_234.4),
    limits=(5_000.0, 4_800.0, 9_999.0),
    details={"accounts": 1_000},
)


def test_the_line_ends_in_the_ratio_of_the_medians() -> None:
    assert COMPARISON.line() == "credit_orders: 1200 orders/s, limit 5000 orders/s, ratio 0.24"
    assert float(COMPARISON.line().split()[-1]) == round(COMPARISON.ratio, 2)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0.00"),
        (0.4567, "0.46"),
        (9.994, "9.99"),
        (9.996, "10"),
        (12.5, "12"),
        (10_499.6, "10500"),
    ],
)
def test_a_small_figure_has_decimals(number: float, text: str) -> None:
    assert readable(number) == text


def test_a_line_of_small_figures_still_ends_in_the_ratio() -> None:
    comparison = Comparison(name="cold_start", unit="s", figures=(4.804,), limits=(10.0,))
    assert comparison.line() == "cold_start: 4.80 s, limit 10 s, ratio 0.48"


def test_the_sides_take_turns(capsys: pytest.CaptureFixture[str]) -> None:
    order: list[str] = []

    def side(name: str, rates: list[float]) -> float:
        order.append(name)
        return rates[order.count(name) - 1]

    figures, limits = take_turns(
        lambda: side("figure", [1.0, 2.0]), lambda: side("limit", [3.0, 4.0]), rounds=2
    )
    assert order == ["figure", "limit", "figure", "limit"]
    assert (figures, limits) == ((1.0, 2.0), (3.0, 4.0))
    assert capsys.readouterr().out == ""


def test_the_file_holds_every_turn_and_the_machine(tmp_path: Path) -> None:
    record = msgspec.json.decode(save(COMPARISON, tmp_path / "results").read_bytes())
    assert record["figure"] == {
        "min": 1_000.0,
        "median": 1_200.4,
        "max": 1_234.4,
        "runs": [1_200.4, 1_000.0, 1_234.4],
    }
    assert record["limit"]["median"] == 5_000.0
    assert record["ratio"] == 0.2401
    assert record["machine"]["processors"] >= 1
    assert record["details"] == {"accounts": 1_000}
