"""How many connections the database server gives to the product."""

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries

_queries = load_queries(__file__)


async def count_connections_allowed(conn: Connection) -> int:
    """The server's `max_connections`, less what it keeps for its administrators."""
    allowed: int = await _queries.count_connections_allowed(conn)
    return allowed
