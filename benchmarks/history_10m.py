"""Credit orders with very many stored against credit orders on an empty database.

Two servers and an API process for each; while one side is measured the other one rests. A house
with a long history should sell as fast as one that has just opened.
"""

from contextlib import ExitStack

from benchmarks.books import read_books
from benchmarks.credit_orders import ACCOUNTS, response_times
from benchmarks.customers import open_customers
from benchmarks.figures import Comparison, progress, take_turns
from benchmarks.history import AGE, MONTHS, History, offset_patterns, stored_size, write_history
from benchmarks.http_load import HttpRun, find_wrk
from benchmarks.ordering import (
    CONNECTIONS,
    ROUNDS,
    TURN_SECONDS,
    WARM_UP_SECONDS,
    Sides,
    open_sides,
    order_over_http,
)
from benchmarks.product import read_catalogue
from benchmarks.stage import Stage, database_stage, verify_books
from fieldfare.db.ids import new_id

NAME = "history_10m"
MASSES_MG = (450_000_000, 123_456_789, 2_000_000_000)


def measure() -> Comparison:
    """Run both houses in turn; raises `BenchmarkRefused` if an order failed or left a wrong row."""
    find_wrk()
    stored = stored_size()
    progress(f"{NAME}: starting two servers and storing {stored:,} orders in one")
    with ExitStack() as opened:
        old, empty = (opened.enter_context(database_stage(months_past=MONTHS)) for _ in range(2))
        old_sides, stored_s = _open_old(opened, old, stored)
        customers = open_customers(empty.database_url, ACCOUNTS, age=AGE)
        empty_sides = opened.enter_context(open_sides(empty, customers))
        progress("warming up")
        for sides in (old_sides, empty_sides):
            order_over_http(sides, WARM_UP_SECONDS)
        runs: list[HttpRun] = []

        def figure() -> float:
            runs.append(order_over_http(old_sides, TURN_SECONDS))
            return runs[-1].answers_per_s

        figures, limits = take_turns(
            figure,
            lambda: order_over_http(empty_sides, TURN_SECONDS).answers_per_s,
            rounds=ROUNDS,
        )
        progress("holding the books against each other")
        verified_s = verify_books(old.database_url)
        verify_books(empty.database_url)
        return Comparison(
            name=NAME,
            unit="orders/s",
            figures=figures,
            limits=limits,
            details={
                "stored": stored,
                "stored_s": round(stored_s, 1),
                "accounts": ACCOUNTS,
                "connections": CONNECTIONS,
                "turn_seconds": TURN_SECONDS,
                "purchases": read_books(old.database_url).purchases,
                "verified_s": round(verified_s, 1),
                **response_times(runs),
            },
        )


def _open_old(opened: ExitStack, stage: Stage, orders: int) -> tuple[Sides, float]:
    """The house with a history, and the seconds that it took to write it."""
    customers = open_customers(stage.database_url, ACCOUNTS, age=AGE)
    patterns = offset_patterns(read_catalogue(stage.database_url), MASSES_MG)
    stored_s = write_history(
        stage.database_url,
        History(accounts=customers.accounts, orders=orders, patterns=patterns),
    )
    # What is stored already is not counted anew after each turn.
    return opened.enter_context(open_sides(stage, customers, since=new_id())), stored_s
