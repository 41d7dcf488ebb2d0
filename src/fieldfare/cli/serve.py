"""`fieldfare serve`: the API, by as many processes as there are cores behind one port.

The port is bound before anything else is done, so that a taken one is told in one line. SIGTERM
closes the port, answers what is under way, and ends.
"""

import asyncio
import contextlib
import socket

import typer

from fieldfare.cli.listening import bind_metrics_port, bind_port, share_port
from fieldfare.cli.steps import complain
from fieldfare.db.errors import MigrationRefused
from fieldfare.settings import Settings, SettingsRefused, read_settings


def serve() -> None:
    """Serve the API on FIELDFARE_HOST and FIELDFARE_PORT from the database at DATABASE_URL.

    Example: DATABASE_URL=postgresql://fieldfare@db/fieldfare fieldfare serve
    """
    from fieldfare.cli.logs import configure_logs

    try:
        settings = read_settings()
        configure_logs(settings.log_level)
        raise typer.Exit(_serve(settings))
    except (SettingsRefused, MigrationRefused) as refusal:
        complain(str(refusal))
        raise typer.Exit(1) from refusal


def _serve(settings: Settings) -> int:
    """Serve by this process or by others until a signal to stop; gives the exit code."""
    with bind_port(settings) as port, _metrics_port(settings) as metrics:
        # Loaded here: a port that is taken should not cost the time of an import.
        from fieldfare.cli.budget import plan_processes

        count = asyncio.run(plan_processes(settings))
        if count > 1 or metrics is not None:
            from fieldfare.cli.processes import serve_by_processes
            from fieldfare.telemetry.snapshots import open_keeper

            share_port(port)
            return serve_by_processes(count, metrics, open_keeper(settings, "supervisor"))
        from fieldfare.cli.serving import serve_until_stopped

        serve_until_stopped(settings, port)
        return 0


def _metrics_port(settings: Settings) -> contextlib.AbstractContextManager[socket.socket | None]:
    """The port for metrics, if there is to be one."""
    if settings.metrics_port is None:
        return contextlib.nullcontext()
    return bind_metrics_port(settings)
