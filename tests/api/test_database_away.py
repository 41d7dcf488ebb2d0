"""A database that is away or too busy: 503 with `Retry-After`, nothing half done, on it goes."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import psycopg
import pytest
from psycopg import sql

from fieldfare.settings import Settings
from tests.support.client import Api, assert_refused
from tests.support.databases import run_on_server
from tests.support.server import running_api
from tests.support.waiting import wait_until
from tests.support.world import LIVE_CENTS, make_world

PATH = "/api/offset-orders"
ORDER = {"tons": 0.45, "paymentMethod": "credits"}
ORDER_CENTS = 1040


@contextmanager
def away(api: Api, server_url: str) -> Iterator[None]:
    """Nobody can connect to the database, and whoever was connected is cut off."""
    name = psycopg.conninfo.conninfo_to_dict(api.database_url)["dbname"]
    run_on_server(server_url, f"alter database {name} allow_connections false")
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
        )
    try:
        yield
    finally:
        run_on_server(server_url, f"alter database {name} allow_connections true")


def assert_to_be_sent_again(answer: httpx.Response) -> None:
    """Check that an answer asks for patience."""
    assert_refused(answer, 503, "database_unavailable")
    assert int(answer.headers["retry-after"]) >= 1


def test_without_a_database_nothing_is_ordered_and_later_it_is(
    own_api: Api, server_url: str
) -> None:
    api = own_api
    with away(api, server_url):
        for _ in range(2):
            assert_to_be_sent_again(api.post(PATH, ORDER, key="k"))
        assert_to_be_sent_again(api.get(PATH))
        assert_to_be_sent_again(api.get("/api/credits/balance"))
        assert_to_be_sent_again(api.get("/api/purchases", limit=5))
        assert api.http.get("/readyz").status_code == 503
        assert api.http.get("/healthz").status_code == 200
    wait_until(lambda: api.post(PATH, ORDER, key="k").status_code == 200)
    again = api.post(PATH, ORDER, key="k")
    assert again.headers["idempotency-replayed"] == "true"
    assert api.balance() == LIVE_CENTS - ORDER_CENTS


@pytest.fixture
def narrow_api(database_url: str) -> Iterator[Api]:
    """An API with two connections to its database."""
    world = asyncio.run(make_world(database_url))
    settings = Settings(database_url=database_url, pool_size=2)
    with running_api(settings) as base_url, httpx.Client(base_url=base_url, timeout=30) as http:
        yield Api(base_url, database_url, world, http)


def test_who_finds_no_connection_in_time_is_asked_to_come_again(narrow_api: Api) -> None:
    api = narrow_api
    assert api.balance() == LIVE_CENTS
    with ThreadPoolExecutor(2) as clients, psycopg.connect(api.database_url) as rival:
        rival.execute("lock table ledger.wallet in access exclusive mode")
        reading = [clients.submit(api.balance) for _ in range(2)]
        wait_until(lambda: _waiting_for_a_lock(api) == 2)
        assert_to_be_sent_again(api.post(PATH, ORDER, key="c"))
        rival.rollback()
        assert [one.result(20) for one in reading] == [LIVE_CENTS, LIVE_CENTS]
    assert api.balance() == LIVE_CENTS
    assert api.post(PATH, ORDER, key="c").status_code == 200


def test_an_order_whose_wallet_is_held_too_long_makes_nothing_and_holds_up_no_other(
    own_api: Api,
) -> None:
    api = own_api
    lock = sql.SQL("select 1 from ledger.wallet where account_id = {} for update")
    with ThreadPoolExecutor(1) as clients, psycopg.connect(api.database_url) as rival:
        rival.execute(lock.format(api.world.team_id))
        held = clients.submit(api.post, PATH, ORDER, key="a")
        wait_until(lambda: _waiting_for_a_lock(api) == 1)
        other = api.post(PATH, ORDER, token=api.world.second_token)
        assert (other.status_code, held.done()) == (200, False)
        assert_to_be_sent_again(held.result(20))
        rival.rollback()
    assert api.balance() == LIVE_CENTS
    assert api.post(PATH, ORDER, key="a").status_code == 200
    assert api.balance() == LIVE_CENTS - ORDER_CENTS


def _waiting_for_a_lock(api: Api) -> int:
    with psycopg.connect(api.database_url) as conn:
        (row,) = conn.execute(
            "select count(*) from pg_stat_activity"
            " where datname = current_database() and wait_event_type = 'Lock'"
        ).fetchall()
        return int(row[0])
