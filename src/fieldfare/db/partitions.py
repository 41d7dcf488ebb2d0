"""Keeping the monthly partitions of the large tables ahead of the calendar.

What must hold: a row of today always finds its partition, even if no worker has run for a
year.
"""

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries

MONTHS_AHEAD = 13

_queries = load_queries(__file__)


async def make_partitions(conn: Connection) -> int:
    """Make what is missing from this month to `MONTHS_AHEAD` months ahead; gives how many."""
    made: int = await _queries.make_partitions(conn, months_ahead=MONTHS_AHEAD)
    return made
