"""`fieldfare worker`: the process that runs the jobs; any number of them, on any machines.

What must hold: it ends only when it is asked to, because a supervisor takes its end for the end of
the product. A database that goes away, or a shop that is closed, is waited for, however long;
SIGTERM or SIGINT lets the jobs that are under way finish for some seconds, and then ends it with
exit code 0.
"""

import asyncio
import contextlib
import signal
from collections.abc import Iterator

import typer

from fieldfare.cli.steps import complain
from fieldfare.db.errors import MigrationRefused
from fieldfare.settings import Settings, SettingsRefused, read_settings
from fieldfare.telemetry.families import CALLS_WAITING

CLOSE_S = 2.0


def worker() -> None:
    """Run the jobs, such as the ranking, on the database at DATABASE_URL, until SIGTERM or Ctrl-C.

    Example: DATABASE_URL=postgresql://fieldfare@db/fieldfare fieldfare worker
    """
    # Loaded here, as in every command: what carries it out, so that --help need not wait for it.
    import uvloop

    from fieldfare.cli.logs import configure_logs

    try:
        settings = read_settings()
        configure_logs(settings.log_level)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run_watched(settings))
    except (SettingsRefused, MigrationRefused) as refusal:
        complain(str(refusal))
        raise typer.Exit(1) from refusal


async def _run_watched(settings: Settings) -> None:
    from fieldfare.telemetry.snapshots import keeping
    from fieldfare.telemetry.traces import tracing

    async with keeping(settings, "worker"), tracing(settings, "fieldfare-worker"):
        await run_worker(settings)


async def run_worker(settings: Settings) -> None:
    """Run every schedule until a signal to stop.

    Raises `SettingsRefused` or `MigrationRefused` if it cannot start: one line with the next step.
    """
    if settings.database_url is None:
        raise SettingsRefused(
            "DATABASE_URL is not set; name a PostgreSQL server, or use `fieldfare up`, which "
            "starts one and a worker with it"
        )
    with _stop_on_signals() as stop:
        from fieldfare.cli.opening_hours import work_while_open
        from fieldfare.db.pool import watch_pool
        from fieldfare.db.revision import open_migrated_database
        from fieldfare.jobs import close_context, make_context

        db = await open_migrated_database(
            settings.database_url, pool_size=settings.pool_size, application="fieldfare-worker"
        )
        try:
            watch_pool(db)
            context = make_context(db, settings)
            try:
                if context.gateway is not None and context.gateway.pace is not None:
                    CALLS_WAITING.watch(context.gateway.pace.waiting_by_line)
                await work_while_open(context, stop)
            finally:
                await close_context(context)
        finally:
            # By now nothing is under way: only a server that does not answer takes longer.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await db.close()


@contextlib.contextmanager
def _stop_on_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set within the block; after it they have no effect."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    for signum in signals:
        # Not by the loop: until it has given its handler back, a signal would kill the process.
        signal.signal(signum, lambda *_: loop.call_soon_threadsafe(stop.set))
    try:
        yield stop
    finally:
        for signum in signals:
            # The process is about to end well, which being asked once more does not change.
            signal.signal(signum, signal.SIG_IGN)
