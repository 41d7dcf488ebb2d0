"""The change feed: how a process learns that what it keeps in memory is out of date.

Whoever changes tokens, the catalogue or settings raises the revision of that topic in `db.change`
in the same transaction. Every process reads all revisions every 300 ms. What was cached under an
older revision is dropped, and if the last reading is older than a second no cache is used at all:
so a revocation holds everywhere within a second, behind a pooler and after a failover as well.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import structlog

from fieldfare.db.pool import DATABASE_DOWN, Connection, Database
from fieldfare.db.queries import load_queries
from fieldfare.kernel.errors import Unavailable

POLL_SECONDS = 0.3
STALE_SECONDS = 1.0
CLOSED_TOPIC = "closed"
"""A topic that is there while the shop is closed: `db.closing`."""

_queries = load_queries(__file__)
_log = structlog.get_logger(__name__)


class ChangeFeed:
    """The revisions as last read. Only the polling task writes; everybody else reads."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._revisions: dict[str, int] = {}
        self._read_at = float("-inf")

    def revision(self, topic: str) -> int | None:
        """The topic's revision, or None if the last reading is too old to be trusted."""
        if time.monotonic() - self._read_at > STALE_SECONDS:
            return None
        return self._revisions.get(topic, 0)

    @property
    def is_closed(self) -> bool:
        """Whether the shop was closed when the revisions were last read."""
        return CLOSED_TOPIC in self._revisions

    async def read(self) -> None:
        """Read all revisions now. The reading counts from before the query was sent."""
        asked_at = time.monotonic()
        async with asyncio.timeout(STALE_SECONDS):
            async with self._db.pool.acquire() as conn:
                rows = [row async for row in _queries.list_revisions(conn)]
        self._revisions = {row["topic"]: row["revision"] for row in rows}
        self._read_at = asked_at

    async def follow(self) -> None:
        """Read for ever; a reading that fails is logged and tried again."""
        while True:
            try:
                await self.read()
            except (*DATABASE_DOWN, Unavailable) as error:
                _log.warning("change_feed_unread", reason=type(error).__name__)
            await asyncio.sleep(POLL_SECONDS)


@contextlib.asynccontextmanager
async def following(feed: ChangeFeed) -> AsyncIterator[ChangeFeed]:
    """Keep `feed` up to date for as long as the block runs."""
    await feed.read()
    task = asyncio.create_task(feed.follow())
    try:
        yield feed
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def raise_revision(conn: Connection, topic: str) -> int:
    """Tell every process, at commit, that what it cached under `topic` is out of date."""
    revision: int = await _queries.raise_revision(conn, topic=topic)
    return revision
