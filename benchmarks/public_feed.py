"""Requests for the public feed per second, against a server that answers a constant of that size.

The feed is full and the same for everybody; the constant comes from the same kind of server, in as
many processes, with nothing behind it. What must hold: each answer has the whole feed.
"""

import urllib.request

import msgspec

from benchmarks.constant import constant_server
from benchmarks.credit_orders import response_times
from benchmarks.customers import open_customers
from benchmarks.figures import Comparison, progress, take_turns
from benchmarks.history import AGE, MONTHS, History, offset_patterns, write_history
from benchmarks.http_load import HttpRun, fetch, find_wrk
from benchmarks.list_million import MASSES_MG
from benchmarks.memory import count_workers
from benchmarks.ordering import CONNECTIONS, ROUNDS, TURN_SECONDS, WARM_UP_SECONDS
from benchmarks.product import read_catalogue, rebuild_feed_now
from benchmarks.refusal import BenchmarkRefused
from benchmarks.stage import api_process, database_stage, verify_books
from fieldfare.impact.service.feed import FEED_ROWS

NAME = "public_feed"
ACCOUNTS = 100
ORDERS = 1_000


def measure() -> Comparison:
    """Fetch both in turn; raises `BenchmarkRefused` if an answer failed or was cut short."""
    find_wrk()
    progress(f"{NAME}: starting a server and storing {ORDERS:,} orders")
    with database_stage(months_past=MONTHS) as stage:
        customers = open_customers(stage.database_url, ACCOUNTS, age=AGE)
        patterns = offset_patterns(read_catalogue(stage.database_url), MASSES_MG)
        write_history(
            stage.database_url,
            History(accounts=customers.accounts, orders=ORDERS, patterns=patterns),
        )
        rebuild_feed_now(stage.database_url)
        with api_process(stage) as api:
            url = f"{api.base_url}/api/offset-orders/public"
            body = _read_feed(url)
            processes = count_workers(api.pid)
            with constant_server(stage, body, processes=processes) as constant_url:
                progress("warming up")
                for address in (url, constant_url):
                    _fetch(address, body, WARM_UP_SECONDS)
                runs: list[HttpRun] = []

                def figure() -> float:
                    runs.append(_fetch(url, body, TURN_SECONDS))
                    return runs[-1].answers_per_s

                figures, limits = take_turns(
                    figure,
                    lambda: _fetch(constant_url, body, TURN_SECONDS).answers_per_s,
                    rounds=ROUNDS,
                )
        verify_books(stage.database_url)
        return Comparison(
            name=NAME,
            unit="requests/s",
            figures=figures,
            limits=limits,
            details={
                "body_bytes": len(body),
                "processes": processes,
                "connections": CONNECTIONS,
                "turn_seconds": TURN_SECONDS,
                **response_times(runs),
            },
        )


def _read_feed(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
    entries = len(msgspec.json.decode(body))
    if entries != FEED_ROWS:
        raise BenchmarkRefused(f"the feed has {entries} entries, and it should have {FEED_ROWS}")
    return body


def _fetch(url: str, body: bytes, seconds: int) -> HttpRun:
    run = fetch(url, connections=CONNECTIONS, seconds=seconds)
    if run.bytes < run.answers * len(body):
        raise BenchmarkRefused(f"{run.answers} answers came in {run.bytes} bytes, each {len(body)}")
    return run
