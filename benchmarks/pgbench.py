"""PostgreSQL's own load generator: how fast a statement can be on this server without a product.

What must hold: no transaction of a run failed, and its sessions are set as the product's are.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from statistics import median

import msgspec
from psycopg.conninfo import conninfo_to_dict

from benchmarks.refusal import BenchmarkRefused
from benchmarks.stage import Stage

_LIBPQ_NAMES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
}


class PgbenchRun(msgspec.Struct, frozen=True):
    """What pgbench says of a run; the rate leaves out the time it took to connect."""

    transactions: int
    transactions_per_s: float


def run_script(
    stage: Stage, script: Path, *, clients: int, seconds: int, log_prefix: Path | None = None
) -> PgbenchRun:
    """Run a script's transactions for so many seconds; raises `BenchmarkRefused` if one fails.

    With a prefix the time of each is logged into a file whose name begins with it.
    """
    logging = [] if log_prefix is None else ["--log", f"--log-prefix={log_prefix}"]
    ran = subprocess.run(
        [
            stage.programs / "pgbench",
            "--no-vacuum",
            "--protocol=prepared",
            f"--client={clients}",
            "--jobs=1",
            f"--time={seconds}",
            f"--file={script}",
            *logging,
        ],
        env=session_environment(stage.database_url),
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        raise BenchmarkRefused(f"pgbench failed:\n{ran.stdout}{ran.stderr}")
    return read_output(ran.stdout)


def read_output(output: str) -> PgbenchRun:
    """The run that pgbench tells of; raises `BenchmarkRefused` if it is worth nothing."""
    numbers = [
        re.search(pattern, output, re.MULTILINE)
        for pattern in (
            r"^number of transactions actually processed: (\d+)",
            r"^number of failed transactions: (\d+)",
            r"^tps = ([\d.]+) \(without initial connection time\)",
        )
    ]
    if None in numbers:
        raise BenchmarkRefused(f"pgbench's output cannot be read:\n{output}")
    processed, failed, rate = (found.group(1) for found in numbers if found is not None)
    if int(failed) or not int(processed):
        raise BenchmarkRefused(f"of {processed} transactions of pgbench {failed} failed")
    return PgbenchRun(int(processed), float(rate))


def time_script(stage: Stage, script: Path, *, seconds: int) -> tuple[PgbenchRun, float]:
    """Run one client, one transaction after the other; also gives their median time in ms."""
    with tempfile.TemporaryDirectory(dir=stage.folder) as folder:
        prefix = Path(folder) / "log"
        run = run_script(stage, script, clients=1, seconds=seconds, log_prefix=prefix)
        (log,) = Path(folder).iterdir()
        times_us = read_log(log.read_text(encoding="ascii"))
    if len(times_us) != run.transactions:
        raise BenchmarkRefused(f"pgbench ran {run.transactions} and logged {len(times_us)}")
    return run, median(times_us) / 1_000


def read_log(log: str) -> list[int]:
    """The time of each transaction in µs: the third number of a line, after client and count."""
    return [int(line.split()[2]) for line in log.splitlines()]


def session_environment(database_url: str) -> dict[str, str]:
    """For PostgreSQL's own clients: where the server is, and sessions set as the product's."""
    # By the environment: a command line is everybody's to read, and the password stands in the URL.
    login = conninfo_to_dict(database_url)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    named = {variable: str(login[name]) for name, variable in _LIBPQ_NAMES.items() if name in login}
    return {**kept, **named, "PGOPTIONS": "-c jit=off -c timezone=UTC"}
