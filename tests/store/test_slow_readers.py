"""A client that reads slowly costs a page of memory, and one that hardly reads is cut off."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from fieldfare.http.connection import Connection
from fieldfare.http.pace import LEAST_BYTES
from fieldfare.http.pace import PACE_S as FULL_PACE_S
from fieldfare.settings import Settings
from tests.support.client import Api
from tests.support.databases import new_database
from tests.support.lists import TREES, plant_many
from tests.support.processes import ApiProcess
from tests.support.server import running_api
from tests.support.waiting import wait_until
from tests.support.world import make_world

ORDERS = 40_000
RECEIVES = 64 * 1024
MEGABYTE = 2**20
PACE_S = 1.0
SLOW_BYTES = 24 * LEAST_BYTES
"""What a slow client takes in that time."""
LAST_CHUNK = b"0\r\n\r\n"


class Hurried(Connection):
    """The same with a clock that a test can wait for."""

    pace_s = PACE_S


@pytest.fixture(scope="module")
def hurried_api(server_url: str, template: str) -> Iterator[Api]:
    """A team with many orders of trees, behind a server that soon looks at its clients' pace."""
    with (
        new_database(server_url, template=template) as url,
        running_api(Settings(database_url=url, pool_size=4), protocol=Hurried) as base_url,
        httpx.Client(base_url=base_url, timeout=30) as http,
    ):
        api = Api(base_url, url, asyncio.run(make_world(url)), http)
        plant_many(api, ORDERS)
        yield api


@contextmanager
def reading(api: Api, base_url: str | None = None) -> Iterator[socket.socket]:
    """A client that has asked for the whole history and takes little at a time."""
    port = int((base_url or api.base_url).rpartition(":")[2])
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVES)
        raw.settimeout(20)
        raw.connect(("127.0.0.1", port))
        headers = f"Host: x\r\nAuthorization: {api.auth()['Authorization']}\r\nConnection: close"
        raw.sendall(f"GET {TREES.path} HTTP/1.1\r\n{headers}\r\n\r\n".encode())
        yield raw


def take_all(raw: socket.socket) -> tuple[int, bool]:
    """Read on to the end: how many bytes, and whether that is where the answer ends."""
    size, end = 0, b""
    while taken := raw.recv(RECEIVES):
        size += len(taken)
        end = (end + taken)[-len(LAST_CHUNK) :]
    return size, end == LAST_CHUNK


def sessions_at_work(api: Api) -> int:
    """Sessions of the API that hold a snapshot, a transaction or a cursor."""
    with psycopg.connect(api.database_url) as conn:
        row = conn.execute(
            "select count(*) from pg_stat_activity where datname = current_database()"
            " and application_name = 'fieldfare-api'"
            " and (state <> 'idle' or backend_xmin is not null)"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_whoever_does_not_read_is_cut_off_and_others_are_not(hurried_api: Api) -> None:
    with reading(hurried_api) as still, reading(hurried_api) as steady:
        assert still.recv(RECEIVES)
        size, is_whole = take_all(steady)
        assert is_whole
        assert size > 8 * MEGABYTE
        time.sleep(2 * PACE_S)
        left, is_whole = take_all(still)
        assert not is_whole
        assert left < size // 2


def test_whoever_reads_slowly_but_steadily_gets_everything(hurried_api: Api) -> None:
    """Slower than the server writes, faster than it must be: it is waited for."""
    with reading(hurried_api) as raw:
        size = 0
        ends_at = time.monotonic() + 3 * PACE_S
        while time.monotonic() < ends_at:
            size += len(raw.recv(RECEIVES))
            time.sleep(RECEIVES * PACE_S / SLOW_BYTES)
        assert size < 3 * SLOW_BYTES + RECEIVES
        rest, is_whole = take_all(raw)
    assert is_whole
    assert size + rest > 8 * MEGABYTE


def test_nothing_of_the_database_is_held_while_a_client_does_not_read(hurried_api: Api) -> None:
    with reading(hurried_api) as raw:
        assert raw.recv(RECEIVES)
        wait_until(lambda: sessions_at_work(hurried_api) == 0)
        with psycopg.connect(hurried_api.database_url) as conn:
            conn.execute("set lock_timeout = '1s'")
            conn.execute("lock table orders.line, orders.purchase in access exclusive mode")


@pytest.mark.long
def test_fieldfare_serve_looks_at_the_pace_of_its_clients(hurried_api: Api, tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    process = ApiProcess(hurried_api.database_url, log)
    try:
        process.wait_until_ready()
        with reading(hurried_api, process.base_url) as raw:
            assert raw.recv(RECEIVES)
            time.sleep(FULL_PACE_S + 10)
            _, is_whole = take_all(raw)
        assert not is_whole
    finally:
        process.stop()
    assert "slow_reader_cut" in log.read_text(encoding="utf-8")
