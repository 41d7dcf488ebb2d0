"""A proxy before PostgreSQL of which one connection falls silent, and nothing is closed.

So it is when a firewall forgets a connection, or a machine has lost its power: whoever waits for an
answer waits until TCP itself gives up, many minutes later.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy

CHUNK_BYTES = 65_536


class SilencingProxy:
    """Where a pool connects to instead of its database."""

    def __init__(self, url: str, port: int) -> None:
        named = sqlalchemy.make_url(url)
        self.server = (named.host or "127.0.0.1", named.port or 5432)
        through = named.set(host="127.0.0.1", port=port, query={"sslmode": "disable"})
        self.url = through.render_as_string(hide_password=False)
        self.is_silent = asyncio.Event()
        self._silence_next = False
        self._ends: list[asyncio.StreamWriter] = []

    def silence_next(self) -> None:
        """What is sent next arrives nowhere, nor does anything more on that connection."""
        self._silence_next = True

    def end(self) -> None:
        """At last the silent connection breaks."""
        for end in self._ends:
            end.transport.abort()

    async def carry(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Pass everything on, both ways, until one end is closed."""
        server, forth = await asyncio.open_connection(*self.server)
        answering = asyncio.create_task(_pass_on(server, back))
        try:
            while chunk := await client.read(CHUNK_BYTES):
                if self._silence_next:
                    self._silence_next = False
                    self._ends = [forth, back]
                    self.is_silent.set()
                if forth not in self._ends:
                    forth.write(chunk)
        except OSError:
            pass
        finally:
            answering.cancel()
            for end in (forth, back):
                end.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
    except OSError:
        pass
    finally:
        writer.transport.abort()


@asynccontextmanager
async def silencing_proxy(url: str) -> AsyncIterator[SilencingProxy]:
    """The proxy before the database at `url`, on the loop of the test."""
    proxies: list[SilencingProxy] = []

    async def carry(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        await proxies[0].carry(client, back)

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    proxies.append(SilencingProxy(url, server.sockets[0].getsockname()[1]))
    try:
        yield proxies[0]
    finally:
        proxies[0].end()
        server.close()
