"""A worker works only while the shop is open, and waits otherwise, however long.

What must hold: no job begins once a look has found the shop closed, and looks are half a second
apart; a database that does not answer ends nothing, as the parts of the worker see to that.
"""

import asyncio
import contextlib

import structlog

from fieldfare.cli.scheduler import work
from fieldfare.db.closing import is_closed
from fieldfare.db.pool import DATABASE_DOWN, Database, connection
from fieldfare.jobs import JobContext
from fieldfare.kernel.errors import Unavailable

LOOK_S = 0.5

_log = structlog.get_logger(__name__)


async def work_while_open(ctx: JobContext, stop: asyncio.Event) -> None:
    """Run the jobs whenever the shop is open, until `stop` is set."""
    while not stop.is_set():
        if await _is_closed(ctx.db) is False:
            await _work_until_closed(ctx, stop)
        else:
            _log.warning("worker_waits", reason="the shop is closed, or the database does not say")
            await _until(ctx.db, stop, closed=False)


async def _work_until_closed(ctx: JobContext, stop: asyncio.Event) -> None:
    pause = asyncio.Event()

    async def watch() -> None:
        await _until(ctx.db, stop, closed=True)
        pause.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        group.create_task(work(ctx, pause))


async def _until(db: Database, stop: asyncio.Event, *, closed: bool) -> None:
    """Return once the shop is found so, or `stop` is set."""
    while not stop.is_set() and await _is_closed(db) is not closed:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_S)


async def _is_closed(db: Database) -> bool | None:
    """None if the database does not say."""
    try:
        async with connection(db) as conn:
            return await is_closed(conn)
    except (*DATABASE_DOWN, Unavailable):
        return None
