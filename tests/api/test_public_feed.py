"""`GET /api/offset-orders/public` on the wire."""

import asyncio
import re
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from fieldfare.db.pool import open_database
from fieldfare.impact.jobs import rebuild_feed
from tests.support.client import Api

PATH = "/api/offset-orders/public"
SEEN_WITHIN_S = 5.0


async def _rebuild(database_url: str) -> None:
    database = await open_database(database_url, pool_size=2, application="tests")
    try:
        await rebuild_feed(database, datetime.now(UTC))
    finally:
        await database.close()


def rebuild(api: Api) -> httpx.Response:
    """Build the feed and wait until it is served; other tests may build it too."""
    before = api.http.get(PATH).headers["etag"]
    asyncio.run(_rebuild(api.database_url))
    deadline = time.monotonic() + SEEN_WITHIN_S
    while (answer := api.http.get(PATH)).headers["etag"] == before:
        assert time.monotonic() < deadline, "the build was not served"
        time.sleep(0.05)
    return answer


def names(rows: list[dict[str, Any]]) -> set[str]:
    return {row["name"] for row in rows}


def test_before_the_first_build_an_empty_list_is_served_that_nobody_keeps(own_api: Api) -> None:
    answer = own_api.http.get(PATH)
    assert (answer.status_code, answer.json()) == (200, [])
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=0"
    assert answer.headers["access-control-allow-origin"] == "*"

    order = own_api.order(onBehalfOfName="Grace Hopper", note="Hush")
    assert own_api.http.get(PATH).json() == []
    served = rebuild(own_api)
    (row,) = served.json()
    assert list(row) == [
        "id", "name", "image_url", "portfolio_id", "portfolio_name", "tons", "created_at",
        "profile_url",
    ]  # fmt: skip
    assert (row["name"], row["image_url"], row["profile_url"]) == ("Anonymous", None, None)
    assert (row["portfolio_id"], row["portfolio_name"], row["tons"]) == (
        order["portfolio"]["id"],
        order["portfolio"]["name"],
        0.45,
    )
    for hidden in ("Hush", "Grace", "Team", order["id"]):
        assert hidden not in served.text
    (listed, *_) = own_api.get("/api/offset-orders").json()["offsetOrders"]
    assert row["created_at"] == listed["created_at"]


def test_whoever_has_it_already_gets_no_body(api: Api) -> None:
    api.order()
    first = rebuild(api)
    etag = first.headers["etag"]
    for tags in (etag, f'"other", W/{etag}', "*"):
        again = api.http.get(PATH, headers={"If-None-Match": tags})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
        assert "max-age" in again.headers["cache-control"]
        assert again.headers["access-control-allow-origin"] == "*"
    other = api.http.get(PATH, headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


def test_it_may_be_kept_until_the_hour_is_over(api: Api) -> None:
    api.order()
    rebuild(api)
    for _ in range(2):
        now = datetime.now(UTC)
        shown = api.http.get(PATH).headers["cache-control"]
        found = re.fullmatch(r"public, max-age=(\d+)", shown)
        assert found is not None
        left_s = 3600 - now.minute * 60 - now.second
        # Once more if the hour ended just now: then the feed is one of the hour before.
        if left_s - 10 <= int(found[1]) <= left_s:
            return
    pytest.fail(f"{shown} with {left_s} s of the hour left")


def test_everybody_gets_the_same(api: Api) -> None:
    api.order()
    body = rebuild(api).content
    world = api.world
    for token in (world.live_token, world.test_token, world.revoked_token, "nonsense"):
        answer = api.get(PATH, token)
        assert (answer.status_code, answer.content) == (200, body)


def test_a_browser_may_ask_from_any_page(api: Api) -> None:
    preflight = api.http.options(PATH, headers={"Origin": "https://shop.example"})
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "If-None-Match" in preflight.headers["access-control-allow-headers"]
    head = api.http.head(PATH)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"]
