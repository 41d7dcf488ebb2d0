"""An account's totals with its rank among very many, against one look-up by key over HTTP.

Each account of a million has one order, most of them of a mass that no other has. Lists are asked
for one row, so that what a request costs is its totals and its rank; the other side asks for the
balance, which is one row found by its key. Both come with a token, out of a thousand.
"""

import urllib.request

import msgspec

from benchmarks.credit_orders import response_times
from benchmarks.customers import Customers, open_customers
from benchmarks.figures import Comparison, progress, take_turns
from benchmarks.history import (
    AGE,
    MONTHS,
    History,
    offset_patterns,
    stored_size,
    write_history,
)
from benchmarks.http_load import HttpRun, fetch, find_wrk
from benchmarks.ordering import CONNECTIONS, ROUNDS, TURN_SECONDS, WARM_UP_SECONDS, write_tokens
from benchmarks.product import read_catalogue, refresh_ranking_now
from benchmarks.refusal import BenchmarkRefused
from benchmarks.stage import Stage, api_process, database_stage, verify_books

NAME = "rank_10m"
MOST_MASSES = 1_000_000
LEAST_MASS_MG, MASS_STEP_MG = 100_000_000, 1_001
PORTFOLIO_ID = 2
"""One project that counts towards the rank, so that an order is one line."""
CENTS = 10_000_000


def measure() -> Comparison:
    """Ask both in turn; raises `BenchmarkRefused` if an answer failed or has no rank."""
    find_wrk()
    accounts = stored_size()
    progress(f"{NAME}: starting a server and opening accounts: {accounts:,}")
    with database_stage(months_past=MONTHS) as stage:
        customers = _store(stage, accounts)
        ranked_s = refresh_ranking_now(stage.database_url)
        tokens_file = write_tokens(stage, customers)
        runs: list[HttpRun] = []
        with api_process(stage) as api:
            rank_url = f"{api.base_url}/api/offset-orders?limit=1"
            balance_url = f"{api.base_url}/api/credits/balance"
            _check_ranks(rank_url, customers)

            def ask(url: str, seconds: int = TURN_SECONDS) -> HttpRun:
                return fetch(url, tokens_file, connections=CONNECTIONS, seconds=seconds)

            def figure() -> float:
                runs.append(ask(rank_url))
                return runs[-1].answers_per_s

            progress("warming up")
            for url in (rank_url, balance_url):
                ask(url, WARM_UP_SECONDS)
            figures, limits = take_turns(
                figure, lambda: ask(balance_url).answers_per_s, rounds=ROUNDS
            )
        progress("holding the books against each other")
        verified_s = verify_books(stage.database_url)
        return Comparison(
            name=NAME,
            unit="requests/s",
            figures=figures,
            limits=limits,
            details={
                "accounts": accounts,
                "masses": min(accounts, MOST_MASSES),
                "ranking_refreshed_s": round(ranked_s, 1),
                "verified_s": round(verified_s, 1),
                **response_times(runs),
            },
        )


def _store(stage: Stage, accounts: int) -> Customers:
    """An order of each account, of every mass in turn."""
    customers = open_customers(stage.database_url, accounts, age=AGE, cents=CENTS)
    masses_mg = [
        LEAST_MASS_MG + MASS_STEP_MG * number for number in range(min(accounts, MOST_MASSES))
    ]
    patterns = offset_patterns(read_catalogue(stage.database_url), masses_mg, PORTFOLIO_ID)
    write_history(
        stage.database_url,
        History(accounts=customers.accounts, orders=accounts, patterns=patterns),
    )
    return customers


def _check_ranks(url: str, customers: Customers) -> None:
    """The last customer has the largest mass of all, and the first the smallest."""
    first, last = (_rank(url, token) for token in (customers.tokens[0], customers.tokens[-1]))
    if not 1 <= last < first <= len(customers.accounts):
        raise BenchmarkRefused(f"the ranks of the first and last customers are {first} and {last}")


def _rank(url: str, token: str) -> int:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        rank: int = msgspec.json.decode(answer.read())["stats"]["rank"]
    return rank
