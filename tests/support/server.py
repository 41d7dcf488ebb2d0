"""The real application on a real port, for tests in the same process."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop

from fieldfare.app import create_app
from fieldfare.http.connection import Connection
from fieldfare.http.server import Server, config_of
from fieldfare.settings import Settings

START_SECONDS = 20.0


@contextmanager
def running_api(settings: Settings, *, protocol: type[Connection] = Connection) -> Iterator[str]:
    """Serve in a thread with a loop of its own; gives the base URL, and stops at the end."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    started: list[Server] = []
    failures: list[BaseException] = []

    async def serve() -> None:
        async with create_app(settings) as app:
            server = Server(config_of(app, protocol=protocol))
            started.append(server)
            # The protected method, because the public one takes over the process's signals.
            await server._serve([listener])

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(serve())
        except BaseException as failure:  # noqa: BLE001 - handed to the test that waits
            failures.append(failure)

    thread = threading.Thread(target=run, name="api")
    thread.start()
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (started and started[0].started):
            if failures:
                raise failures[0]
            assert time.monotonic() < deadline, "the application did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        if started:
            started[0].should_exit = True
        thread.join(timeout=START_SECONDS)
        listener.close()
