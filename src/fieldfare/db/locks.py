"""Locks by name, for work that one process at a time should do, and patience with locks."""

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries

_queries = load_queries(__file__)


async def try_lock(conn: Connection, name: str) -> bool:
    """Whether this transaction now holds the lock `name`; never waits, let go at its end."""
    mine: bool = await _queries.try_lock(conn, name=name)
    return mine


async def wait_at_most(conn: Connection, patience_ms: int) -> None:
    """Let this transaction wait no longer than that for any lock; then `HeldUp` is raised."""
    await _queries.wait_at_most(conn, patience_ms=patience_ms)
