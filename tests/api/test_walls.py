"""Every route against everybody: who is let in, and one answer for "not yours" and "not there".

Made from the list of routes: a route that is added without a line in the tables below fails here.
"""

import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from fieldfare.http.edge import Route
from fieldfare.routes import ROUTES
from tests.support.client import Api, assert_refused

LIVE_ID = "{live}"
"""Stands for the id of an order of the live team."""
TEST_ID = f"test_oo_{0:032x}"


@dataclass(frozen=True)
class Example:
    """A request that a route answers with 200, or with `status` if it lets anybody in."""

    path: str
    body: dict[str, Any] | None = None
    test_path: str | None = None
    """Where the id in the path is another one in test mode."""
    status: int = 200
    """Of a public route that asks for something else than a token, a signature for instance."""
    by_card: bool = False
    """Whether who is let in is asked for a card, which nobody here has."""


ORDER = {"tons": 0.01, "paymentMethod": "credits"}
TREES = {"amountOfTrees": 1, "paymentMethod": "credits"}
PROJECT = {"projectId": 1, "amountInUsdCents": 100, "paymentMethod": "credits"}
EXAMPLES = {
    ("GET", "/healthz"): Example("/healthz"),
    ("GET", "/readyz"): Example("/readyz"),
    ("GET", "/api/portfolios"): Example("/api/portfolios"),
    ("POST", "/api/offset-orders"): Example("/api/offset-orders", ORDER),
    ("GET", "/api/offset-orders"): Example("/api/offset-orders"),
    ("GET", "/api/offset-orders/public"): Example("/api/offset-orders/public"),
    ("POST", "/api/tree-orders"): Example("/api/tree-orders", TREES),
    ("POST", "/api/tree-orders/preview"): Example("/api/tree-orders/preview", {"amountOfTrees": 1}),
    ("POST", "/api/project-orders"): Example("/api/project-orders", PROJECT),
    ("GET", "/api/tree-orders"): Example("/api/tree-orders"),
    ("GET", "/api/project-donations"): Example("/api/project-donations"),
    ("GET", "/api/purchases"): Example("/api/purchases"),
    ("GET", "/api/orders/{purchase_id:str}"): Example(
        f"/api/orders/{LIVE_ID}", test_path=f"/api/orders/{TEST_ID}"
    ),
    ("GET", "/api/offset-orders/certificate/by-group/{group_id:str}"): Example(
        f"/api/offset-orders/certificate/by-group/{LIVE_ID}",
        test_path=f"/api/offset-orders/certificate/by-group/{TEST_ID}",
    ),
    ("GET", "/api/certificates/{slug:str}/verify"): Example(f"/api/certificates/{TEST_ID}/verify"),
    ("GET", "/api/certificates/by-number/{number:str}"): Example(
        "/api/certificates/by-number/6K3M-Q9XD-2HTA", status=404
    ),
    ("POST", "/api/certificates/verify"): Example("/api/certificates/verify", {"signed": {}}),
    ("GET", "/.well-known/fieldfare-certificate-keys.json"): Example(
        "/.well-known/fieldfare-certificate-keys.json"
    ),
    ("GET", "/certificates/{slug:str}"): Example(f"/certificates/{TEST_ID}"),
    ("GET", "/certificates/{slug:str}/certificate.pdf"): Example(
        f"/certificates/{TEST_ID}/certificate.pdf"
    ),
    ("GET", "/certificates/{slug:str}/certificate.png"): Example(
        f"/certificates/{TEST_ID}/certificate.png"
    ),
    ("GET", "/certificates/{slug:str}/verify"): Example(f"/certificates/{TEST_ID}/verify"),
    ("POST", "/webhooks/stripe"): Example("/webhooks/stripe", {}, status=400),
    ("GET", "/api/credits/balance"): Example("/api/credits/balance"),
    ("GET", "/api/credits/ledger"): Example("/api/credits/ledger"),
    ("POST", "/api/credits/top-up"): Example(
        "/api/credits/top-up", {"amountInUsdCents": 100}, by_card=True
    ),
    ("GET", "/api/openapi.json"): Example("/api/openapi.json"),
    ("GET", "/api/docs"): Example("/api/docs"),
}
PREVIEWS: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/offset-orders"): {"dryRun": True},
    ("POST", "/api/tree-orders"): {"dryRun": True},
    ("POST", "/api/project-orders"): {"dryRun": True},
}
"""What makes a write a dry run, which a user without an account may not do either."""
NO_WRITES: set[tuple[str, str]] = {("POST", "/api/tree-orders/preview")}
"""POSTs that change nothing, so that anybody with a token may send them."""

GUARDED = [route for route in ROUTES if route.needs == "token"]
OPEN = [route for route in ROUTES if route.needs == "nothing"]
READS = [route for route in GUARDED if route.method == "GET"]
WRITES = [r for r in GUARDED if r.method == "POST" and (r.method, r.path) not in NO_WRITES]
WITH_ID = [route for route in GUARDED if "{" in route.path]

TOKEN = str(uuid4())
MALFORMED = [
    "Bearer", "Bearer x", "Bearer null", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}",
    f"Bearer {TOKEN} {TOKEN}", f"Bearer {TOKEN.replace('-', '')}", f"Bearer {{{TOKEN}}}",
    "Bearer wren_test_", f"Bearer wren_live_{TOKEN}", f"Bearer urn:uuid:{TOKEN}",
    f"Bearer ' or 1=1 --{TOKEN}", f"Digest {TOKEN}", TOKEN, "Basic", "Basic !!!",
    f"Basic {b64encode(f'{TOKEN}:secret'.encode()).decode()}",
    f"Basic {b64encode(f':{TOKEN}'.encode()).decode()}", f"Bearer {'a' * 5_000}",
]  # fmt: skip
UNKNOWN = [f"Bearer {TOKEN}", f"Bearer wren_test_{TOKEN}"]


def name_of(route: Route) -> str:
    """The route as it stands in the tests' report."""
    return f"{route.method} {route.path}"


def routes(which: list[Route]) -> pytest.MarkDecorator:
    """Run a test for each of these routes."""
    return pytest.mark.parametrize("route", which, ids=name_of)


@pytest.fixture(scope="module")
def order_id(calm_api: Api) -> str:
    """The id of an order of the live team."""
    purchase_id: str = calm_api.order()["purchaseId"]
    return purchase_id


def ask(
    api: Api, route: Route, authorization: str | None, order_id: str, **fields: Any
) -> httpx.Response:
    """Send a route's example with a header, or with none."""
    example = EXAMPLES[route.method, route.path]
    is_test = bool(authorization and "wren_test_" in authorization)
    path = (is_test and example.test_path) or example.path.replace(LIVE_ID, order_id)
    headers = {} if authorization is None else {"Authorization": authorization}
    body = None if example.body is None else example.body | fields
    return api.http.request(route.method, path, headers=headers, json=body)


def assert_let_in(route: Route, answer: httpx.Response) -> None:
    """Check that who asked may."""
    if EXAMPLES[route.method, route.path].by_card:
        assert_refused(answer, 403, "no_payment_method")
    else:
        assert answer.status_code == 200, answer.text


def test_every_route_has_its_example() -> None:
    assert set(EXAMPLES) == {(route.method, route.path) for route in ROUTES}
    assert len(ROUTES) == len(EXAMPLES)
    for route in ROUTES:
        example = EXAMPLES[route.method, route.path]
        assert (example.body is None) == (route.method == "GET")
        pattern = re.sub(r"\{[^}]*\}", "[^/]+", route.path)
        assert re.fullmatch(pattern, example.path)
    assert set(PREVIEWS) | NO_WRITES <= {(r.method, r.path) for r in GUARDED if r.method == "POST"}
    assert {(route.method, route.path) for route in WITH_ID} == {
        key for key, example in EXAMPLES.items() if LIVE_ID in example.path
    }


@routes(GUARDED)
def test_without_a_token_nothing_is_told(calm_api: Api, order_id: str, route: Route) -> None:
    answer = ask(calm_api, route, None, order_id)
    assert_refused(answer, 403, "token_missing")
    assert answer.content == calm_api.get("/api/credits/balance", "").content
    empty = ask(calm_api, route, "", order_id)
    assert empty.content == answer.content


@routes(GUARDED)
def test_a_malformed_token_is_refused_everywhere(
    calm_api: Api, order_id: str, route: Route
) -> None:
    answers = [ask(calm_api, route, header, order_id) for header in MALFORMED]
    for header, answer in zip(MALFORMED, answers, strict=True):
        assert answer.json()["code"] == "token_malformed", header
        assert_refused(answer, 403, "token_malformed")
        assert header[:40] not in answer.text or header == "Bearer"
    assert len({answer.content for answer in answers}) == 1


@routes(GUARDED)
def test_an_unknown_token_and_a_revoked_one_get_one_answer(
    calm_api: Api, order_id: str, route: Route
) -> None:
    headers = [*UNKNOWN, f"Bearer {calm_api.world.revoked_token}"]
    answers = [ask(calm_api, route, header, order_id) for header in headers]
    for answer in answers:
        assert_refused(answer, 403, "token_unknown")
    assert len({answer.content for answer in answers}) == 1


@routes([route for route in GUARDED if route.method == "GET"])
def test_a_head_is_guarded_like_a_get(calm_api: Api, order_id: str, route: Route) -> None:
    example = EXAMPLES[route.method, route.path]
    answer = calm_api.http.head(example.path.replace(LIVE_ID, order_id))
    assert (answer.status_code, answer.content) == (403, b"")


@routes(GUARDED)
def test_a_team_and_its_test_token_are_let_in(calm_api: Api, order_id: str, route: Route) -> None:
    world = calm_api.world
    basic = b64encode(f"{world.live_token}:\n".encode()).decode()
    for header in (
        f"Bearer {world.live_token}", f"bearer   {world.live_token.upper()}", f"Basic {basic}",
    ):  # fmt: skip
        answer = ask(calm_api, route, header, order_id)
        assert_let_in(route, answer)
        assert "test" not in answer.json()
    test = ask(calm_api, route, f"Bearer {world.test_token}", order_id)
    assert test.status_code == 200, test.text
    # A bare array has no place for the mark.
    assert isinstance(test.json(), list) or test.json()["test"] is True


@routes(WRITES)
def test_a_user_without_an_identity_may_not_write(
    calm_api: Api, order_id: str, route: Route
) -> None:
    bare = f"Bearer {calm_api.world.bare_token}"
    assert_refused(ask(calm_api, route, bare, order_id), 403, "account_required")
    preview = PREVIEWS.get((route.method, route.path), {})
    assert_refused(ask(calm_api, route, bare, order_id, **preview), 403, "account_required")
    personal = f"Bearer {calm_api.world.personal_token}"
    assert_let_in(route, ask(calm_api, route, personal, order_id))


@routes([route for route in READS if route not in WITH_ID])
def test_a_user_without_an_identity_may_read(calm_api: Api, order_id: str, route: Route) -> None:
    bare = f"Bearer {calm_api.world.bare_token}"
    assert ask(calm_api, route, bare, order_id).status_code == 200


@routes(WITH_ID)
def test_what_is_not_yours_is_not_there(calm_api: Api, order_id: str, route: Route) -> None:
    world = calm_api.world
    tokens = (world.second_token, world.personal_token, world.bare_token, world.poor_token)
    for token in tokens:
        theirs = ask(calm_api, route, f"Bearer {token}", order_id)
        unknown = ask(calm_api, route, f"Bearer {token}", str(uuid4()))
        assert theirs.status_code == unknown.status_code == 404
        assert theirs.content == unknown.content
        assert order_id not in theirs.text
    live = f"Bearer {world.live_token}"
    assert ask(calm_api, route, live, order_id).status_code == 200


@routes(OPEN)
def test_what_is_public_needs_no_token_and_minds_no_bad_one(
    calm_api: Api, order_id: str, route: Route
) -> None:
    status = EXAMPLES[route.method, route.path].status
    nobody = ask(calm_api, route, None, order_id)
    assert nobody.status_code == status
    revoked = f"Bearer {calm_api.world.revoked_token}"
    for header in (*MALFORMED, *UNKNOWN, revoked):
        answer = ask(calm_api, route, header, order_id)
        assert (answer.status_code, answer.content) == (status, nobody.content)
