"""The ranking, made anew from the wallets each minute, and the public feed, built each hour.

What must hold: the ranking is made by one process at a time, because two at once would wait for
each other's rows; whoever comes second leaves it to the first. A build of the feed waits for the
one before, so that the last to end is the last to have read what is hidden.
"""

from datetime import datetime

from fieldfare.catalog.service import load_catalogue
from fieldfare.db.locks import try_lock
from fieldfare.db.pool import Database, transaction
from fieldfare.http.encoding import encode_json
from fieldfare.impact.schemas import feed_row
from fieldfare.impact.service.feed import list_entries, lock_feed, save_feed
from fieldfare.impact.service.history import refresh_ranking


async def refresh_ranking_once(db: Database) -> int | None:
    """Bring the ranking up to date; gives the pages changed, None if another process is at it."""
    async with transaction(db) as conn:
        mine = await try_lock(conn, "impact.ranking")
        return await refresh_ranking(conn) if mine else None


async def rebuild_feed(db: Database, now: datetime) -> int:
    """Build the public feed from what the books say; gives how many orders are in it."""
    catalogue = await load_catalogue(db, now)
    async with transaction(db) as conn:
        await lock_feed(conn)
        rows = [feed_row(entry) for entry in await list_entries(conn, catalogue)]
        await save_feed(conn, encode_json(rows), now)
    return len(rows)
