"""The API as a process that is killed while cards are charged, and clients that retry."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import psycopg

from fieldfare.db.embedded import free_port
from tests.support.buying import CREATE
from tests.support.cards import CardShop, Team, environment_of
from tests.support.processes import ApiProcess


class Serving:
    """`fieldfare serve` on one port, killed and started again."""

    def __init__(self, shop: CardShop, log: Path) -> None:
        self._shop = shop
        self._log = log
        self._port = free_port()
        self.start()

    def start(self) -> None:
        """Return once it is ready."""
        self._process = ApiProcess(
            self._shop.database_url, self._log, self._port, environment=environment_of(self._shop)
        )
        self._process.wait_until_ready()
        self._shop.move_to(self._process.base_url)

    def kill(self) -> None:
        """`kill -9`, at whatever line it is."""
        self._process.kill()

    def stop(self) -> None:
        """SIGTERM."""
        self._process.stop()


def try_to(ask: Callable[[], httpx.Response]) -> int | None:
    """The status of an answer, or None if the connection broke."""
    try:
        return ask().status_code
    except httpx.TransportError:
        return None


def order_until_answered(shop: CardShop, team: Team, key: str) -> httpx.Response:
    """Retry with the same key while nothing is known."""
    for _ in range(20):
        answer = shop.order(team, key)
        if answer.status_code in {200, 400}:
            return answer
        assert answer.status_code in {409, 502}, answer.text
    raise AssertionError(f"no answer for {key}: {answer.text}")


def nothing_runs(shop: CardShop) -> bool:
    """Whether the simulator answered everything that it was sent before the kill."""
    before = len(shop.stripe.truth("requests"))
    time.sleep(0.4)
    return len(shop.stripe.truth("requests")) == before


# --------------------------------------------------------------------------- where it is killed

Hold = Callable[[CardShop], AbstractContextManager[None]]
"""Holds whatever is under way up at one step of it."""
Step = tuple[str, Hold, Callable[[CardShop], bool]]
"""Its name, what holds it up there, and whether it has come there."""


@contextmanager
def locked(shop: CardShop, statement: str) -> Iterator[None]:
    """Hold up whoever needs what `statement` locks."""
    with psycopg.connect(shop.database_url) as conn:
        conn.execute(statement)
        yield
        conn.rollback()


@contextmanager
def hung(shop: CardShop, when: str) -> Iterator[None]:
    """Hold up the processor's answer to the charge."""
    shop.stripe.fault("hang", when=when, s=1.0, **CREATE)
    yield


def sessions(shop: CardShop, condition: str) -> bool:
    """Whether a session of the API is in some condition."""
    return bool(shop.sql(
        "select 1 from pg_stat_activity where datname = current_database()"
        f" and application_name = 'fieldfare-api' and {condition}"
    ))  # fmt: skip


def waits_for_a_lock(shop: CardShop) -> bool:
    """Whether a session of the API waits for another one."""
    return sessions(shop, "wait_event_type = 'Lock'")
