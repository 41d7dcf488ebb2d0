"""The table of the last runs: three of each, and a spread over them."""

from pathlib import Path

import msgspec

from benchmarks.table import read_runs, row


def write_run(folder: Path, at: str, figure: float, limit: float, load: float = 0.5) -> None:
    """A file as `save` leaves it, without what the table does not tell."""
    record = {
        "name": "credit_orders",
        "unit": "orders/s",
        "measured_at": at,
        "figure": {"median": figure, "runs": [figure]},
        "limit": {"median": limit},
        "ratio": figure / limit,
        "machine": {"processors": 2, "load_1_5_15_min": [load, 0.1, 0.1]},
    }
    (folder / f"credit_orders-{at}.json").write_bytes(msgspec.json.encode(record))


def test_the_last_three_runs_make_a_row(tmp_path: Path) -> None:
    write_run(tmp_path, "2026-11-20T10:00:00Z", 1.0, 1_000.0)
    write_run(tmp_path, "2026-11-21T12:00:00Z", 3_000.0, 1_500.0, load=1.4)
    write_run(tmp_path, "2026-11-21T10:00:00Z", 2_000.0, 1_600.0)
    write_run(tmp_path, "2026-11-21T11:00:00Z", 2_500.0, 1_000.0)
    (runs,) = read_runs(tmp_path).values()
    assert [run.figure.median for run in runs] == [2_000.0, 2_500.0, 3_000.0]
    assert row(runs) == (
        "| `credit_orders` | 2000 - 2500 - 3000 orders/s | 1000 - 1500 - 1600 orders/s "
        "| 1.25 - 2.00 - 2.50 | 3 | 1.4 |"
    )


def test_without_a_run_there_is_no_row(tmp_path: Path) -> None:
    assert read_runs(tmp_path) == {}
