"""An account's mass among all others'."""

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries

_queries = load_queries(__file__)


async def find_totals(conn: Connection, account_id: int) -> tuple[int, int, int]:
    """An account's certified mass in mg, the rank of that, and how many accounts are ranked."""
    row = await _queries.find_totals(conn, account_id=account_id)
    return row["certified_mg"], row["rank"], row["accounts"]


async def refresh_ranking(conn: Connection) -> int:
    """Bring the ranking to what the wallets say; gives how many pages of it changed."""
    await _queries.allow_refresh(conn)
    rows = [row async for row in _queries.refresh_ranking(conn)]
    changed: int = rows[0]["pages_changed"]
    return changed
