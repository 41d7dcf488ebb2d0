"""Many card orders at once, and the processor's own log of how fast it was called.

Each order has a connection of its own and waits for its answer as long as it takes.
"""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import environ
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import msgspec
import stripe

from tests.support.cards import INTENTS, ORDER, PATH, CardShop, Team, environment_of
from tests.support.processes import ApiProcess
from tests.support.stripe_simulator import WEBHOOK_SECRET

SECOND = 1.0
STARTED_AT_ONCE = 200
STARTED_IN_S = 0.5
"""400 connections a second: faster, and those that the system keeps for the server to take up are
too many, and lost by it."""


class Answer(msgspec.Struct, frozen=True):
    """What came back for one order; status 0 if the connection broke."""

    status: int
    body: bytes = b""

    @property
    def code(self) -> str | None:
        """Of a refusal."""
        code: str | None = json.loads(self.body).get("code") if self.body else None
        return code


BROKEN = Answer(0)


async def send_order(base_url: str, team: Team, gate: asyncio.Semaphore) -> Answer:
    """A card order of $7.04, and its answer, however late."""
    host = urlsplit(base_url)
    body = json.dumps(ORDER).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {host.netloc}\r\nAuthorization: Bearer {team.token}\r\n"
        f"Idempotency-Key: {uuid4().hex}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode()
    try:
        async with gate:
            reader, writer = await asyncio.open_connection(host.hostname, host.port)
            writer.write(head + body)
            await writer.drain()
            await asyncio.sleep(STARTED_IN_S)
        try:
            told = await reader.read()
        finally:
            writer.close()
    except OSError:
        return BROKEN
    if not told:
        return BROKEN
    first, _, rest = told.partition(b"\r\n")
    return Answer(int(first.split()[1]), rest.partition(b"\r\n\r\n")[2])


class Crowd:
    """Orders that are on their way, each from a client that waits."""

    def __init__(self, base_urls: Sequence[str], teams: Sequence[Team], count: int) -> None:
        self.answers: list[Answer] = []
        self._wanted = [
            (base_urls[n % len(base_urls)], teams[n % len(teams)]) for n in range(count)
        ]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="crowd")
        self._thread.start()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._send_all())
        finally:
            self._loop.close()

    async def _send_all(self) -> None:
        gate = asyncio.Semaphore(STARTED_AT_ONCE)
        self._orders = [
            asyncio.ensure_future(send_order(url, team, gate)) for url, team in self._wanted
        ]
        for order in asyncio.as_completed(self._orders):
            try:
                self.answers.append(await order)
            except asyncio.CancelledError:
                self.answers.append(BROKEN)

    def hang_up(self) -> None:
        """Every client that still waits closes its connection."""

        def cancel() -> None:
            for order in self._orders:
                order.cancel()

        self._loop.call_soon_threadsafe(cancel)

    @property
    def is_over(self) -> bool:
        """Whether nobody waits any more."""
        return not self._thread.is_alive()

    def wait(self, within_s: float) -> list[Answer]:
        """Every answer."""
        self._thread.join(within_s)
        assert self.is_over, f"{len(self.answers)} of {len(self._wanted)} answered"
        return self.answers


@contextmanager
def crowd(base_urls: Sequence[str], teams: Sequence[Team], count: int) -> Iterator[Crowd]:
    """`count` orders at once; whoever still waits at the end hangs up."""
    orders = Crowd(base_urls, teams, count)
    try:
        yield orders
    finally:
        if not orders.is_over:
            orders.hang_up()
        orders.wait(30)


def pace_of(shop: CardShop, per_second: int) -> dict[str, str]:
    """What a process is started with to keep this rate in this shop."""
    rate = {"FIELDFARE_STRIPE_CALLS_PER_SECOND": str(per_second)}
    # No call of a test is so slow that its order would have to be looked for.
    return {**environment_of(shop), **rate, "FIELDFARE_STRIPE_TIMEOUT": "25"}


@contextmanager
def sellers(
    shop: CardShop, folder: Path, count: int, *, per_second: int
) -> Iterator[list[ApiProcess]]:
    """So many processes of the API that sell in a shop; what is not killed is stopped."""
    apis = [
        ApiProcess(
            shop.database_url, folder / f"api-{n}.log", environment=pace_of(shop, per_second)
        )
        for n in range(count)
    ]
    try:
        for api in apis:
            api.wait_until_ready()
        yield apis
    finally:
        for api in apis:
            api.stop()


@contextmanager
def worker_of(shop: CardShop, folder: Path, *, per_second: int) -> Iterator[None]:
    """A worker of the shop as a process of its own."""
    env = {**environ, **pace_of(shop, per_second), "DATABASE_URL": shop.database_url}
    with (folder / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "fieldfare.cli.main", "worker"],
            env=env | {"PYTHONPATH": "src"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        worker.terminate()
        assert worker.wait(30) == 0


def hand_in_look_ups(shop: CardShop, count: int) -> None:
    """Events of disputes that nobody knows: a worker looks each up at the processor, once."""
    for n in range(count):
        event = {
            "id": f"evt_{uuid4().hex}", "object": "event", "type": "charge.dispute.created",
            "created": int(time.time()), "data": {"object": {"id": f"dp_{n}", "object": "dispute"}},
        }  # fmt: skip
        body = json.dumps(event)
        signature = stripe.WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET)
        answer = httpx.post(
            f"{shop.base_url}/webhooks/stripe",
            content=body,
            headers={"Stripe-Signature": signature},
        )
        assert answer.status_code == 200, answer.text


def calls(shop: CardShop, path: str = "") -> list[float]:
    """When the processor was called, or something of it, in seconds, oldest first."""
    return sorted(
        call["at"] for call in shop.stripe.truth("requests") if call["path"].startswith(path)
    )


def charged(shop: CardShop) -> int:
    """How often a card was to be charged."""
    return len(calls(shop, INTENTS))


def busiest(instants: Sequence[float], window_s: float = SECOND) -> int:
    """The most of them in any window of that length."""
    most, first = 0, 0
    for last, instant in enumerate(instants):
        while instant - instants[first] >= window_s:
            first += 1
        most = max(most, last - first + 1)
    return most
