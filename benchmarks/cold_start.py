"""Seconds from `fieldfare up` in an empty folder to the answer to a first order.

The virtual environment is there, and nothing else: database, schema, catalogue, demo accounts and
all processes are made on the way. The order is the one that `up` prints, from credits.
"""

import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import msgspec

from benchmarks.figures import Comparison, progress
from benchmarks.ordering import BODY
from benchmarks.refusal import BenchmarkRefused
from benchmarks.stage import PRODUCT, end_process, product_environment, verify_books
from fieldfare.db import embedded
from fieldfare.db.embedded.children import log_tail, open_log, signal_at_parent_death
from fieldfare.settings import DEFAULT_HOME

NAME = "cold_start"
LIMIT_SECONDS = 10.0
ROUNDS = 3
GIVE_UP_SECONDS = 120.0
PORTS = 5
"""The API's and those of the demo's other parts, one after the other."""
_LOOK_SECONDS = 0.01


class Demo(msgspec.Struct, frozen=True):
    """Of `demo.json`, what a first order takes."""

    base_url: str
    live_token: str
    database_url: str


def measure() -> Comparison:
    """Start in an empty folder, a few times; raises `BenchmarkRefused` if no order is answered."""
    seconds = []
    for turn in range(1, ROUNDS + 1):
        seconds.append(_start_once())
        progress(f"  turn {turn} of {ROUNDS}: {seconds[-1]:.2f} s")
    return Comparison(
        name=NAME,
        unit="s",
        figures=tuple(seconds),
        limits=(LIMIT_SECONDS,) * ROUNDS,
    )


def _start_once() -> float:
    parent = Path(DEFAULT_HOME).absolute()
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=parent) as name:
        home, log_path = Path(name) / "home", Path(name) / "up.log"
        # As a user gets it; where to listen and to keep things is all that is said.
        environment = {
            **product_environment(""),
            "FIELDFARE_HOME": str(home),
            "FIELDFARE_PORT": str(embedded.free_port(PORTS)),
        }
        del environment["DATABASE_URL"]
        with open_log(log_path) as log:
            started = time.monotonic()
            process = subprocess.Popen(
                [*PRODUCT, "up"],
                env=environment,
                stdout=log,
                stderr=log,
                preexec_fn=signal_at_parent_death(signal.SIGTERM),
            )
        try:
            demo = _wait_for_demo(process, home / "demo.json", log_path)
            _order(demo)
            seconds = time.monotonic() - started
            verify_books(demo.database_url)
        finally:
            end_process(process)
    return seconds


def _wait_for_demo(process: subprocess.Popen[bytes], path: Path, log_path: Path) -> Demo:
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists():
            return msgspec.json.decode(path.read_bytes(), type=Demo)
        time.sleep(_LOOK_SECONDS)
    raise BenchmarkRefused(f"`fieldfare up` does not come up; its log:\n{log_tail(log_path)}")


def _order(demo: Demo) -> None:
    request = urllib.request.Request(
        f"{demo.base_url}/api/offset-orders",
        data=BODY,
        headers={
            "Authorization": f"Bearer {demo.live_token}",
            "Content-Type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()
    except urllib.error.URLError as error:
        raise BenchmarkRefused(f"the first order was not answered: {error}") from error
