"""`GET /api/offset-orders/public`: the newest orders of all, as everybody sees them.

Served from memory, and the same for whoever asks: no desk is in between, because test mode has no
public of its own.
"""

from datetime import UTC, datetime
from typing import Any

from litestar import Response

from fieldfare.http.answers import bytes_answer
from fieldfare.http.call import OpenCall
from fieldfare.http.edge import edge_of
from fieldfare.impact.rules import has_already, seconds_left
from fieldfare.impact.service.feed import FeedDesk


async def list_public_offset_orders(call: OpenCall[Any]) -> Response[bytes]:
    """The feed, or 304 to whoever has it already."""
    desk: FeedDesk = edge_of(call.request).live_desk
    feed = await desk.public_feed.current()
    max_age = seconds_left(feed.built_at, datetime.now(UTC))
    headers = {"ETag": feed.etag, "Cache-Control": f"public, max-age={max_age}"}
    if has_already(feed.etag, call.request.headers.get("if-none-match")):
        return Response(b"", status_code=304, headers=headers)
    return bytes_answer(feed.body, headers=headers)
