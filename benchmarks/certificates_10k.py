"""10,000 certificates as PDF by the product, against typst alone making the same documents.

Each process of the product does what a request does: it looks an order up, issues an edition, signs
it, lays it out and has it set. The limit gets the sheets ready made and only sets them, in as many
processes. What must hold: both sides make the same bytes, for every certificate.
"""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

import psycopg

from benchmarks.certificate_processes import Made, begin, make_by_product, make_by_typst
from benchmarks.customers import open_customers
from benchmarks.figures import Comparison, progress, take_turns
from benchmarks.history import AGE, MONTHS, History, offset_patterns, size_of, write_history
from benchmarks.product import read_catalogue
from benchmarks.refusal import BenchmarkRefused
from benchmarks.stage import database_stage, verify_books

NAME = "certificates_10k"
CERTIFICATES = 10_000
ACCOUNTS = 100
ROUNDS = 3
WARM_UP = 10
MASSES_MG = (450_000_000, 123_456_789, 2_000_000_000)

Side = Callable[[str, Sequence[str]], Made]


def measure() -> Comparison:
    """Make them in turn; raises `BenchmarkRefused` if the sides differ in a byte."""
    total = size_of(CERTIFICATES)
    processes = len(os.sched_getaffinity(0))
    progress(f"{NAME}: starting a server and storing {total:,} orders")
    with database_stage(months_past=MONTHS) as stage:
        customers = open_customers(stage.database_url, ACCOUNTS, age=AGE)
        patterns = offset_patterns(read_catalogue(stage.database_url), MASSES_MG)
        write_history(
            stage.database_url,
            History(
                accounts=customers.accounts, orders=total + processes * WARM_UP, patterns=patterns
            ),
        )
        slugs = _list_slugs(stage.database_url)
        warm_up, rest = slugs[: processes * WARM_UP], slugs[processes * WARM_UP :]
        turns = [rest[turn::ROUNDS] for turn in range(ROUNDS)]
        made: list[list[Made]] = []
        with _pool(processes) as pool:

            def run(side: Side, of: Sequence[str]) -> float:
                parts = [of[part::processes] for part in range(processes)]
                jobs = [pool.submit(side, stage.database_url, part) for part in parts]
                made.append([job.result() for job in jobs])
                return len(of) / max(one.seconds for one in made[-1])

            progress("warming up")
            for side in (make_by_product, make_by_typst):
                run(side, warm_up)
            by_product, by_typst = iter(turns), iter(turns)
            figures, limits = take_turns(
                lambda: run(make_by_product, next(by_product)),
                lambda: run(make_by_typst, next(by_typst)),
                rounds=ROUNDS,
            )
        _check(made)
        verify_books(stage.database_url)
        return Comparison(
            name=NAME,
            unit="certificates/s",
            figures=figures,
            limits=limits,
            details={
                "certificates": total,
                "processes": processes,
                "cpu_ms_each": {
                    "product": _cpu_ms_each(made[2::2]),
                    "typst": _cpu_ms_each(made[3::2]),
                },
            },
        )


def _pool(processes: int) -> ProcessPoolExecutor:
    # Not forked: a process that has threads cannot be.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(
        processes, mp_context=context, initializer=begin, initargs=(context.Barrier(processes),)
    )


def _list_slugs(database_url: str) -> list[str]:
    with psycopg.connect(database_url) as conn:
        rows = conn.execute("select slug from orders.certificate_slug order by slug").fetchall()
    return [slug.hex for (slug,) in rows]


def _cpu_ms_each(turns: Sequence[Sequence[Made]]) -> float:
    """Of the processes that make certificates, the database's not counted."""
    parts = [one for turn in turns for one in turn]
    cpu_s = sum(one.cpu_seconds for one in parts)
    return round(1000 * cpu_s / sum(one.documents for one in parts), 2)


def _check(made: Sequence[Sequence[Made]]) -> None:
    """Turns stand in pairs: the product's, then typst's."""
    for product, typst in zip(made[::2], made[1::2], strict=True):
        if [one.digest for one in product] != [one.digest for one in typst]:
            raise BenchmarkRefused("the product's certificates are not those that typst made")
