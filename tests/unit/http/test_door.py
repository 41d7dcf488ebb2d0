"""What is refused before it is looked at, and what is let in."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from fieldfare.app import ORDER_PATHS
from fieldfare.http.door import PAUSE_S, Door
from fieldfare.kernel.errors import Unavailable

BODY = [b'{"tons":', b'"0.1"', b"}"]
BUSY = Unavailable("Too many.", code="overloaded")


class Caller:
    """One request, and what is sent back."""

    def __init__(self, method: str, path: str) -> None:
        self.scope: Any = {"type": "http", "method": method, "path": path}
        self.unread = list(BODY)
        self.sent: list[Any] = []

    async def receive(self) -> Any:
        """The next part of the body."""
        part = self.unread.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(self.unread)}

    async def send(self, message: Any) -> None:
        """Keep a part of the answer."""
        self.sent.append(message)

    @property
    def headers(self) -> dict[bytes, bytes]:
        """Of the answer."""
        return dict(self.sent[0]["headers"])


async def sell(_scope: Any, _receive: Any, send: Any) -> None:
    """An application that has everything."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"sold", "more_body": False})


def ask(
    method: str,
    path: str,
    *,
    stopping: bool = False,
    closed: bool = False,
    why_busy: Callable[[], Unavailable | None] = lambda: None,
) -> Caller:
    caller = Caller(method, path)
    door = Door(
        sell,
        is_stopping=lambda: stopping,
        is_closed=lambda: closed,
        why_busy=why_busy,
        order_paths=ORDER_PATHS,
    )
    asyncio.run(door(caller.scope, caller.receive, caller.send))
    return caller


def test_orders_are_those_that_are_placed() -> None:
    assert (
        frozenset({"/api/offset-orders", "/api/tree-orders", "/api/project-orders"}) == ORDER_PATHS
    )


@pytest.mark.parametrize("path", [*sorted(ORDER_PATHS), "/api/portfolios"])
def test_who_comes_in_time_is_let_in(path: str) -> None:
    caller = ask("POST", path)
    assert caller.sent[0]["status"] == 200
    assert caller.unread == BODY


@pytest.mark.parametrize(("method", "path"), [("GET", "/healthz"), ("POST", "/api/tree-orders")])
def test_who_stops_refuses_everything_and_closes(method: str, path: str) -> None:
    caller = ask(method, path, stopping=True, why_busy=lambda: BUSY)
    start, end = caller.sent
    assert start["status"] == 503
    assert caller.headers[b"connection"] == b"close"
    assert caller.headers[b"retry-after"] == b"1"
    assert caller.headers[b"content-length"] == str(len(end["body"])).encode()
    assert msgspec.json.decode(end["body"])["code"] == "stopping"
    assert caller.unread == []


@pytest.mark.parametrize("path", ["/api/offset-orders", "/webhooks/stripe", "/static/a.css"])
def test_a_closed_shop_refuses_everything_but_whether_it_lives(path: str) -> None:
    caller = ask("POST", path, closed=True)
    start, end = caller.sent
    assert start["status"] == 503
    assert int(caller.headers[b"retry-after"]) >= 10
    assert msgspec.json.decode(end["body"])["code"] == "closed"
    assert caller.unread == []
    assert ask("GET", "/healthz", closed=True).sent[0]["status"] == 200


@pytest.mark.parametrize("path", sorted(ORDER_PATHS))
def test_who_is_busy_refuses_orders_after_a_pause_and_keeps_the_connection(path: str) -> None:
    started = time.monotonic()
    caller = ask("POST", path, why_busy=lambda: BUSY)
    assert time.monotonic() - started >= PAUSE_S[0]
    start, end = caller.sent
    assert start["status"] == 503
    assert b"connection" not in caller.headers
    assert caller.headers[b"retry-after"] == b"1"
    assert msgspec.json.decode(end["body"]) == {"message": "Too many.", "code": "overloaded"}
    assert caller.unread == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/offset-orders"),
        ("POST", "/api/tree-orders/preview"),
        ("POST", "/api/credits/top-up"),
        ("GET", "/healthz"),
    ],
)
def test_who_is_busy_serves_all_else(method: str, path: str) -> None:
    assert ask(method, path, why_busy=lambda: BUSY).sent[0]["status"] == 200
