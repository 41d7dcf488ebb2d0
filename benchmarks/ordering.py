"""Two ways to place one and the same order, over HTTP and as a bare statement, ready to be timed.

What must hold: both write the same rows, and after each turn every row of it is counted.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import msgspec

from benchmarks import pgbench
from benchmarks.books import BEGINNING, Books, change, check_added, read_books
from benchmarks.customers import Customers
from benchmarks.http_load import HttpRun, post_orders
from benchmarks.stage import Stage, api_process
from benchmarks.statement import Recorded, pgbench_script, record_order

CONNECTIONS = 64
WARM_UP_SECONDS = 2
TURN_SECONDS = 4
ROUNDS = 3
SETTLE_SECONDS = 0.5
BODY = b'{"tons":0.45,"paymentMethod":"credits"}'


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """Both ways to place the recorded order, ready to run."""

    stage: Stage
    recorded: Recorded
    since: UUID
    """Only rows from this id on are counted; what was stored before does not change."""
    url: str
    tokens_file: Path
    body_file: Path
    script: Path


@contextmanager
def open_sides(stage: Stage, customers: Customers, since: UUID = BEGINNING) -> Iterator[Sides]:
    """Record one order of the first customer and have the API serve the others."""
    recorded = asyncio.run(record_order(stage.database_url, customers.accounts[0], BODY))
    with api_process(stage) as api:
        sides = Sides(
            stage=stage,
            recorded=recorded,
            since=since,
            url=f"{api.base_url}/api/offset-orders",
            tokens_file=write_tokens(stage, customers),
            body_file=stage.folder / "body.json",
            script=stage.folder / "order.pgbench",
        )
        sides.body_file.write_bytes(BODY)
        sides.script.write_text(pgbench_script(recorded, customers.accounts), encoding="utf-8")
        yield sides


def write_tokens(stage: Stage, customers: Customers) -> Path:
    """A file with a token on each line, as wrk's part reads it."""
    path = stage.folder / "tokens"
    path.write_text("\n".join(customers.tokens) + "\n", encoding="ascii")
    return path


def order_over_http(sides: Sides, seconds: int, *, connections: int = CONNECTIONS) -> HttpRun:
    """Place orders for so many seconds; raises `BenchmarkRefused` if one left a wrong row."""
    before = read_books(sides.stage.database_url, sides.since)
    run = post_orders(
        sides.url,
        sides.tokens_file,
        sides.body_file,
        mark=uuid4().hex,
        connections=connections,
        seconds=seconds,
    )
    # wrk hangs up on what is under way at its end: these orders are carried out and not counted.
    time.sleep(SETTLE_SECONDS)
    check_added(
        change(before, read_books(sides.stage.database_url, sides.since)),
        sides.recorded.placing.order,
        at_least=run.answers,
        at_most=run.answers + connections,
    )
    return run


def order_by_statement(sides: Sides, seconds: int) -> float:
    """Run the statement from as many clients; gives orders per second."""
    before = read_books(sides.stage.database_url, sides.since)
    run = pgbench.run_script(sides.stage, sides.script, clients=CONNECTIONS, seconds=seconds)
    _check_transactions(sides, before, run)
    return run.transactions_per_s


def time_statement(sides: Sides, seconds: int) -> float:
    """Run the statement from one client; gives the median time of an order in ms."""
    before = read_books(sides.stage.database_url, sides.since)
    run, median_ms = pgbench.time_script(sides.stage, sides.script, seconds=seconds)
    _check_transactions(sides, before, run)
    return median_ms


def _check_transactions(sides: Sides, before: Books, run: pgbench.PgbenchRun) -> None:
    check_added(
        change(before, read_books(sides.stage.database_url, sides.since)),
        sides.recorded.placing.order,
        at_least=run.transactions,
        at_most=run.transactions,
    )
