"""The time that an accepted order takes while twice as many come as can be carried out.

64 connections show what the machine carries; then twice as many orders come a second, whatever
becomes of those before them. Many are refused, with 503 and Retry-After; each accepted order is in
the books, and nothing else is.
"""

import subprocess
import time
from pathlib import Path
from uuid import uuid4

import msgspec

from benchmarks.books import change, check_added, read_books
from benchmarks.customers import open_customers
from benchmarks.figures import Comparison, progress
from benchmarks.http_load import TIMEOUT_SECONDS, find_wrk
from benchmarks.ordering import CONNECTIONS, WARM_UP_SECONDS, Sides, open_sides, order_over_http
from benchmarks.refusal import BenchmarkRefused
from benchmarks.stage import database_stage, verify_books

NAME = "overload"
ACCOUNTS = 1_000
ROUNDS = 3
TURN_SECONDS = 6
TIMES = 2
"""As many as can be carried."""
HELD_SECONDS = 2
"""For at most so long is a connection taken by one order, so that there must be as many of them."""
SETTLE_SECONDS = 2.0
LIMIT_MS = 1_000.0
SCRIPT = Path(__file__).with_name("overload.lua")


class Rush(msgspec.Struct, frozen=True, kw_only=True):
    """What `overload.lua` prints at its end: of the accepted, (milliseconds, answers)."""

    taken: list[tuple[int, int]]
    refused: int
    wrong: int
    broken: int
    duration_us: int

    @property
    def accepted(self) -> int:
        """Orders that were answered with 200."""
        return sum(answers for _, answers in self.taken)

    @property
    def accepted_per_s(self) -> float:
        """Of these, per second."""
        return self.accepted / self.duration_us * 1_000_000

    @property
    def asked_per_s(self) -> float:
        """Orders answered in any way, per second."""
        return (self.accepted + self.refused) / self.duration_us * 1_000_000

    def percentile_ms(self, percent: int) -> int:
        """The time within which so many of the accepted were answered."""
        seen = 0
        for took_ms, answers in sorted(self.taken):
            seen += answers
            if seen * 100 >= self.accepted * percent:
                return took_ms
        raise BenchmarkRefused("no order was accepted")


def measure() -> Comparison:
    """Raises `BenchmarkRefused` if an order is lost."""
    find_wrk()
    progress(f"{NAME}: starting a server and {ACCOUNTS} accounts")
    with database_stage() as stage:
        customers = open_customers(stage.database_url, ACCOUNTS)
        with open_sides(stage, customers) as sides:
            order_over_http(sides, WARM_UP_SECONDS)
            turns = [_overload(sides) for _ in range(ROUNDS)]
        progress("holding the books against each other")
        verify_books(stage.database_url)
    return Comparison(
        name=NAME,
        unit="ms",
        figures=tuple(float(rush.percentile_ms(99)) for _, rush in turns),
        limits=(LIMIT_MS,) * ROUNDS,
        details={
            "carried_per_s": [carried for carried, _ in turns],
            "asked_per_s": [rush.asked_per_s for _, rush in turns],
            "accepted": [rush.accepted for _, rush in turns],
            "accepted_p50_ms": [rush.percentile_ms(50) for _, rush in turns],
            "refused": [rush.refused for _, rush in turns],
        },
    )


def _overload(sides: Sides) -> tuple[float, Rush]:
    """What is carried per second, and the run of all those who ask for more."""
    carried = _rush(sides, CONNECTIONS).accepted_per_s
    rate = round(TIMES * carried)
    rush = _rush(sides, HELD_SECONDS * rate, rate)
    progress(
        f"  {carried:.0f}/s can be carried, {rush.asked_per_s:.0f}/s asked for: "
        f"p99 of the accepted {rush.percentile_ms(99)} ms, {rush.refused} refused"
    )
    return carried, rush


def _rush(sides: Sides, connections: int, rate: int = 0) -> Rush:
    """A run of so many connections, at a rate of so many orders a second if one is given."""
    before = read_books(sides.stage.database_url, sides.since)
    ran = subprocess.run(
        [
            find_wrk(),
            "--threads=1",
            f"--connections={connections}",
            f"--duration={TURN_SECONDS}s",
            f"--timeout={TIMEOUT_SECONDS}s",
            f"--script={SCRIPT}",
            sides.url,
            "--",
            str(sides.tokens_file),
            str(sides.body_file),
            uuid4().hex,
            str(rate),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    rush = read_rush(ran.stdout + ran.stderr if ran.returncode else ran.stdout)
    # wrk hangs up on what is under way at its end: these orders are carried out and not counted.
    time.sleep(SETTLE_SECONDS)
    check_added(
        change(before, read_books(sides.stage.database_url, sides.since)),
        sides.recorded.placing.order,
        at_least=rush.accepted,
        at_most=rush.accepted + connections,
    )
    return rush


def read_rush(output: str) -> Rush:
    """The run that `overload.lua` tells of; raises `BenchmarkRefused` if it is worth nothing."""
    try:
        rush = msgspec.json.decode(output.strip().rpartition("\n")[2], type=Rush)
    except msgspec.DecodeError as error:
        raise BenchmarkRefused(f"wrk's output cannot be read ({error}):\n{output}") from error
    if rush.wrong or rush.broken or not rush.taken:
        raise BenchmarkRefused(
            f"beside {rush.accepted} accepted and {rush.refused} refused orders, {rush.wrong} were "
            f"answered otherwise and {rush.broken} broke off"
        )
    return rush
