"""The ranking's rows: one typed function for each query."""

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries

_queries = load_queries(__file__)


async def find_rank(conn: Connection, certified_mg: int) -> tuple[int, int]:
    """The rank of a mass above zero, and how many accounts are ranked."""
    row = await _queries.find_rank(conn, certified_mg=certified_mg)
    return row["rank"], row["accounts"]


async def refresh_ranking(conn: Connection) -> int:
    """Bring the ranking to what the wallets say; gives how many rows changed."""
    rows = [row async for row in _queries.refresh_ranking(conn)]
    changed: int = rows[0]["rows_changed"]
    return changed
