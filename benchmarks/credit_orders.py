"""Credit orders per second over HTTP against the very statement of one order in pgbench.

A thousand accounts order the same tonnes of the default portfolio, each order with a key of its
own: over 64 HTTP connections from one API process, then from 64 clients of pgbench, on one server
at durable defaults. Both sides write the same rows, and every row is counted.
"""

import asyncio
import time
from pathlib import Path
from uuid import uuid4

import msgspec

from benchmarks import pgbench
from benchmarks.books import change, check_added, read_books
from benchmarks.customers import Customers, open_customers
from benchmarks.figures import Comparison, progress, take_turns
from benchmarks.http_load import HttpRun, find_wrk, post_orders
from benchmarks.stage import Stage, api_process, database_stage, verify_books
from benchmarks.statement import Recorded, pgbench_script, record_order

NAME = "credit_orders"
ACCOUNTS = 1_000
CONNECTIONS = 64
ROUNDS = 3
WARM_UP_SECONDS = 2
TURN_SECONDS = 4
SETTLE_SECONDS = 0.5
BODY = b'{"tons":0.45,"paymentMethod":"credits"}'


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """Both ways to place the recorded order, ready to run."""

    stage: Stage
    recorded: Recorded
    url: str
    tokens_file: Path
    body_file: Path
    script: Path


def measure() -> Comparison:
    """Run both sides in turn; raises `BenchmarkRefused` if an order failed or left a wrong row."""
    find_wrk()
    progress(f"{NAME}: starting a server and {ACCOUNTS} accounts")
    with database_stage() as stage:
        customers = open_customers(stage.database_url, ACCOUNTS)
        recorded = asyncio.run(record_order(stage.database_url, customers.accounts[0], BODY))
        with api_process(stage) as base_url:
            sides = _sides(stage, customers, recorded, base_url)
            progress("warming up")
            _order_over_http(sides, WARM_UP_SECONDS)
            _order_by_statement(sides, WARM_UP_SECONDS)
            over_http: list[HttpRun] = []

            def figure() -> float:
                over_http.append(_order_over_http(sides, TURN_SECONDS))
                return over_http[-1].answers_per_s

            figures, limits = take_turns(
                figure, lambda: _order_by_statement(sides, TURN_SECONDS), rounds=ROUNDS
            )
        progress("holding the books against each other")
        verify_books(stage)
        return Comparison(
            name=NAME,
            unit="orders/s",
            figures=figures,
            limits=limits,
            details=_details(recorded, over_http, read_books(stage.database_url).purchases),
        )


def _sides(stage: Stage, customers: Customers, recorded: Recorded, base_url: str) -> Sides:
    sides = Sides(
        stage=stage,
        recorded=recorded,
        url=f"{base_url}/api/offset-orders",
        tokens_file=stage.folder / "tokens",
        body_file=stage.folder / "body.json",
        script=stage.folder / "order.pgbench",
    )
    sides.tokens_file.write_text("\n".join(customers.tokens) + "\n", encoding="ascii")
    sides.body_file.write_bytes(BODY)
    sides.script.write_text(pgbench_script(recorded, customers.accounts), encoding="utf-8")
    return sides


def _order_over_http(sides: Sides, seconds: int) -> HttpRun:
    before = read_books(sides.stage.database_url)
    run = post_orders(
        sides.url,
        sides.tokens_file,
        sides.body_file,
        mark=uuid4().hex,
        connections=CONNECTIONS,
        seconds=seconds,
    )
    # wrk hangs up on what is under way at its end: these orders are carried out and not counted.
    time.sleep(SETTLE_SECONDS)
    check_added(
        change(before, read_books(sides.stage.database_url)),
        sides.recorded.placing.order,
        at_least=run.answers,
        at_most=run.answers + CONNECTIONS,
    )
    return run


def _order_by_statement(sides: Sides, seconds: int) -> float:
    before = read_books(sides.stage.database_url)
    run = pgbench.run_script(sides.stage, sides.script, clients=CONNECTIONS, seconds=seconds)
    check_added(
        change(before, read_books(sides.stage.database_url)),
        sides.recorded.placing.order,
        at_least=run.transactions,
        at_most=run.transactions,
    )
    return run.transactions_per_s


def _details(
    recorded: Recorded, over_http: list[HttpRun], purchases: int
) -> dict[str, int | list[float]]:
    return {
        "accounts": ACCOUNTS,
        "connections": CONNECTIONS,
        "turn_seconds": TURN_SECONDS,
        "lines_per_order": len(recorded.placing.order.quote.shares),
        "purchases_written": purchases,
        "answer_p50_ms": [run.p50_us / 1_000 for run in over_http],
        "answer_p99_ms": [run.p99_us / 1_000 for run in over_http],
    }
