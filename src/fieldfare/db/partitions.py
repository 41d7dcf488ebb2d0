"""Keeping the monthly partitions of the large tables ahead of the calendar.

What must hold: a row of today always finds its partition, even if no worker has run for a year. No
partition takes in what has no other: a row without a month is refused, so what must never come to
that is told half a year before.
"""

from collections.abc import AsyncIterator
from datetime import datetime

import msgspec

from fieldfare.db.locks import try_lock, wait_at_most
from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.findings import Finding

MONTHS_AHEAD = 13
LEAST_DAYS_AHEAD = 180
"""With fewer, partitions have not been made for half a year, and somebody must see to it."""
PATIENCE_MS = 2_000
"""How long a lock on a table is waited for; orders never wait behind that."""

_queries = load_queries(__file__)


class RunningOut(msgspec.Struct, frozen=True):
    """A large table that will soon have no partition for its rows."""

    table: str
    until: datetime
    """An instant whose rows have none; those of the month before may have one."""


async def make_partitions(conn: Connection, months_ahead: int = MONTHS_AHEAD) -> int | None:
    """Make what is missing from this month to `months_ahead` months ahead; gives how many.

    Gives None if another process is at it; `HeldUp` is raised if a table is held for too long.
    """
    await wait_at_most(conn, PATIENCE_MS)
    # By the name that the function itself locks.
    if not await try_lock(conn, "db.make_partitions"):
        return None
    made: int = await _queries.make_partitions(conn, months_ahead=months_ahead)
    return made


async def list_running_out(
    conn: Connection, *, days_ahead: int = LEAST_DAYS_AHEAD
) -> list[RunningOut]:
    """The large tables that have partitions for less than `days_ahead` days."""
    return [
        RunningOut(row["table_name"], row["until"])
        async for row in _queries.list_running_out(conn, days_ahead=days_ahead)
    ]


async def verify_partitions(conn: Connection) -> AsyncIterator[Finding]:
    """Tell of each large table that will soon refuse rows."""
    for found in await list_running_out(conn):
        yield Finding(
            found.table,
            f"at={rfc3339(found.until)}",
            f"no partition holds rows of that instant, and {LEAST_DAYS_AHEAD} days ahead should be "
            "made: is a worker running? Its log tells of the job make_partitions",
        )
