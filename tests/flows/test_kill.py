"""`kill -9` of the API and of PostgreSQL under load: what was answered 200 is still there."""

import asyncio
import os
import signal
import threading
import time
from pathlib import Path

import httpx
import psycopg

from fieldfare.db import embedded
from fieldfare.db.migrate import migrate
from tests.support.processes import ApiProcess, run_verify
from tests.support.world import World, make_world

ORDER = {"tons": 0.01, "paymentMethod": "credits"}
CLIENTS = 8
LOAD_SECONDS = 1.5


class Load:
    """Clients that order with a key each time, and retry with the same key until answered."""

    def __init__(self, base_url: str, token: str) -> None:
        self._url = f"{base_url}/api/offset-orders"
        self._token = token
        self._stop = threading.Event()
        self.answered: dict[str, str] = {}
        """Key → purchase id of every 200."""
        self.unanswered: set[str] = set()
        self._threads = [
            threading.Thread(target=self._order, args=(n,), daemon=True) for n in range(CLIENTS)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def _order(self, client: int) -> None:
        number = 0
        while not self._stop.is_set():
            key = f"client-{client}-{number}"
            number += 1
            self._send(key)

    def _send(self, key: str) -> None:
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": key}
        self.unanswered.add(key)
        try:
            answer = httpx.post(self._url, json=ORDER, headers=headers, timeout=10)
        except httpx.HTTPError:
            time.sleep(0.02)
            return
        if answer.status_code == 200:
            self.answered[key] = answer.json()["purchaseId"]
            self.unanswered.discard(key)


def test_kill_of_the_api_under_load_loses_and_doubles_nothing(
    database_url: str, tmp_path: Path
) -> None:
    world = asyncio.run(make_world(database_url))
    api = ApiProcess(database_url, tmp_path / "api.log")
    api.wait_until_ready()
    with Load(api.base_url, world.live_token) as load:
        time.sleep(LOAD_SECONDS)
        api.kill()
    again = ApiProcess(database_url, tmp_path / "api.log", api.port)
    again.wait_until_ready()
    try:
        _settle(again, world, load)
    finally:
        assert again.stop() == 0
    _check(database_url, load)


def test_kill_of_api_and_postgres_under_load(tmp_path: Path) -> None:
    # A server of this test's own, at its durable defaults.
    server = embedded.start(tmp_path / "home", embedded.free_port())
    try:
        migrate(server.url)
        world = asyncio.run(make_world(server.url))
        api = ApiProcess(server.url, tmp_path / "api.log")
        api.wait_until_ready()
        with Load(api.base_url, world.live_token) as load:
            time.sleep(LOAD_SECONDS)
            os.kill(server.pid, signal.SIGKILL)
            api.kill()
    finally:
        embedded.stop(server)
    recovered = embedded.start(tmp_path / "home", server.port)
    try:
        again = ApiProcess(recovered.url, tmp_path / "api.log", api.port)
        again.wait_until_ready()
        try:
            _settle(again, world, load)
        finally:
            assert again.stop() == 0
        _check(recovered.url, load)
    finally:
        embedded.stop(recovered)


def _settle(api: ApiProcess, world: World, load: Load) -> None:
    """Retry what was not answered: with its key it takes effect once at most."""
    for key in sorted(load.unanswered):
        headers = {"Authorization": f"Bearer {world.live_token}", "Idempotency-Key": key}
        url = f"{api.base_url}/api/offset-orders"
        answer = httpx.post(url, json=ORDER, headers=headers, timeout=10)
        assert answer.status_code == 200, answer.text
        load.answered[key] = answer.json()["purchaseId"]


def _check(database_url: str, load: Load) -> None:
    assert len(load.answered) > CLIENTS
    with psycopg.connect(database_url) as conn:
        stored = {str(row[0]) for row in conn.execute("select id from orders.purchase")}
    assert set(load.answered.values()) == stored
    assert len(load.answered) == len(stored)
    verified = run_verify(database_url)
    assert verified.returncode == 0, verified.stdout + verified.stderr
