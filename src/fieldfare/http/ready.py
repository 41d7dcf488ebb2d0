"""Answers that are ready before they are asked for leave before the framework is entered.

What everybody may read, and nearly everybody reads alike, is kept as bytes; then a framework's
routing, request and response are most of what an answer costs. What must hold: such an answer is
the one that the route's handler would give, and whatever is asked for otherwise (with a token, a
parameter, a tag that the client has, by another method, too often) goes to the handler.
"""

from collections.abc import Callable, Mapping

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from fieldfare.http.encoding import CONTENT_TYPE

ASKS_FOR_MORE = frozenset({b"authorization", b"if-none-match"})


class ReadyAnswer(msgspec.Struct, frozen=True):
    """A success, ready to be sent."""

    headers: list[tuple[bytes, bytes]]
    """All but those that every answer gets."""
    body: bytes


FindReady = Callable[[], ReadyAnswer | None]
"""Gives the answer of a path as it is now; None if something must be read for it first."""


def ready_json(body: bytes, headers: Mapping[str, str]) -> ReadyAnswer:
    """JSON that is encoded already."""
    named = {"content-type": CONTENT_TYPE, "content-length": str(len(body)), **headers}
    return ReadyAnswer([(n.lower().encode(), value.encode()) for n, value in named.items()], body)


class ReadyAnswers:
    """A layer around the framework."""

    def __init__(
        self, app: ASGIApp, finders: Mapping[str, FindReady], refuse: Callable[[Scope], object]
    ) -> None:
        self._app = app
        self._finders = finders
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what is ready, or let the framework serve."""
        answer = self._find(scope)
        if answer is None or self._refuse(scope):
            await self._app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})

    def _find(self, scope: Scope) -> ReadyAnswer | None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "GET" or scope["query_string"]:
            return None
        find = self._finders.get(scope["path"])
        if find is None or any(name in ASKS_FOR_MORE for name, _ in scope["headers"]):
            return None
        return find()
