"""Rate limits on the wire: headers, refusals that make nothing, and whose bucket it is."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_network

import httpx
import pytest

from fieldfare.accounts import service as accounts
from fieldfare.db.changes import POLL_SECONDS
from fieldfare.db.pool import open_database, transaction
from fieldfare.http.edge import Route
from fieldfare.routes import ROUTES
from fieldfare.settings import Settings
from fieldfare.telemetry.families import REFUSED
from fieldfare.telemetry.meters import Samples
from tests.support.client import Api, assert_refused
from tests.support.databases import new_database
from tests.support.server import running_api
from tests.support.world import make_world

LIMIT = re.compile(r'"default";r=(\d+);t=(\d+)')
BALANCE = "/api/credits/balance"
ORDERS = "/api/offset-orders"
FEED = "/api/offset-orders/public"
BURST = 12
WRONG = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def limited(server_url: str, template: str) -> Iterator[tuple[str, str]]:
    """An API with small limits behind a proxy on this machine, and its database."""
    with new_database(server_url, template=template) as url:
        settings = Settings(
            database_url=url,
            rate_per_second=1,
            rate_burst=BURST,
            address_rate_per_second=1,
            address_rate_burst=BURST,
            trusted_proxies=(ip_network("127.0.0.0/8"),),
        )
        with running_api(settings) as base_url:
            yield base_url, url


@pytest.fixture
def api(limited: tuple[str, str]) -> Iterator[Api]:
    """Accounts that nobody has used yet."""
    base_url, database_url = limited
    with httpx.Client(base_url=base_url, timeout=30) as http:
        yield Api(base_url, database_url, asyncio.run(make_world(database_url)), http)


def refused(
    api: Api, ask: Callable[[], httpx.Response], token: str | None = None
) -> httpx.Response:
    """The answer to a request for which nothing is left; a token comes back each second."""
    for _ in range(20 * BURST):
        while api.get(BALANCE, token).status_code != 429:
            pass
        answer = ask()
        if answer.status_code == 429:
            return answer
    raise AssertionError("nothing was refused")


def issue_another(api: Api) -> str:
    """One more token of the live team."""

    async def issue() -> str:
        database = await open_database(api.database_url, pool_size=2, application="tests")
        try:
            async with transaction(database) as conn:
                now = datetime.now(UTC)
                issued = await accounts.issue_token(
                    conn, api.world.team_id, "team_live", "another", now
                )
                return issued.token
        finally:
            await database.close()

    return asyncio.run(issue())


def test_every_answer_to_a_known_caller_says_what_is_left(api: Api) -> None:
    left = []
    for answer in (
        api.get(BALANCE),
        api.get(ORDERS),
        api.post(ORDERS, {"tons": -1}),
        api.get("/api/portfolios"),
        api.http.head(BALANCE, headers=api.auth()),
    ):
        assert answer.headers["ratelimit-policy"] == f'"default";q={BURST};w={BURST}'
        told = LIMIT.fullmatch(answer.headers["ratelimit"])
        assert told
        left.append(int(told[1]))
        # Spread over so many seconds, no more than the rate.
        assert int(told[2]) == max(1, left[-1])
    assert left[0] == BURST - 1
    # One comes back each second, and the requests are many more than that.
    assert max(left[1:]) < BURST
    for open_to_all in (api.get("/healthz", ""), api.get("/api/portfolios", "")):
        assert "ratelimit" not in open_to_all.headers


def test_what_is_refused_made_nothing_and_is_kept_under_no_key(api: Api) -> None:
    statuses: list[int] = []

    def order() -> httpx.Response:
        answer = api.post(
            ORDERS, {"tons": 0.01, "paymentMethod": "credits"}, key=f"k{len(statuses)}"
        )
        statuses.append(answer.status_code)
        return answer

    answer = refused(api, order)
    assert "nothing was done" in assert_refused(answer, 429, "rate_limited")["message"]
    wait_s = int(answer.headers["retry-after"])
    assert wait_s >= 1
    assert answer.headers["ratelimit"] == f'"default";r=0;t={wait_s}'
    assert "x-request-id" in answer.headers
    made = "select count(*) from orders.purchase where account_id = %s"
    assert api.sql(made, api.world.team_id) == [(statuses.count(200),)]
    # A body that would be a 413 is not even looked at.
    refused(api, lambda: api.post(ORDERS, content=b"{" * 70_000, content_type="text/csv"))
    key = f"k{len(statuses) - 1}"
    body = {"tons": 0.02, "paymentMethod": "credits"}
    while (sold := api.post(ORDERS, body, key=key)).status_code == 429:
        pass
    assert (sold.status_code, "idempotency-replayed" in sold.headers) == (200, False)


def test_all_tokens_of_an_account_share_a_bucket_and_others_do_not(api: Api) -> None:
    another, world = issue_another(api), api.world
    refused(api, lambda: api.get(BALANCE, another))
    for other in (world.test_token, world.personal_token, world.second_token):
        assert api.get(BALANCE, other).status_code == 200
    answer = refused(api, lambda: api.get(BALANCE, world.test_token), world.test_token)
    assert answer.headers["ratelimit"].startswith('"default";r=0;')
    assert api.get(BALANCE, world.second_token).status_code == 200


def ask_as(api: Api, token: str, *said: str, path: str = BALANCE) -> httpx.Response:
    """Ask as whoever the proxy says."""
    headers = [("X-Forwarded-For", hop) for hop in said]
    headers += list(api.auth(token).items())
    return api.http.get(path, headers=headers)


def turned_away(api: Api, said: str) -> bool:
    """Whether an address has nothing left; a token comes back each second."""
    answers = [ask_as(api, "", "1.1.1.1", said).status_code for _ in range(3 * BURST)]
    assert set(answers) <= {403, 429}
    return 429 in answers


def test_strangers_are_counted_by_the_address_that_the_proxy_saw(api: Api) -> None:
    for number in range(BURST):
        # What the client itself wrote stands to the left.
        answer = ask_as(api, WRONG if number % 2 else "", f"1.1.1.{number}, 203.0.113.9")
        assert answer.status_code == 403
        assert "ratelimit" not in answer.headers
    for path in (BALANCE, "/api/portfolios", "/api/offset-orders/public"):
        for token in (WRONG, ""):
            for _ in range(20):
                answer = ask_as(api, token, "1.1.1.1", "203.0.113.9", path=path)
                if answer.status_code == 429:
                    break
            assert_refused(answer, 429, "rate_limited")
            assert int(answer.headers["retry-after"]) >= 1
    assert ask_as(api, WRONG, "203.0.113.10").status_code == 403
    # What watches us is let in.
    assert ask_as(api, "", "203.0.113.9", path="/readyz").status_code == 200


def test_good_tokens_use_nothing_of_an_address(api: Api) -> None:
    said, world = "203.0.113.20", api.world
    # A token was revoked as these accounts were made: whoever is known before the API hears of it
    # is looked up anew then.
    time.sleep(2 * POLL_SECONDS)
    for _ in range(BURST // 2):
        for token in (world.live_token, world.second_token, world.personal_token):
            assert ask_as(api, token, said).status_code == 200
    assert [ask_as(api, "", said).status_code for _ in range(BURST)] == [403] * BURST
    assert turned_away(api, said)
    # Those who were known before are served from an address that has nothing left.
    assert ask_as(api, world.second_token, said).status_code == 200


UNCOUNTED = {"/healthz", "/readyz", "/webhooks/stripe"}
"""What watches over us, and what must reach us."""


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.needs == "nothing"], ids=lambda route: route.path
)
def test_whatever_is_open_to_all_is_counted_by_address(api: Api, route: Route) -> None:
    """A page that is set in type costs more than a list."""
    path = re.sub(r"\{.*?\}", "0" * 32, route.path)
    for _ in range(3 * BURST):
        answer = api.http.request(route.method, path)
        if answer.status_code == 429:
            break
    assert (answer.status_code == 429) is (route.path not in UNCOUNTED)


def test_whoever_is_sent_away_is_counted(api: Api) -> None:
    """By account, by address, and by address before the framework is entered."""
    for path, token in ((BALANCE, None), (BALANCE, WRONG), (FEED, "")):
        # More than may be at once: of so many some are refused, whatever came before.
        before = _rate_limited(REFUSED.samples())
        answers = [api.get(path, token).status_code for _ in range(2 * BURST)]
        assert answers.count(429) > 0
        assert _rate_limited(REFUSED.samples()) - before == answers.count(429)


def _rate_limited(samples: Samples) -> float:
    return sum(cell[0] for labels, cell in samples if labels == ("rate_limited",))
