"""One process of the API: the application behind uvicorn, on a socket that is bound.

`fieldfare serve` is such a process itself, or keeps the port and starts several that share it, each
as `python -m fieldfare.cli.serving`. Asked to stop, a process closes the
port, refuses what still comes in on open connections, answers what is under way, and ends.
"""

import asyncio
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
import uvloop

from fieldfare.app import create_app
from fieldfare.cli.ending import end_without_collecting
from fieldfare.cli.listening import bind_shared_port
from fieldfare.cli.logs import configure_logs
from fieldfare.cli.processes import SETTINGS_REFUSED
from fieldfare.cli.steps import complain
from fieldfare.db.errors import MigrationRefused
from fieldfare.http.server import Server, config_of
from fieldfare.settings import Settings, SettingsRefused, read_settings
from fieldfare.telemetry.snapshots import keeping
from fieldfare.telemetry.traces import tracing

LINGER_SECONDS = 1.0
"""How long a client that keeps a connection open and uses it is told 503 before it is closed."""


def serve_until_stopped(settings: Settings, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, and answer what is under way by then.

    Raises `SettingsRefused` or `MigrationRefused` if it cannot start: one line with the next step.
    """
    _allow_open_files()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, listener))


def _allow_open_files() -> None:
    """As many as may be: each client that waits is one, and the usual limit is 1,024 of them."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(settings: Settings, listener: socket.socket) -> None:
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    async with (
        keeping(settings, "api"),
        tracing(settings, "fieldfare-api"),
        create_app(settings, is_stopping=stop.is_set) as app,
    ):
        await _Server(config_of(app), stop).serve(sockets=[listener])


class _Server(Server):
    """Our server, except for how it is stopped."""

    def __init__(self, config: uvicorn.Config, stop: asyncio.Event) -> None:
        super().__init__(config)
        self._stop = stop

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: they were ours before there was a server to stop."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to stop."""
        self.should_exit = self._stop.is_set()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the port, wait for who still sends, then drain."""
        for server in self.servers:
            server.close()
        waited_s = 0.0
        while self.server_state.connections and waited_s < LINGER_SECONDS:
            await asyncio.sleep(0.05)
            waited_s += 0.05
        await super().shutdown(sockets)


def main() -> int:
    """Serve on a port that whoever started us keeps; gives the exit code."""
    end_without_collecting()
    try:
        settings = read_settings()
        configure_logs(settings.log_level)
        with bind_shared_port(settings) as listener:
            serve_until_stopped(settings, listener)
    except SettingsRefused as refusal:
        complain(str(refusal))
        return SETTINGS_REFUSED
    except MigrationRefused as refusal:
        complain(str(refusal))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
