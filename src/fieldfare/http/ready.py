"""Answers that are ready before they are asked for leave before a request is made of the question.

What everybody may read, and nearly everybody reads alike, is kept as bytes; then the task, the
messages and the layers of an application, a framework's routing and its response are most of what
an answer costs. So the connection sends it as soon as the head is read. What must hold: such an
answer is the one that the route's handler would give, it counts and is logged like any other, and
whatever is asked for otherwise (with a token, a parameter, a body, a tag that the client has, by
another method, too often, while we stop or are closed) goes to the application.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from fieldfare.http.encoding import CONTENT_TYPE
from fieldfare.http.limits.gate import Gate
from fieldfare.http.middleware import REQUEST_ID_HEADER, Journal, id_of_request

ASKS_FOR_MORE = frozenset(
    {b"authorization", b"if-none-match", b"content-length", b"transfer-encoding", b"expect"}
)
_ID = REQUEST_ID_HEADER + b": "


class ReadyAnswer(msgspec.Struct, frozen=True):
    """A success, ready to be sent."""

    head: bytes
    """Its lines, each with its end, but for those that every answer gets."""
    body: bytes


FindReady: TypeAlias = Callable[[], ReadyAnswer | None]
"""Gives the answer of a path as it is now; None if something must be read for it first."""


def ready_json(body: bytes, headers: Mapping[str, str]) -> ReadyAnswer:
    """JSON that is encoded already; `headers` are ours, never a client's words."""
    named = {"content-type": CONTENT_TYPE, "content-length": str(len(body)), **headers}
    lines = "".join(f"{name.lower()}: {value}\r\n" for name, value in named.items())
    return ReadyAnswer(lines.encode("ascii"), body)


class ReadyAnswers:
    """What is ready in this process."""

    def __init__(
        self,
        finders: Mapping[str, FindReady],
        *,
        gate: Gate,
        journal: Journal,
        is_serving: Callable[[], bool],
    ) -> None:
        self._finders = {path.encode("ascii"): (path, find) for path, find in finders.items()}
        self._gate = gate
        self._journal = journal
        self._is_serving = is_serving

    def is_of(self, url: bytes) -> bool:
        """Whether what is asked for may be ready."""
        return url in self._finders

    def find(self, scope: Any, url: bytes) -> tuple[bytes, bytes] | None:
        """The rest of the head and the body for a GET, if they may leave at once.

        `scope` has the head of the request; what the journal keeps of it is added.
        """
        started = time.perf_counter()
        path, find = self._finders[url]
        headers = scope["headers"]
        if any(name in ASKS_FOR_MORE for name, _ in headers) or not self._is_serving():
            return None
        answer = find()
        if answer is None or self._gate.refuse_stranger(scope) is not None:
            return None
        scope["method"], scope["path"] = "GET", path
        sent_id = id_of_request(headers)
        self._journal.keep(scope, 200, time.perf_counter() - started, sent_id)
        return b"%b%b%b\r\n\r\n" % (answer.head, _ID, sent_id), answer.body
