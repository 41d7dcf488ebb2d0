"""What the two load generators say, and that a run with a failure in it gives no rate."""

import pytest

from benchmarks import http_load, pgbench
from benchmarks.refusal import BenchmarkRefused

PGBENCH = """\
pgbench (18.1)
transaction type: order.pgbench
query mode: prepared
number of clients: 64
duration: 4 s
number of transactions actually processed: 20321
number of failed transactions: 0 (0.000%)
latency average = 12.544 ms
initial connection time = 71.262 ms
tps = 5102.123456 (without initial connection time)
"""
WRK = """\
Running 4s test @ http://127.0.0.1:20000/api/offset-orders
  1 threads and 64 connections
Requests/sec:   1200.50
{"answers":4802,"duration_us":4001000,"p50_us":51000,"p99_us":90000,"refused":0,"broken":0}
"""


def test_pgbench_is_read() -> None:
    assert pgbench.read_output(PGBENCH) == pgbench.PgbenchRun(20_321, 5_102.123456)


@pytest.mark.parametrize(
    ("sound", "unsound"),
    [
        ("failed transactions: 0", "failed transactions: 1"),
        ("actually processed: 20321", "actually processed: 0"),
        ("tps = ", "speed = "),
    ],
)
def test_pgbench_gives_no_rate(sound: str, unsound: str) -> None:
    with pytest.raises(BenchmarkRefused):
        pgbench.read_output(PGBENCH.replace(sound, unsound))


def test_wrk_is_read() -> None:
    run = http_load.read_output(WRK)
    assert run.answers == 4_802
    assert run.answers_per_s == pytest.approx(1_200.2, abs=0.05)


@pytest.mark.parametrize(
    ("sound", "unsound"),
    [
        ('"refused":0', '"refused":1'),
        ('"broken":0', '"broken":2'),
        ('"answers":4802', '"answers":0'),
        ('{"answers"', "nothing"),
    ],
)
def test_wrk_gives_no_rate(sound: str, unsound: str) -> None:
    with pytest.raises(BenchmarkRefused):
        http_load.read_output(WRK.replace(sound, unsound))
