"""Credit orders per second over HTTP against the very statement of one order in pgbench.

Accounts order the same tonnes of the default portfolio, each order with a key of its own: over 64
HTTP connections, then from 64 clients of pgbench, on one server at durable defaults. Both sides
write the same rows, and every row is counted. With a thousand accounts orders seldom meet; with a
single one, each waits for the wallet that the one before it holds.
"""

from functools import partial

from benchmarks.books import read_books
from benchmarks.customers import open_customers
from benchmarks.figures import Comparison, progress, take_turns
from benchmarks.http_load import HttpRun, find_wrk
from benchmarks.ordering import (
    CONNECTIONS,
    ROUNDS,
    TURN_SECONDS,
    WARM_UP_SECONDS,
    open_sides,
    order_by_statement,
    order_over_http,
)
from benchmarks.stage import database_stage, verify_books

NAME = "credit_orders"
ONE_ACCOUNT_NAME = "credit_orders_one_account"
ACCOUNTS = 1_000


def measure(name: str = NAME, accounts: int = ACCOUNTS) -> Comparison:
    """Run both sides in turn; raises `BenchmarkRefused` if an order failed or left a wrong row."""
    find_wrk()
    progress(f"{name}: starting a server and opening accounts: {accounts}")
    with database_stage() as stage:
        customers = open_customers(stage.database_url, accounts)
        with open_sides(stage, customers) as sides:
            progress("warming up")
            order_over_http(sides, WARM_UP_SECONDS)
            order_by_statement(sides, WARM_UP_SECONDS)
            over_http: list[HttpRun] = []

            def figure() -> float:
                over_http.append(order_over_http(sides, TURN_SECONDS))
                return over_http[-1].answers_per_s

            figures, limits = take_turns(
                figure, lambda: order_by_statement(sides, TURN_SECONDS), rounds=ROUNDS
            )
        progress("holding the books against each other")
        verified_s = verify_books(stage.database_url)
        return Comparison(
            name=name,
            unit="orders/s",
            figures=figures,
            limits=limits,
            details={
                "accounts": accounts,
                "connections": CONNECTIONS,
                "turn_seconds": TURN_SECONDS,
                "lines_per_order": len(sides.recorded.placing.order.quote.shares),
                "purchases_written": read_books(stage.database_url).purchases,
                "verified_s": round(verified_s, 1),
                **response_times(over_http),
            },
        )


measure_one_account = partial(measure, ONE_ACCOUNT_NAME, 1)


def response_times(runs: list[HttpRun]) -> dict[str, list[float]]:
    """Milliseconds from a request to its answer, turn by turn."""
    return {
        "answer_p50_ms": [run.p50_us / 1_000 for run in runs],
        "answer_p99_ms": [run.p99_us / 1_000 for run in runs],
    }
