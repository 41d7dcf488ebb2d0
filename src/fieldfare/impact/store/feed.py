"""The public feed as it was built last, and what is kept out of it."""

from collections.abc import Sequence
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.impact.model import Feed, HiddenOrder

_queries = load_queries(__file__)


async def find_feed(conn: Connection) -> Feed | None:
    """The feed as it was built last."""
    row = await _queries.find_feed(conn)
    return None if row is None else Feed(**row)


async def upsert_feed(conn: Connection, feed: Feed) -> None:
    """Put a feed in the place of the one before."""
    await _queries.upsert_feed(conn, body=feed.body, etag=feed.etag, built_at=feed.built_at)


async def list_hidden(conn: Connection) -> list[HiddenOrder]:
    """Every order that is kept out of the feed, the last decision first."""
    return [HiddenOrder(**row) async for row in _queries.list_hidden(conn)]


async def upsert_hidden(conn: Connection, order: HiddenOrder) -> None:
    """Keep an order out of the feed, or change why."""
    await _queries.upsert_hidden(
        conn, purchase_id=order.purchase_id, reason=order.reason, hidden_at=order.hidden_at
    )


async def delete_hidden(conn: Connection, purchase_id: UUID) -> bool:
    """Let an order be in the feed again; False if it was not hidden."""
    return await _queries.delete_hidden(conn, purchase_id=purchase_id) is not None


async def update_reasons_erased(conn: Connection, purchase_ids: Sequence[UUID]) -> None:
    """What was written about why these orders are hidden goes; they stay hidden."""
    await _queries.update_reasons_erased(conn, purchase_ids=purchase_ids)
