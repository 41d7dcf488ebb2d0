"""A proxy between the product and PostgreSQL that cuts a connection at the commit a test names.

It reads as much of the wire protocol as tells which statement is sent, whether a transaction is
open, and when the server has answered. So a commit can be carried out and its answer be lost, or be
lost itself on its way: whoever sent it cannot tell the two apart.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import sqlalchemy

Lost = Literal["answer", "commit"]
"""What does not arrive: the server's answer, though it has committed; or the commit itself."""

START_SECONDS = 10.0
_HEADER = 5
_LENGTH = 4
_END = b"\0"


class Cut:
    """One cut that is to be made; `made` is set once it is."""

    def __init__(self, statement: str, lost: Lost) -> None:
        self.statement = statement
        self.lost = lost
        self.made = threading.Event()


class CuttingProxy:
    """Where the product connects to instead of its database."""

    def __init__(self, url: str) -> None:
        named = sqlalchemy.make_url(url)
        self.server = (named.host or "127.0.0.1", named.port or 5432)
        self._named = named
        self._cut: Cut | None = None
        self._lock = threading.Lock()

    def listen_on(self, port: int) -> None:
        """From now on there is an address."""
        named = self._named.set(host="127.0.0.1", port=port, query={"sslmode": "disable"})
        self.url = named.render_as_string(hide_password=False)

    def cut(self, statement: str, lost: Lost) -> Cut:
        """Cut the connection that next commits a statement with this text in it."""
        with self._lock:
            self._cut = Cut(statement, lost)
            return self._cut

    def claim(self, sql: str) -> Cut | None:
        """The cut that this statement is waited for by, for the one connection that comes first."""
        with self._lock:
            if self._cut is None or self._cut.statement not in sql:
                return None
            claimed, self._cut = self._cut, None
            return claimed


class _Link:
    """One connection of the product's, with the server's end of it."""

    def __init__(self, proxy: CuttingProxy) -> None:
        self._proxy = proxy
        self._statements: dict[bytes, str] = {}
        self._in_transaction = False
        self._cut: Cut | None = None
        self._at_commit = False

    async def carry(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Pass everything on, both ways, until one end is closed or the cut is made."""
        server, forth = await asyncio.open_connection(*self._proxy.server)
        ways = [
            asyncio.create_task(_until_closed(self._ask, client, forth)),
            asyncio.create_task(_until_closed(self._answer, server, back)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            forth.transport.abort()
            back.transport.abort()

    async def _ask(self, client: asyncio.StreamReader, forth: asyncio.StreamWriter) -> None:
        forth.write(await _untyped(client))
        while True:
            message = await _typed(client)
            self._watch(message)
            if self._cut is not None and self._at_commit and self._cut.lost == "commit":
                self._cut.made.set()
                return
            forth.write(message)
            await forth.drain()

    def _watch(self, message: bytes) -> None:
        """Look what a message of the product's says; `_at_commit` once it is the one to cut."""
        kind, body = message[:1], message[_HEADER:]
        if kind == b"P":
            name, sql, _ = body.split(_END, 2)
            self._statements[name] = sql.decode()
        elif kind == b"B":
            _, name, _ = body.split(_END, 2)
            self._runs(self._statements[name])
        elif kind == b"Q":
            self._runs(body.rstrip(_END).decode())

    def _runs(self, sql: str) -> None:
        if self._cut is None:
            self._cut = self._proxy.claim(sql)
        if self._cut is not None and (not self._in_transaction or sql.startswith("COMMIT")):
            self._at_commit = True

    async def _answer(self, server: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while True:
            message = await _typed(server)
            ready = message[:1] == b"Z"
            if ready:
                self._in_transaction = message[_HEADER:] != b"I"
            if self._cut is None or not self._at_commit:
                back.write(message)
                await back.drain()
            elif ready:
                self._cut.made.set()
                return


async def _until_closed(
    work: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    try:
        await work(reader, writer)
    except (asyncio.IncompleteReadError, OSError):
        return


async def _untyped(reader: asyncio.StreamReader) -> bytes:
    """The first message of a connection; it has no type."""
    length = await reader.readexactly(_LENGTH)
    return length + await reader.readexactly(int.from_bytes(length) - _LENGTH)


async def _typed(reader: asyncio.StreamReader) -> bytes:
    header = await reader.readexactly(_HEADER)
    return header + await reader.readexactly(int.from_bytes(header[1:]) - _LENGTH)


@contextmanager
def cutting_proxy(url: str) -> Iterator[CuttingProxy]:
    """The proxy before the database at `url`, in a thread with a loop of its own."""
    proxy = CuttingProxy(url)
    started, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def carry(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        await _Link(proxy).carry(client, back)

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        async with await asyncio.start_server(carry, "127.0.0.1", 0) as server:
            proxy.listen_on(server.sockets[0].getsockname()[1])
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="proxy")
    thread.start()
    assert started.wait(START_SECONDS), "the proxy did not start"
    try:
        yield proxy
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(START_SECONDS)
