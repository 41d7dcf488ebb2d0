"""One credit order at a time: its time over HTTP against that of the bare statement.

Nothing else is at work, so this is what an order costs by itself: a round trip, the statement and
its commit. Both figures are medians of single orders, and less is better.
"""

from benchmarks.credit_orders import ACCOUNTS, response_times
from benchmarks.customers import open_customers
from benchmarks.figures import Comparison, progress, take_turns
from benchmarks.http_load import HttpRun, find_wrk
from benchmarks.ordering import (
    ROUNDS,
    TURN_SECONDS,
    WARM_UP_SECONDS,
    open_sides,
    order_over_http,
    time_statement,
)
from benchmarks.stage import database_stage, verify_books

NAME = "order_latency_idle"


def measure() -> Comparison:
    """Time both sides in turn; raises `BenchmarkRefused` if an order failed."""
    find_wrk()
    progress(f"{NAME}: starting a server and opening accounts: {ACCOUNTS}")
    with database_stage() as stage:
        customers = open_customers(stage.database_url, ACCOUNTS)
        with open_sides(stage, customers) as sides:
            progress("warming up")
            order_over_http(sides, WARM_UP_SECONDS, connections=1)
            time_statement(sides, WARM_UP_SECONDS)
            over_http: list[HttpRun] = []

            def figure() -> float:
                over_http.append(order_over_http(sides, TURN_SECONDS, connections=1))
                return over_http[-1].p50_us / 1_000

            figures, limits = take_turns(
                figure, lambda: time_statement(sides, TURN_SECONDS), rounds=ROUNDS
            )
        progress("holding the books against each other")
        verify_books(stage.database_url)
        return Comparison(
            name=NAME,
            unit="ms",
            figures=figures,
            limits=limits,
            details={
                "orders_timed": sum(run.answers for run in over_http),
                "turn_seconds": TURN_SECONDS,
                **response_times(over_http),
            },
        )
