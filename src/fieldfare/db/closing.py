"""Whether the shop is closed: then nothing is sold, and nothing is sent on anybody's behalf.

A restore brings back books that do not know what was charged after them. Until those are held
against the card processor's own lists the API refuses every request and no job runs. What must
hold: the mark is a row of `db.change`, so it is committed with what is restored, travels with every
copy of the database, and every process sees it within the 300 ms in which it reads the feed.
"""

from fieldfare.db.changes import CLOSED_TOPIC
from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.kernel.errors import Unavailable

CLOSE_SQL = "insert into db.change (topic, revision) values ('closed', 1) on conflict do nothing;"
"""For what restores a database: it closes the shop in the transaction that brings back the rows."""

_queries = load_queries(__file__)


class ShopClosed(Unavailable):
    """503: the books were restored and nobody has held them against the processor's yet."""

    code = "closed"
    retry_after_s = 30


async def close_shop(conn: Connection) -> None:
    """In the caller's transaction: sell nothing from now on."""
    await _queries.close_shop(conn, topic=CLOSED_TOPIC)


async def open_shop(conn: Connection) -> None:
    """In the caller's transaction: sell again."""
    await _queries.open_shop(conn, topic=CLOSED_TOPIC)


async def is_closed(conn: Connection) -> bool:
    """Whether the shop is closed, as this very transaction sees it."""
    return bool(await _queries.is_closed(conn, topic=CLOSED_TOPIC))


async def refuse_closed(conn: Connection) -> None:
    """For what moves money by hand; raises `ShopClosed`."""
    if await is_closed(conn):
        raise ShopClosed(
            "The shop is closed, because its books were restored and do not know what was charged "
            "since. Hold them against the card processor with `fieldfare open` first."
        )
