"""`GET /api/offset-orders/public`: the newest orders of all, as everybody sees them.

Served from memory, and the same for whoever asks: no desk is in between, because test mode has no
public of its own.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from litestar import Response

from fieldfare.http.answers import bytes_answer
from fieldfare.http.call import OpenCall
from fieldfare.http.edge import ANY_ORIGIN, edge_of
from fieldfare.http.ready import ReadyAnswer, ready_json
from fieldfare.impact.model import Feed
from fieldfare.impact.rules import has_already, seconds_left
from fieldfare.impact.service.feed import FeedDesk


async def list_public_offset_orders(call: OpenCall[Any]) -> Response[bytes]:
    """The feed, or 304 to whoever has it already."""
    desk: FeedDesk = edge_of(call.request).live_desk
    feed = await desk.public_feed.current()
    headers = _headers(feed, datetime.now(UTC))
    if has_already(feed.etag, call.request.headers.get("if-none-match")):
        return Response(b"", status_code=304, headers=headers)
    return bytes_answer(feed.body, headers=headers)


def find_ready_feed(desk: FeedDesk) -> ReadyAnswer | None:
    """The same for whoever has nothing yet, unless the feed must be read."""
    feed = desk.public_feed.kept()
    return None if feed is None else _ready(feed, int(datetime.now(UTC).timestamp()))


@lru_cache(maxsize=1)
def _ready(feed: Feed, second: int) -> ReadyAnswer:
    headers = _headers(feed, datetime.fromtimestamp(second, UTC))
    return ready_json(feed.body, {**headers, **ANY_ORIGIN})


def _headers(feed: Feed, now: datetime) -> dict[str, str]:
    max_age = seconds_left(feed.built_at, now)
    return {"ETag": feed.etag, "Cache-Control": f"public, max-age={max_age}"}
