"""Around every request: an id that follows it through the logs, and one line when it is answered.

Nothing of a header, a body or a query string is logged: tokens and persons stand in them. The line
has the form of all others (`cli.logs`), and is written without what makes those: for a short answer
that took as long as the rest of it.
"""

import asyncio
import random
import re
import sys
import time
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from fieldfare.http.limits.gate import HEADERS
from fieldfare.telemetry import traces
from fieldfare.telemetry.families import REQUESTS

REQUEST_ID_HEADER = b"x-request-id"
PATH_CHARACTERS = 200
_SANE = re.compile(rb"[A-Za-z0-9._-]{1,64}")
NO_ROUTE = "other"
"""In the place of a path that no route serves: a client may make up as many as it likes."""
_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
_encode = msgspec.json.Encoder().encode

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request that is being served, for the lines that are logged meanwhile."""


class RequestLine(msgspec.Struct):
    """What is logged of a request."""

    method: str
    path: str
    status: int
    ms: float
    account_id: int | None
    request_id: str
    timestamp: datetime
    event: str = "request"
    level: str = "info"


class Lines:
    """Lines on stdout; those of one step of the event loop leave together, at its end."""

    def __init__(self) -> None:
        # As it is now: a command that runs in the same process may put another in its place.
        self._stream = sys.stdout.buffer
        self._waiting: list[bytes] = []

    def write(self, line: bytes) -> None:
        """Write one line; without its end."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._send)
        self._waiting += (line, b"\n")

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._stream.write(b"".join(waiting))
        self._stream.flush()


class Journal:
    """What is kept of every request: a count, and a line if `is_written`.

    `paths` are the routes that have no parameter.
    """

    def __init__(self, *, is_written: bool = True, paths: frozenset[str] = frozenset()) -> None:
        self._paths = paths
        self._lines = Lines() if is_written else None

    def route_of(self, scope: HTTPScope) -> str:
        """What serves this path, with names in the place of its parameters."""
        path = scope["path"]
        return path if path in self._paths else scope.get("path_template") or NO_ROUTE

    def keep(self, scope: HTTPScope, status: int, took_s: float, sent_id: bytes) -> None:
        """Take down that a request was answered."""
        method = scope["method"] if scope["method"] in _METHODS else NO_ROUTE
        REQUESTS.observe(took_s, method, self.route_of(scope), str(status))
        if self._lines is not None:
            self._lines.write(_line(scope, status, took_s, sent_id))


class RequestLog:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, journal: Journal) -> None:
        self._app = app
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and log how it went."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        sent_id = id_of_request(scope["headers"])
        started = time.perf_counter()
        status = 500
        scope.setdefault("state", {})
        # No path of ours holds a NUL, and the file system takes none: like any wrong name, a 404.
        scope["path"] = scope["path"].replace("\x00", "\ufffd")

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                limits = scope["state"].get(HEADERS, ())
                message["headers"] = [*message["headers"], *limits, (REQUEST_ID_HEADER, sent_id)]
            await send(message)

        # Never taken back: each request is a task, with a context of its own.
        request_id.set(sent_id.decode())
        try:
            with traces.request_span(scope["method"], scope["headers"]) as span:
                await self._app(scope, receive, send_with_id)
                if span is not None:
                    self._describe(span, scope, status, sent_id)
        finally:
            self._journal.keep(scope, status, time.perf_counter() - started, sent_id)

    def _describe(self, span: traces.Span, scope: HTTPScope, status: int, sent_id: bytes) -> None:
        route = self._journal.route_of(scope)
        span.update_name(f"{scope['method']} {route}")
        span.set_attributes(
            {
                "http.request.method": scope["method"],
                "http.route": route,
                "http.response.status_code": status,
                "fieldfare.request_id": sent_id.decode(),
            }
        )


def _line(scope: HTTPScope, status: int, took_s: float, sent_id: bytes) -> bytes:
    return _encode(
        RequestLine(
            method=scope["method"],
            path=_shown(scope["path"])[:PATH_CHARACTERS],
            status=status,
            ms=round(took_s * 1000, 1),
            account_id=scope["state"].get("account_id"),
            request_id=sent_id.decode(),
            timestamp=datetime.now(UTC),
        )
    )


def _shown(path: str) -> str:
    """A path as it is written down: a terminal on which a log is read obeys some characters."""
    return path if path.isascii() and path.isprintable() else quote(path)


def id_of_request(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The id that the client gave, if it is sane; otherwise a new one."""
    for name, value in headers:
        if name == REQUEST_ID_HEADER and _SANE.fullmatch(value):
            return bytes(value)
    return b"%032x" % random.getrandbits(128)
