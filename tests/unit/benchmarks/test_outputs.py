"""What other programs say of a run, and that one with a failure in it gives no rate."""

from pathlib import Path

import pytest

from benchmarks import http_load, list_million, memory, pgbench
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
{"answers":4802,"duration_us":4001000,"p50_us":51000,"p99_us":90000,"refused":0,"broken":0,"bytes":960400}
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
    assert run.bytes == 960_400
    assert run.answers_per_s == pytest.approx(1_200.2, abs=0.05)


@pytest.mark.parametrize(
    ("sound", "unsound"),
    [
        ('"refused":0', '"refused":1'),
        ('"broken":0', '"broken":2'),
        ('"answers":4802', '"answers":0'),
        ('{"answers"', "nothing"),
        (',"bytes":960400', ""),
    ],
)
def test_wrk_gives_no_rate(sound: str, unsound: str) -> None:
    with pytest.raises(BenchmarkRefused):
        http_load.read_output(WRK.replace(sound, unsound))


def test_pgbench_logs_the_time_of_each_transaction() -> None:
    log = "0 1 987 0 1795300000 123456\n0 2 1203 0 1795300000 124800\n"
    assert pgbench.read_log(log) == [987, 1_203]


def test_the_kernel_s_account_of_memory_is_read() -> None:
    status = "Name:\tfieldfare\nVmHWM:\t  118000 kB\nVmRSS:\t  100004 kB\nThreads:\t3\n"
    assert memory.read_status(status, "VmRSS") == 100_004 * 1_024
    assert memory.read_status(status, "VmHWM") == 118_000 * 1_024
    with pytest.raises(BenchmarkRefused):
        memory.read_status(status, "VmSwap")


def test_marks_are_counted_across_the_pieces_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    # The second one begins two bytes before a piece ends.
    piece = list_million.PIECE_BYTES
    path.write_bytes(b"<row>".ljust(piece - 2, b".") + b"<row>" + b"." * piece + b"<row")
    assert list_million.count_marks(path, b"<row>") == 2
