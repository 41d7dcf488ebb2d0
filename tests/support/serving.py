"""The API as a process that is killed while cards are charged, and clients that retry."""

import time
from pathlib import Path

import httpx

from fieldfare.db.embedded import free_port
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


def try_to_order(shop: CardShop, team: Team, key: str) -> int | None:
    """The status of an order, or None if the connection broke."""
    try:
        return shop.order(team, key).status_code
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
