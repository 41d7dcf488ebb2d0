"""`fieldfare serve`: the API of one process.

The port is bound before anything else is done, so that a taken one is told in one line. SIGTERM
closes the port, answers what is under way, and ends.
"""

import asyncio
import signal
import socket

import typer
import uvicorn
import uvloop

from fieldfare.cli.logs import configure_logs
from fieldfare.cli.steps import complain
from fieldfare.db.revision import MigrationRefused
from fieldfare.settings import Settings, SettingsRefused, read_settings

BACKLOG = 2_048
DRAIN_SECONDS = 20
KEEP_ALIVE_SECONDS = 75


def serve() -> None:
    """Serve the API on FIELDFARE_HOST and FIELDFARE_PORT from the database at DATABASE_URL.

    Example: DATABASE_URL=postgresql://fieldfare@db/fieldfare fieldfare serve
    """
    try:
        settings = read_settings()
        configure_logs(settings.log_level)
        with _bind(settings) as listener:
            # uvicorn raises the signal that stopped it once more when it has drained; by then there
            # is nothing left to do but to close what is open.
            for stopping in (signal.SIGINT, signal.SIGTERM):
                signal.signal(stopping, lambda *_: None)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_serve(settings, listener))
    except (SettingsRefused, MigrationRefused) as refusal:
        complain(str(refusal))
        raise typer.Exit(1) from refusal


def _bind(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise SettingsRefused(
            f"cannot listen on {settings.host} port {settings.port} ({error.strerror}); stop what "
            "uses it, or set FIELDFARE_PORT to another port"
        ) from error
    return listener


async def _serve(settings: Settings, listener: socket.socket) -> None:
    # Loaded here: a port that is taken should not cost the seconds of an import.
    from fieldfare.app import create_app

    async with create_app(settings) as app:
        config = uvicorn.Config(
            app,
            http="httptools",
            lifespan="off",
            access_log=False,
            log_config=None,
            backlog=BACKLOG,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        await uvicorn.Server(config).serve(sockets=[listener])
