"""Four processes hold the limit of an account together, however unevenly they are asked.

Raw sockets, because a client library would take more of the machine than the product does.
"""

import asyncio
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg

from tests.support.processes import ApiProcess
from tests.support.world import World, make_world

RATE, BURST, SECONDS = 60, 120, 10.0
LIMITS = {"FIELDFARE_RATE_PER_SECOND": str(RATE), "FIELDFARE_RATE_BURST": str(BURST)}
UNEVEN = (60.0, 30.0, 15.0, 3.0)
"""Requests a second to each process: almost twice the rate."""
ONE_ONLY = 110.0


def started(stack: ExitStack, database_url: str, folder: Path, count: int) -> list[ApiProcess]:
    """So many processes, each on a port of its own."""
    apis = []
    for number in range(count):
        api = ApiProcess(database_url, folder / f"api-{number}.log", environment=LIMITS)
        stack.callback(api.stop)
        apis.append(api)
    for api in apis:
        api.wait_until_ready()
    return apis


class Client:
    """One connection to one process that asks at a steady rate and counts what it is told."""

    def __init__(self, api: ApiProcess, token: str, per_second: float) -> None:
        self._port = api.port
        self._apart_s = 1 / per_second
        self._request = (
            # Forged: they change nothing.
            f"GET /api/orders/none HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.2.3.4\r\n"
            f"Forwarded: for=1.2.3.4\r\nAuthorization: Bearer {token}\r\n\r\n"
        ).encode()
        self.statuses: Counter[int] = Counter()
        self.took_s = 0.0

    async def ask(self, seconds: float) -> None:
        """Ask for so long; who falls behind catches up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        begun = time.monotonic()
        asked = 0
        while (passed_s := time.monotonic() - begun) < seconds:
            if asked * self._apart_s > passed_s:
                await asyncio.sleep(asked * self._apart_s - passed_s)
            asked += 1
            writer.write(self._request)
            self.statuses[await _read_status(reader)] += 1
        self.took_s = time.monotonic() - begun
        writer.close()


async def _read_status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    return int(head.split(b" ", 2)[1])


async def ask_all(*clients: Client, seconds: float = SECONDS) -> None:
    await asyncio.gather(*(client.ask(seconds) for client in clients))


def let_in(clients: list[Client]) -> int:
    """How many were served: the order is not there, and that is said only to who is let in."""
    counted = sum((client.statuses for client in clients), Counter[int]())
    assert set(counted) <= {404, 429}, counted
    return counted[404]


def beats(database_url: str) -> list[tuple[Any, ...]]:
    """The rows of the processes: how many accounts each speaks of."""
    with psycopg.connect(database_url) as conn:
        return conn.execute(
            "select process_id, cardinality(accounts) from http.heartbeat"
        ).fetchall()


def test_four_processes_let_in_the_limit_together(database_url: str, tmp_path: Path) -> None:
    world: World = asyncio.run(make_world(database_url))
    with ExitStack() as stack:
        apis = started(stack, database_url, tmp_path, 4)
        uneven = [
            Client(api, world.live_token, rate) for api, rate in zip(apis, UNEVEN, strict=True)
        ]
        one_only = [Client(apis[3], world.second_token, ONE_ONLY)]
        asyncio.run(ask_all(*uneven, *one_only))
        for clients in (uneven, one_only):
            whole = BURST + RATE * max(client.took_s for client in clients)
            assert 0.9 * whole <= let_in(clients) <= 1.1 * whole
            assert all(client.statuses[404] for client in clients)
        rows = beats(database_url)
        assert len(rows) == 4
        # Two accounts are near their limit; nobody else is spoken of.
        assert max(accounts for _, accounts in rows) <= 2

        # Three die, and soon the one that is left has the whole limit.
        for api in apis[1:]:
            api.kill()
        time.sleep(5)
        last = [Client(apis[0], world.personal_token, 2 * RATE)]
        asyncio.run(ask_all(*last, seconds=3.0))
        whole = BURST + RATE * last[0].took_s
        assert 0.9 * whole <= let_in(last) <= 1.1 * whole
    # Who was stopped has taken its row away.
    assert len(beats(database_url)) == 3
