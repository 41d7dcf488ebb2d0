"""Locks by name, for work that one process at a time should do."""

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries

_queries = load_queries(__file__)


async def try_lock(conn: Connection, name: str) -> bool:
    """Whether this transaction now holds the lock `name`; never waits, let go at its end."""
    mine: bool = await _queries.try_lock(conn, name=name)
    return mine
