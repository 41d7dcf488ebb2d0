"""The process that answers `/metrics` for all processes of its machine.

It is no part of serving: it reads what they write (`telemetry.snapshots`) and what stands in the
database (`cli.facts`), so that a scrape takes none of their time, and its end ends nothing. What
must hold: one at a time reads a folder, because it also puts away what the ended have left.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
import uvloop
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from fieldfare.cli.ending import end_without_collecting
from fieldfare.cli.exposition import expose
from fieldfare.cli.facts import StoredFacts
from fieldfare.cli.listening import bind_metrics_port
from fieldfare.cli.logs import configure_logs
from fieldfare.cli.steps import complain
from fieldfare.db.embedded.locks import LockHeldError, take_lock
from fieldfare.settings import Settings, SettingsRefused, read_settings
from fieldfare.telemetry.snapshots import look, snapshot_folder

PATH = "/metrics"
MOST_AT_ONCE = 16
_LOOK_S = 0.5


class Exporter:
    """The application: one page."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = snapshot_folder(settings)
        self._facts = StoredFacts(settings.database_url)

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Answer a scrape; every other path is a 404, every other method a 405."""
        assert scope["type"] == "http"
        if scope["path"] != PATH:
            await _answer(send, 404, b"There is nothing here but /metrics.\n")
        elif scope["method"] not in {"GET", "HEAD"}:
            await _answer(send, 405, b"Use GET.\n", allow="GET, HEAD")
        else:
            accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
            facts = await self._facts.read()
            page, content_type = expose(look(self._folder), facts, self._settings, accept)
            await _answer(send, 200, page, content_type=content_type)

    async def close(self) -> None:
        """Give back what was opened."""
        await self._facts.close()


async def _answer(
    send: ASGISendCallable,
    status: int,
    body: bytes,
    *,
    content_type: str = "text/plain; charset=utf-8",
    allow: str | None = None,
) -> None:
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        *([] if allow is None else [(b"allow", allow.encode())]),
    ]
    await send({
        "type": "http.response.start", "status": status, "headers": headers, "trailers": False,
    })  # fmt: skip
    await send({"type": "http.response.body", "body": body, "more_body": False})


def export_until_stopped(settings: Settings, listener: socket.socket, parent: int | None) -> None:
    """Answer scrapes until SIGTERM or SIGINT, or until `parent` is not our parent any more.

    Raises `SettingsRefused` if another one does that for the same folder.
    """
    folder = snapshot_folder(settings)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_fd = take_lock(folder / "lock")
    except LockHeldError as held:
        raise SettingsRefused(
            f"process {held.pid} answers for {folder} already (`fieldfare serve` starts one by "
            "itself); scrape that one, or set FIELDFARE_HOME to another folder"
        ) from None
    except OSError as error:
        raise SettingsRefused(
            f"{folder} cannot be used ({error.strerror}); set FIELDFARE_HOME to a folder of yours"
        ) from error
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_export(settings, listener, parent))
    finally:
        os.close(lock_fd)


class _Server(uvicorn.Server):
    """uvicorn's server, which would have a signal take effect once more at its end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """A signal to stop ends it, and nothing else."""
        for signum in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signum, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True


async def _export(settings: Settings, listener: socket.socket, parent: int | None) -> None:
    exporter = Exporter(settings)
    server = _Server(
        uvicorn.Config(
            exporter,
            lifespan="off",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MOST_AT_ONCE,
            timeout_graceful_shutdown=2,
        )
    )
    watching = asyncio.create_task(end_with(parent, server)) if parent else None
    try:
        await server.serve(sockets=[listener])
    finally:
        if watching is not None:
            watching.cancel()
        await exporter.close()


async def end_with(parent: int, server: uvicorn.Server) -> None:
    """Off Linux nothing ends us with our parent."""
    while not server.should_exit:
        await asyncio.sleep(_LOOK_S)
        # Whoever was asked to stop meanwhile stays so: the server looks at it ten times a second.
        server.should_exit |= os.getppid() != parent


def main() -> int:
    """Answer on a socket that `fieldfare serve` has bound and passes on; gives the exit code."""
    end_without_collecting()
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--fd", type=int, required=True)
    with socket.socket(fileno=arguments.parse_args().fd) as listener:
        return run(listener, parent=os.getppid())


def run(listener: socket.socket | None, *, parent: int | None = None) -> int:
    """Answer scrapes, on FIELDFARE_METRICS_PORT unless a socket is given; gives the exit code."""
    try:
        settings = read_settings()
        configure_logs(settings.log_level)
        with listener or bind_metrics_port(settings) as bound:
            export_until_stopped(settings, bound, parent)
    except SettingsRefused as refusal:
        complain(str(refusal))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
