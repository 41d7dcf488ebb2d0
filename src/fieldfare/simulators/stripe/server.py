"""HTTP/1.1 on asyncio, with the connection in our own hands, so that it can be broken on demand.

What must hold: requests of one connection are answered in their order; a request that arrived whole
is carried out even if its caller has gone; input is bounded. A `reset` is a TCP RST.
"""

import asyncio
import http
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import httptools
import structlog

from fieldfare.simulators.stripe.messages import Reply, Request

Answer: TypeAlias = Callable[[Request], Awaitable[Reply]]
MAX_BODY_BYTES = 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024
_PIPELINE = 32
_log = structlog.get_logger("fieldfare.simulators.stripe")


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, answer: Answer, connections: set["Connection"]) -> None:
        self._answer = answer
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._start_message()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: somebody is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._peer = (transport.get_extra_info("peername") or ("",))[0]
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio: they have gone; what they asked for is carried out all the same."""
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Asyncio: more bytes came."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserUpgrade, httptools.HttpParserError):
            self._refuse(400)
            return
        if self._head_bytes > MAX_HEAD_BYTES or len(self._waiting) > _PIPELINE:
            self._refuse(431)
        elif len(self._body) > MAX_BODY_BYTES:
            self._refuse(413)
        elif self._waiting and self._task is None:
            self._task = asyncio.create_task(self._work())

    def _start_message(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._head_bytes = 0

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Parser: a request begins."""
        self._start_message()

    def on_url(self, url: bytes) -> None:
        """Parser: a part of the target."""
        self._url += url
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser: a header."""
        self._head_bytes += len(name) + len(value)
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Parser: the head is whole."""
        if self._headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Parser: a part of the body."""
        if len(self._body) <= MAX_BODY_BYTES:
            self._body += body

    def on_message_complete(self) -> None:
        """Parser: the request is whole."""
        path, _, query = self._url.decode("latin-1").partition("?")
        request = Request(
            method=self._parser.get_method().decode("latin-1"),
            path=path,
            query=query,
            headers=self._headers,
            body=bytes(self._body),
            peer=self._peer,
        )
        self._waiting.append((request, self._parser.should_keep_alive()))

    async def _work(self) -> None:
        while self._waiting:
            request, keep = self._waiting.popleft()
            reply = await self._answer_safely(request)
            self._send(reply, keep=keep)
        self._task = None

    async def _answer_safely(self, request: Request) -> Reply:
        try:
            return await self._answer(request)
        except Exception:  # noqa: BLE001 - our own defect: told as such, and the process lives on
            _log.exception("simulator_defect", method=request.method, path=request.path)
            body = b'{"error": {"type": "api_error", "message": "A defect of the simulator."}}'
            return Reply(status=500, body=body)

    def _send(self, reply: Reply, *, keep: bool) -> None:
        if self._transport.is_closing():
            return
        if reply.cut == "reset":
            self._reset()
            return
        data = _head(reply, keep=keep) + reply.body
        if reply.cut == "half":
            self._transport.write(data[: len(data) - (len(reply.body) + 1) // 2])
        else:
            self._transport.write(data)
        if reply.cut or not keep:
            self._transport.close()

    def _reset(self) -> None:
        connection = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _refuse(self, status: int) -> None:
        self._transport.write(_head(Reply(status=status, body=b""), keep=False))
        self._transport.close()

    @property
    def task(self) -> asyncio.Task[None] | None:
        """What is being carried out for this client, if anything."""
        return self._task

    def end(self) -> None:
        """Close now."""
        self._transport.abort()


def _head(reply: Reply, *, keep: bool) -> bytes:
    reason = http.HTTPStatus(reply.status).phrase
    headers = {
        "Content-Type": reply.content_type,
        "Content-Length": str(len(reply.body)),
        "Cache-Control": "no-cache, no-store",
        "Connection": "keep-alive" if keep else "close",
        **reply.headers,
    }
    lines = [f"HTTP/1.1 {reply.status} {reason}", *(f"{n}: {v}" for n, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
