"""A client's bytes until they are a request: bounded in size and in time.

The parser keeps what it has read of a head until the head is whole, and uvicorn waits for as long
as a client likes. Here what is too large, too slow or no HTTP is refused in the one error shape,
and the connection closed. What must hold: requests that came whole are answered first, in their
order, so that no order is told of by the refusal of what follows it. And a request that is all
right costs nothing for it: who keeps us waiting is found by `look`, once a second, from what
uvicorn knows of each connection anyway.
"""

import asyncio
from typing import Any, ClassVar, Literal, cast
from uuid import uuid4

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from fieldfare.http.encoding import CONTENT_TYPE, encode_problem
from fieldfare.http.joined_writes import JoinedWrites
from fieldfare.http.pace import PacedProtocol
from fieldfare.http.ready import ReadyAnswers
from fieldfare.kernel import limits
from fieldfare.kernel.errors import InvalidRequest, ProblemError

Awaited = Literal["first", "request", "head", "body", "rest", "close", "end"]
"""What a client keeps us waiting for: its first byte, its next request, the end of a head or of a
body, the end of a body that is answered already, that it reads the end of what we sent before the
connection is closed, or that it closes the connection on which it was refused."""

TLS_HANDSHAKE = b"\x16\x03"
HTTP_2 = b"PRI * HTTP/2"

_log = structlog.get_logger(__name__)


class RequestTimeout(ProblemError):
    """408: a request was begun and not ended."""

    status = 408
    code = "request_timeout"


class TargetTooLong(ProblemError):
    """414: the path and the query string."""

    status = 414
    code = "url_too_long"


class HeadTooLarge(ProblemError):
    """431: too many headers, or too long ones."""

    status = 431
    code = "headers_too_large"


class Connection(PacedProtocol):
    """uvicorn's connection, which neither reads nor waits without end."""

    seconds: ClassVar[dict[Awaited, float]] = {
        "first": limits.HEAD_SECONDS,
        "request": limits.IDLE_SECONDS,
        "head": limits.HEAD_SECONDS,
        "body": limits.BODY_SECONDS,
        "rest": limits.LINGER_SECONDS,
        "close": limits.IDLE_SECONDS,
        "end": limits.LINGER_SECONDS,
    }
    _refusal: ProblemError | None = None
    _piece_bytes = 0
    _began_before: object = None
    """What was being read when the last piece came."""
    _head_bytes = 0
    """Of a head that goes on, without the piece that it began in; or of trailers."""
    _is_body = False
    """Whether the last piece held some of a body."""
    _looked_at: tuple[Awaited | None, object] = (None, None)
    _since = 0.0

    def __init__(self, *args: Any, ready: ReadyAnswers, **more: Any) -> None:
        """As uvicorn makes it; `ready` may answer before there is a task."""
        super().__init__(*args, **more)
        self._ready = ready

    # What comes in.

    def data_received(self, data: bytes) -> None:
        """Read on, or read over what follows a refusal: unread bytes would reset the connection."""
        rest: bytes | memoryview = data if self._refusal is None else b""
        while rest:
            rest = self._parse(rest)

    def _parse(self, data: bytes | memoryview) -> bytes | memoryview:
        """Feed the parser; gives what is still to be fed after an offer of another protocol."""
        self._began_before, self._piece_bytes = self.scope, len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._read_anew()
            return b"" if self._refusal else memoryview(data)[offer.args[0] :]
        except httptools.HttpParserError as error:
            self._refuse(_why(error, bytes(data[: len(HTTP_2)])))
        else:
            self._count(len(data))
        return b""

    def _count(self, size: int) -> None:
        """Bound what the parser keeps: a head that goes on, or what follows a body as trailers."""
        cycle = self._newest()
        if cycle is not None and cycle.scope is self.scope:
            goes_on, self._is_body = cycle.more_body and not self._is_body, False
            most = limits.HEAD_BYTES
        else:
            goes_on, most = self.scope is self._began_before, limits.HEAD_BYTES + limits.URL_BYTES
        self._head_bytes = self._head_bytes + size if goes_on else 0
        if self._head_bytes > most:
            self._refuse(_too_large(self.url))

    def _should_upgrade(self) -> bool:
        """Leave every request that offers another protocol to `_read_anew`, to answer it as usual.

        Some clients offer HTTP/2 with each request, and the parser skips the body of such a one.
        """
        return True

    def _read_anew(self) -> None:
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if method == b"CONNECT":
            self._refuse(InvalidRequest("This is no proxy. Ask for a path.", code="invalid_http"))
            return
        head = [method, b" ", self.url, b" HTTP/", version.encode(), b"\r\n"]
        for name, value in self.scope["headers"]:
            if name != b"upgrade":
                head += [name, b": ", value, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._parse(b"".join([*head, b"\r\n"]))

    def on_headers_complete(self) -> None:
        """A head is whole; stops the parser if it is too large."""
        may_be_large = self.scope is self._began_before or self._piece_bytes > limits.HEAD_BYTES
        if (
            len(self.url) > limits.URL_BYTES
            or len(self.headers) > limits.HEADERS
            or (may_be_large and _bytes_of(self.headers) > limits.HEAD_BYTES)
        ):
            raise _too_large(self.url)
        self._head_bytes = 0
        if self._ready.is_of(self.url) and self._answer_at_once():
            return
        super().on_headers_complete()
        # Trailers are nobody's headers: with them, a client would speak for the proxy before us.
        self.headers = _Dropped()

    def _answer_at_once(self) -> bool:
        """Send what is ready, unless something is under way or the request is not a plain one."""
        cycle, parser = self._newest(), self.parser
        if (
            (cycle is not None and not cycle.response_complete)
            or self.flow.write_paused
            or self.transport.is_closing()
            or parser.get_method() != b"GET"
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or parser.should_upgrade()
        ):
            return False
        found = self._ready.find(self.scope, self.url)
        if found is None:
            return False
        rest_of_head, body = found
        lines = [
            name + b": " + value + b"\r\n" for name, value in self.server_state.default_headers
        ]
        head = b"".join([STATUS_LINE[200], *lines, rest_of_head])
        cast("JoinedWrites", self.transport).write_answer(head, body)
        self.cycle = _Answered(self.scope)
        self.server_state.total_requests += 1
        return True

    def on_body(self, body: bytes) -> None:
        """Some of a body is here."""
        self._is_body = True
        super().on_body(body)

    # What goes out.

    def on_response_complete(self) -> None:
        """Go on with what came meanwhile. `look` keeps the time: a timer for each answer costs."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._refusal is not None:
            self._tell(self._refusal)

    def _refuse(self, problem: ProblemError) -> None:
        """Read nothing more; tell why once all that came whole is answered."""
        self._refusal = problem
        cycle = self._newest()
        if cycle is not None and cycle.scope is self.scope and cycle.more_body:
            if self.pipeline:
                self.pipeline.popleft()
            else:
                self._break_off(cycle, problem)
        elif cycle is None or cycle.response_complete:
            self._tell(problem)

    def _break_off(self, cycle: RequestResponseCycle, problem: ProblemError) -> None:
        """End a request whose body is not to come; one is told of only if it was not answered."""
        if cycle.response_complete:
            self.transport.close()
        elif cycle.response_started:
            cycle.keep_alive = False
        else:
            self._tell(problem)
            cycle.disconnected = True
            cycle.message_event.set()

    def _tell(self, problem: ProblemError) -> None:
        request_id, body = uuid4().hex, encode_problem(problem)
        _log.info("unreadable", status=problem.status, code=problem.code, request_id=request_id)
        headers = [
            *self.server_state.default_headers,
            (b"content-type", CONTENT_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id.encode()),
            (b"connection", b"close"),
        ]
        head = [name + b": " + value + b"\r\n" for name, value in headers]
        self.transport.write(b"".join([STATUS_LINE[problem.status], *head, b"\r\n", body]))
        # Not closed: a client that still sends would be reset, and not read why.
        self.transport.write_eof()

    # Who keeps us waiting.

    # uvicorn declares both as if they were always there.

    def _newest(self) -> RequestResponseCycle | None:
        """The last request whose head came whole."""
        return self.cycle

    def _began(self) -> object | None:
        """What came last, whole or not; a request's `scope` is the same object."""
        return self.scope

    def look(self, now: float) -> None:
        """Give up who has kept us waiting for too long; called about once a second."""
        awaited = self._awaited()
        before, began = self._looked_at
        if awaited != before or began is not self.scope:
            self._looked_at, self._since = (awaited, self.scope), now
        elif awaited is not None and now - self._since >= self.seconds[awaited]:
            self._give_up(awaited)

    def _awaited(self) -> Awaited | None:
        cycle, began = self._newest(), self._began()
        is_answering = cycle is not None and not (cycle.response_complete or cycle.disconnected)
        if self.transport.is_closing():
            return "close"
        if self._refusal is not None:
            return None if is_answering else "end"
        if cycle is not None and cycle.scope is began:
            if cycle.more_body:
                # While we do not read, it is the client that waits.
                return None if self.flow.read_paused else "body" if is_answering else "rest"
            return None if is_answering else "request"
        if is_answering:
            return None
        return "first" if began is None else "head"

    def _give_up(self, awaited: Awaited) -> None:
        if awaited in {"head", "body"}:
            self._refuse(
                RequestTimeout(
                    f"The request's {awaited} did not come within {self.seconds[awaited]:.0f} "
                    "seconds, so nothing was done. Send it again, and faster."
                )
            )
        elif awaited in {"close", "end"}:
            self.transport.abort()
        else:
            self.transport.close()


class _Answered(RequestResponseCycle):
    """A request without a body that was answered as soon as it was read."""

    disconnected = False
    more_body = False
    response_complete = True
    message_event = asyncio.Event()
    """Nobody waits for it."""

    def __init__(self, scope: Any) -> None:
        self.scope = scope


class _Dropped(list[tuple[bytes, bytes]]):
    """Takes headers and keeps none."""

    def append(self, _: tuple[bytes, bytes]) -> None:
        """Forget it."""


def _bytes_of(headers: list[tuple[bytes, bytes]]) -> int:
    """As they came: with a colon, a blank and a line end each."""
    return sum(len(name) + len(value) + 4 for name, value in headers)


def _too_large(url: bytes) -> ProblemError:
    if len(url) > limits.URL_BYTES:
        return TargetTooLong(f"The URL is over {limits.URL_BYTES // 1024} KiB. Send a shorter one.")
    return HeadTooLarge(
        f"There are over {limits.HEADERS} headers, or over {limits.HEAD_BYTES // 1024} KiB of "
        "them. Send fewer and shorter ones."
    )


def _why(error: httptools.HttpParserError, data: bytes) -> ProblemError:
    """What to tell of bytes that are no request."""
    if isinstance(error.__context__, ProblemError):
        return error.__context__
    if data.startswith(TLS_HANDSHAKE):
        reason = "This port speaks HTTP without TLS. Use http://, or ask the operator for the port"
    elif data.startswith(HTTP_2):
        reason = "This port speaks HTTP/1.1, not HTTP/2. Let your client use that"
    elif isinstance(error, httptools.HttpParserCallbackError):
        reason = "The URL cannot be read. Percent-encode it, and ask for a path such as /api"
    else:
        reason = f"The request is no HTTP/1.1 ({error}). Send it with an HTTP client"
    return InvalidRequest(f"{reason}.", code="invalid_http")
