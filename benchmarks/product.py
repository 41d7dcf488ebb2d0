"""What the product's own jobs do at their time, done at once for a benchmark."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from fieldfare.catalog.model import Catalogue
from fieldfare.catalog.service import load_catalogue
from fieldfare.db.pool import Database, open_database, transaction
from fieldfare.impact.jobs import rebuild_feed
from fieldfare.impact.service.history import refresh_ranking

T = TypeVar("T")


def read_catalogue(database_url: str) -> Catalogue:
    """The catalogue of this moment."""
    return _with_database(database_url, lambda db: load_catalogue(db, datetime.now(UTC)))


def refresh_ranking_now(database_url: str) -> float:
    """Make the ranking from the wallets; gives the seconds that it took."""
    started = time.monotonic()
    _with_database(database_url, _refresh_ranking)
    return time.monotonic() - started


def rebuild_feed_now(database_url: str) -> int:
    """Build the public feed; gives how many orders are in it."""
    return _with_database(database_url, lambda db: rebuild_feed(db, datetime.now(UTC)))


async def _refresh_ranking(db: Database) -> int:
    async with transaction(db) as conn:
        # The first time every row is written; the job has a minute's changes to write.
        await conn.execute("set local statement_timeout = 0")
        return await refresh_ranking(conn)


def _with_database(database_url: str, work: Callable[[Database], Awaitable[T]]) -> T:
    return asyncio.run(_open_and_work(database_url, work))


async def _open_and_work(database_url: str, work: Callable[[Database], Awaitable[T]]) -> T:
    db = await open_database(database_url, pool_size=2, application="benchmark")
    try:
        return await work(db)
    finally:
        await db.close()
