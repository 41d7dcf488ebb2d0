"""The ranking, made anew from the wallets each minute.

What must hold: it is made by one process at a time, because two at once would wait for each other's
rows; whoever comes second leaves it to the first.
"""

from fieldfare.db.locks import try_lock
from fieldfare.db.pool import Database, transaction
from fieldfare.impact.service.history import refresh_ranking


async def refresh_ranking_once(db: Database) -> int | None:
    """Bring the ranking up to date; gives the rows changed, or None if another process is at it."""
    async with transaction(db) as conn:
        mine = await try_lock(conn, "impact.ranking")
        return await refresh_ranking(conn) if mine else None
