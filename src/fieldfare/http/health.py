"""`/healthz` and `/readyz`: is the process alive, and may it be sent requests?"""

import asyncio
from typing import Any

from litestar import Response

from fieldfare.db.changes import STALE_SECONDS
from fieldfare.db.pool import DATABASE_DOWN
from fieldfare.http.answers import json_answer
from fieldfare.http.auth import PRINCIPAL_TOPIC
from fieldfare.http.call import OpenCall
from fieldfare.http.edge import edge_of


async def healthz(call: OpenCall[Any]) -> Response[bytes]:
    """`GET /healthz`: this process answers."""
    return json_answer({"status": "ok"})


async def readyz(call: OpenCall[Any]) -> Response[bytes]:
    """`GET /readyz`: the database answers too and the caches are fresh; otherwise 503.

    A closed shop is ready: what answers its clients that it is closed, and when to come again, is
    this process.
    """
    edge = edge_of(call.request)
    checks = {
        "database": await _answers(edge.db),
        "change_feed": edge.feed.revision(PRINCIPAL_TOPIC) is not None,
    }
    ready = all(checks.values())
    status = "closed" if edge.feed.is_closed else "ready"
    return json_answer(
        {"status": status if ready else "unavailable", "checks": checks},
        status=200 if ready else 503,
        headers=None if ready else {"Retry-After": "1"},
    )


async def _answers(db: Any) -> bool:
    try:
        async with asyncio.timeout(STALE_SECONDS):
            async with db.pool.acquire() as conn:
                await conn.execute("select 1")
    except DATABASE_DOWN:
        return False
    return True
