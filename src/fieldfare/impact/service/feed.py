"""The public feed: who of the public bought what lately, as far as they chose to show it.

A job builds it once an hour into one row; each process keeps that in memory. What must hold: of an
account that did not choose to be public nothing is shown by which it could be told, and an order
that was hidden before a build began is not in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from fieldfare.accounts.service import list_public_profiles
from fieldfare.catalog.model import Catalogue
from fieldfare.db.cached import Cached
from fieldfare.db.changes import ChangeFeed, raise_revision
from fieldfare.db.pool import Connection, Database, connection
from fieldfare.impact import store
from fieldfare.impact.errors import OrderNotHidden, ReasonRefused
from fieldfare.impact.model import Feed, FeedEntry, HiddenOrder
from fieldfare.impact.rules import etag_of, feed_entry
from fieldfare.orders.service import history

TOPIC = "feed"
FEED_ROWS = 30
REASON_CHARACTERS = 500
NEVER = datetime(2000, 1, 1, tzinfo=UTC)
EMPTY = Feed(body=b"[]", etag=etag_of(b"[]"), built_at=NEVER)
"""What is served before the first build; nobody may keep it."""


class FeedCache:
    """The feed as of one revision of the topic `feed`."""

    def __init__(self, feed: ChangeFeed, db: Database) -> None:
        self._cached: Cached[Feed] = Cached(feed, TOPIC)
        self._db = db

    def kept(self) -> Feed | None:
        """The feed, if it need not be read."""
        return self._cached.kept()

    async def current(self) -> Feed:
        """The feed; raises `Unavailable` if it must be read and cannot be."""
        return await self._cached.current(lambda: load_feed(self._db))


@dataclass(frozen=True)
class FeedDesk:
    """Where the handler finds the feed."""

    public_feed: FeedCache


async def load_feed(db: Database) -> Feed:
    """The feed as it was built last."""
    async with connection(db) as conn:
        return await store.find_feed(conn) or EMPTY


async def lock_feed(conn: Connection) -> None:
    """Wait until no other transaction builds the feed; at commit every process reads it anew."""
    await raise_revision(conn, TOPIC)


async def list_entries(conn: Connection, catalogue: Catalogue) -> list[FeedEntry]:
    """The newest orders that may be shown, newest first, as they are to be shown."""
    hidden = await store.list_hidden(conn)
    purchases = await history.list_recent_purchases(
        conn, without_ids=[order.purchase_id for order in hidden], at_most=FEED_ROWS
    )
    profiles = await list_public_profiles(conn, {p.account_id for p in purchases})
    entries = [feed_entry(p, profiles.get(p.account_id), catalogue) for p in purchases]
    return sorted(entries, key=lambda entry: entry.created_at, reverse=True)


async def save_feed(conn: Connection, body: bytes, built_at: datetime) -> None:
    """Let this be the feed; the caller has called `lock_feed` before it read what is in it."""
    await store.upsert_feed(conn, Feed(body=body, etag=etag_of(body), built_at=built_at))


async def hide_order(conn: Connection, group_id: str, reason: str, now: datetime) -> None:
    """Keep an order out of the feed from its next build on; again, it changes the reason.

    Raises `OrderNotFound` or `ReasonRefused`.
    """
    reason = " ".join(reason.split())
    if not 1 <= len(reason) <= REASON_CHARACTERS:
        raise ReasonRefused(f"Say why, in 1 to {REASON_CHARACTERS} characters.")
    purchase_id = await history.get_purchase_id(conn, group_id)
    await store.upsert_hidden(
        conn, HiddenOrder(purchase_id=purchase_id, reason=reason, hidden_at=now)
    )


async def show_order(conn: Connection, group_id: str) -> None:
    """Let a hidden order be in the feed again; raises `OrderNotFound` or `OrderNotHidden`."""
    purchase_id = await history.get_purchase_id(conn, group_id)
    if not await store.delete_hidden(conn, purchase_id):
        raise OrderNotHidden(f"The order {group_id} is not hidden. Nothing was changed.")


async def list_hidden(conn: Connection) -> list[HiddenOrder]:
    """What operators keep out of the feed, newest decision first."""
    return await store.list_hidden(conn)


async def erase_reasons(conn: Connection, purchase_ids: Sequence[UUID]) -> None:
    """Forget why these orders are hidden, because that may name a person; they stay hidden."""
    await store.update_reasons_erased(conn, purchase_ids)
