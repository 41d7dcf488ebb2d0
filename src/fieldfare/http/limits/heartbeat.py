"""The heartbeat: once a second each process says what it needs of which limits, and hears the rest.

One row for each process, written and read in one statement. What must hold: no request waits for
it; a row has a bounded size, however many accounts there are; who has not been heard for
`ALIVE_S` is no longer reckoned with. While the database is away every process keeps the part that
it has, so that together they let in neither more nor less than before.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import structlog

from fieldfare.db.ids import new_id
from fieldfare.db.pool import DATABASE_DOWN, Database
from fieldfare.db.queries import load_queries
from fieldfare.http.limits.buckets import SharedBuckets, Voice
from fieldfare.kernel.buckets import BEAT_S
from fieldfare.kernel.shares import Claim

ALIVE_S = 3.5
"""Three beats and a late one."""
SOONEST_S = 0.1
"""Between two beats, if a part runs out before the next one is due."""
PATIENCE_S = 1.0

_queries = load_queries(__file__)
_log = structlog.get_logger(__name__)


class Heartbeat:
    """One process's voice among all that serve from a database."""

    def __init__(self, db: Database, buckets: SharedBuckets) -> None:
        self._db = db
        self._buckets = buckets
        self._process_id = new_id()
        self._alarm = asyncio.Event()
        buckets.on_alarm = self._alarm.set

    async def beat(self) -> None:
        """Say and hear once; if that fails it is logged, and the next beat comes in its time."""
        try:
            await self._say_and_hear()
        except DATABASE_DOWN as error:
            _log.warning("heartbeat_missed", reason=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - a limit that is not shared is still a limit
            _log.error("heartbeat_failed", exc_info=error)

    async def go_on(self) -> None:
        """Beat for ever."""
        while True:
            await asyncio.sleep(SOONEST_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._alarm.wait(), BEAT_S - SOONEST_S)
            await self.beat()

    async def _say_and_hear(self) -> None:
        self._alarm.clear()
        claims = self._buckets.claim(time.monotonic())
        async with asyncio.timeout(PATIENCE_S), self._db.pool.acquire() as conn:
            rows = [
                row
                async for row in _queries.beat(
                    conn,
                    process_id=self._process_id,
                    accounts=[claim.key for claim in claims],
                    owed=[claim.owed for claim in claims],
                    wants=[claim.wants for claim in claims],
                    uses=[claim.uses for claim in claims],
                    alive_s=ALIVE_S,
                )
            ]
        self._buckets.hear([_read_voice(row) for row in rows], time.monotonic())

    async def leave(self) -> None:
        """Say that this process stops; if that fails, it is forgotten soon."""
        with contextlib.suppress(*DATABASE_DOWN):
            async with asyncio.timeout(PATIENCE_S), self._db.pool.acquire() as conn:
                await _queries.leave(conn, process_id=self._process_id)


@contextlib.asynccontextmanager
async def beating(heartbeat: Heartbeat) -> AsyncIterator[None]:
    """Take part for as long as the block runs; the others are heard before it begins."""
    await heartbeat.beat()
    task = asyncio.create_task(heartbeat.go_on())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await heartbeat.leave()


def _read_voice(row: Any) -> Voice:
    columns = zip(row["accounts"], row["owed"], row["wants"], row["uses"], strict=True)
    claims = [
        Claim(key=key, owed=owed, wants=wants, uses=uses) for key, owed, wants, uses in columns
    ]
    return Voice(age_s=row["age_s"], claims=claims)
