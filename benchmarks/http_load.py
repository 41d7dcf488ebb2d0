"""Load over HTTP from `wrk`, a client that costs next to nothing beside what it measures.

A client in Python would be the slower side and measure itself. What must hold: every answer of a
run is a success, or there is no rate.
"""

import os
import shutil
import subprocess
from pathlib import Path

import msgspec

from benchmarks.figures import progress
from benchmarks.refusal import BenchmarkRefused

TIMEOUT_SECONDS = 10
"""An answer that takes longer counts as broken; at 64 connections it takes a few milliseconds."""
SCRIPT = Path(__file__).with_name("requests.lua")


class HttpRun(msgspec.Struct, frozen=True, kw_only=True):
    """What `requests.lua` prints at its end; `refused` counts statuses from 400 up."""

    answers: int
    duration_us: int
    p50_us: int
    p99_us: int
    refused: int
    broken: int
    bytes: int
    """Of all answers, with their headers."""

    @property
    def answers_per_s(self) -> float:
        """The rate of the run."""
        return self.answers / self.duration_us * 1_000_000


def find_wrk() -> str:
    """The path of `wrk`, installed if we are root on Debian; raises `BenchmarkRefused`."""
    found = shutil.which("wrk")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        progress("Installing wrk")
        _apt_get("update", "-qq")
        _apt_get("install", "-y", "-qq", "--no-install-recommends", "wrk")
        found = shutil.which("wrk")
    if found is None:
        raise BenchmarkRefused(
            "wrk, which sends the requests, is not installed; install it with "
            "`sudo apt-get install wrk` or `brew install wrk` and run this again"
        )
    return found


def post_orders(
    url: str, tokens_file: Path, body_file: Path, *, mark: str, connections: int, seconds: int
) -> HttpRun:
    """Send orders for so many seconds; `mark` is in every key and new in each run.

    Raises `BenchmarkRefused` unless each was answered with a success.
    """
    return _run_wrk(url, connections, seconds, str(tokens_file), str(body_file), mark)


def fetch(url: str, tokens_file: Path | None = None, *, connections: int, seconds: int) -> HttpRun:
    """Get an address over and over, each time with one of the tokens, if any are given.

    Raises `BenchmarkRefused` unless each was answered with a success.
    """
    return _run_wrk(url, connections, seconds, str(tokens_file or "-"), "-", "-")


def _run_wrk(url: str, connections: int, seconds: int, *arguments: str) -> HttpRun:
    ran = subprocess.run(
        [
            find_wrk(),
            "--threads=1",
            f"--connections={connections}",
            f"--duration={seconds}s",
            f"--timeout={TIMEOUT_SECONDS}s",
            f"--script={SCRIPT}",
            url,
            "--",
            *arguments,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        raise BenchmarkRefused(f"wrk failed:\n{ran.stdout}{ran.stderr}")
    return read_output(ran.stdout)


def read_output(output: str) -> HttpRun:
    """The run that `requests.lua` tells of; raises `BenchmarkRefused` if it is worth nothing."""
    try:
        run = msgspec.json.decode(output.strip().rpartition("\n")[2], type=HttpRun)
    except msgspec.DecodeError as error:
        raise BenchmarkRefused(f"wrk's output cannot be read ({error}):\n{output}") from error
    if run.refused or run.broken or not run.answers:
        raise BenchmarkRefused(
            f"of {run.answers} requests {run.refused} were refused and {run.broken} broke off"
        )
    return run


def _apt_get(*arguments: str) -> None:
    subprocess.run(
        ["apt-get", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdout=subprocess.DEVNULL,
        check=False,
    )
