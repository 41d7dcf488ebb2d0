"""What is refused unread, because it would not be carried out: in three cases, each with 503.

While the shop is closed (`db.closing`) nothing is answered but whether the process lives. A process
that was asked to stop takes no connection any more, yet clients keep some open and may
send on them before they see that they are closed. And while more orders wait than can be carried
out in time, a further one must cost next to nothing: if refusing took as long as selling, those who
come again at once would leave no time to sell. So it is refused before its token or its body is
looked at, and only after a pause: however impatient a client, each of its connections asks once a
second, about as often as `Retry-After` bids it.
"""

import asyncio
import random
from collections.abc import Callable

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from fieldfare.db.closing import ShopClosed
from fieldfare.http.encoding import CONTENT_TYPE, encode_problem
from fieldfare.kernel.errors import Unavailable
from fieldfare.telemetry.families import REFUSED

PAUSE_S = (0.5, 1.5)
"""By chance in between, so that those who are refused together do not come again together."""
NEVER_CLOSED = ("/healthz", "/readyz")
Headers = list[tuple[bytes, bytes]]


class Door:
    """A layer around the application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        is_stopping: Callable[[], bool],
        is_closed: Callable[[], bool],
        why_busy: Callable[[], Unavailable | None],
        order_paths: frozenset[str],
    ) -> None:
        self._app = app
        self._is_stopping = is_stopping
        self._is_closed = is_closed
        self._why_busy = why_busy
        self._order_paths = order_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it: all once we stop or are closed, orders while busy."""
        if scope["type"] == ScopeType.HTTP:
            if self._is_stopping():
                await _refuse(receive, send, _stopping(), [(b"connection", b"close")])
                return
            if self._is_closed() and scope["path"] not in NEVER_CLOSED:
                await _refuse(receive, send, _closed(), [])
                return
            if scope["method"] == "POST" and scope["path"] in self._order_paths:
                busy = self._why_busy()
                if busy is not None:
                    # Nothing is held meanwhile but the request's few bytes.
                    await asyncio.sleep(random.uniform(*PAUSE_S))  # noqa: S311 - spreads retries
                    await _refuse(receive, send, busy, [])
                    return
        await self._app(scope, receive, send)


def _stopping() -> Unavailable:
    return Unavailable(
        "This process is about to stop, so nothing was done. Send the request again in a moment.",
        code="stopping",
    )


def _closed() -> Unavailable:
    return ShopClosed(
        "The shop is closed while its books are held against the card processor's, so nothing was "
        "done. Send the request again later, with the same Idempotency-Key if it had one."
    )


async def _refuse(receive: Receive, send: Send, problem: Unavailable, more: Headers) -> None:
    REFUSED.add(problem.code)
    # To its end: a connection that is closed on unread bytes is reset, and the answer lost.
    while (await receive()).get("more_body"):
        pass
    body = encode_problem(problem)
    headers = [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", str(problem.retry_after_s).encode()),
        *more,
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
