"""What is around every answer: ids, types, methods, origins; and that a defect tells nothing."""

import re
import socket

import psycopg
import pytest

from fieldfare.routes import ROUTES
from tests.support.client import Api, assert_refused

REQUEST_ID = "x-request-id"
JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
PAGES = {"/api/docs"}
GETS = [route.path for route in ROUTES if route.method == "GET" and "{" not in route.path]
PUBLIC = [route.path for route in ROUTES if route.any_origin]
PICTURE = "/static/portfolios/climate-fund.svg"
VARYING = {"date", "ratelimit", REQUEST_ID, "transfer-encoding"}


@pytest.mark.parametrize("name", ["a", "1f2e-3d.4c_5B", "x" * 64])
def test_a_sane_request_id_comes_back(calm_api: Api, name: str) -> None:
    for path in ("/healthz", "/nowhere", "/api/credits/balance", PICTURE):
        answer = calm_api.http.get(path, headers={"X-Request-Id": name})
        assert answer.headers.get_list(REQUEST_ID) == [name]


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a\tb", "<b>", "a;b", "a,b", "é"])
def test_another_request_id_is_replaced(calm_api: Api, name: str) -> None:
    headers = {b"X-Request-Id": name.encode("latin-1")}
    ids = {calm_api.http.get("/healthz", headers=headers).headers[REQUEST_ID] for _ in range(2)}
    assert len(ids) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


@pytest.mark.parametrize("path", GETS)
def test_a_head_has_the_headers_of_its_get(calm_api: Api, path: str) -> None:
    get = calm_api.get(path)
    head = calm_api.http.head(path, headers=calm_api.auth())
    assert get.status_code == head.status_code == 200
    assert get.headers["content-type"] == (HTML if path in PAGES else JSON)
    assert head.content == b""

    def lasting(answer: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in answer.items() if name not in VARYING}

    assert lasting(dict(head.headers)) == lasting(dict(get.headers))


@pytest.mark.parametrize("path", sorted({route.path for route in ROUTES}))
def test_options_names_every_method_of_a_path(calm_api: Api, path: str) -> None:
    answer = calm_api.http.options(re.sub(r"\{[^}]*\}", "x", path))
    assert (answer.status_code, answer.content) == (204, b"")
    methods = {route.method for route in ROUTES if route.path == path}
    expected = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    assert {name.strip() for name in answer.headers["allow"].split(",")} == expected


@pytest.mark.parametrize("path", GETS)
def test_only_public_reads_are_open_to_other_origins(calm_api: Api, path: str) -> None:
    headers = calm_api.auth() | {"Origin": "https://elsewhere.example"}
    answer = calm_api.http.get(path, headers=headers)
    preflight = calm_api.http.options(
        path, headers=headers | {"Access-Control-Request-Method": "GET"}
    )
    if path in PUBLIC:
        assert answer.headers["access-control-allow-origin"] == "*"
        assert preflight.headers["access-control-allow-origin"] == "*"
        allowed = preflight.headers["access-control-allow-methods"]
        assert {name.strip() for name in allowed.split(",")} == {"GET", "HEAD", "OPTIONS"}
        assert "authorization" not in preflight.headers["access-control-allow-headers"].lower()
    else:
        shared = [*answer.headers, *preflight.headers]
        assert not any(name.startswith("access-control-") for name in shared)


def test_the_public_reads_are_the_ones_that_need_no_token() -> None:
    assert "/api/portfolios" in PUBLIC
    assert all(route.needs == "nothing" for route in ROUTES if route.any_origin)


@pytest.mark.parametrize(
    "path",
    [
        "/", "/api", "/api/", "/api/nothing", "/api/offset-orders/nothing/here", "/api/orders",
        "/API/portfolios", "/static", "/static/nothing.svg", "/static/portfolios",
        "/static/..%2Fapp.py", "/static/%2e%2e/%2e%2e/app.py", "/static/%2e%2e%2f%2e%2e%2fapp.py",
        "/%00", "/static/%00", "/static/" + "a" * 5_000, PICTURE + "/x", "//etc/passwd", "/schema",
        "/schema/openapi.json",
    ],
)  # fmt: skip
def test_a_path_that_leads_nowhere_is_told_in_json(calm_api: Api, path: str) -> None:
    with socket.create_connection(("127.0.0.1", int(calm_api.base_url.rpartition(":")[2]))) as raw:
        # Straight on the wire: a client library would tidy the path up first.
        raw.settimeout(10)
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := raw.recv(65_536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ", 2)[1] == b"404", answer[:300]
    assert f"content-type: {JSON}".encode() in head.lower()
    assert b'"code":"not_found"' in body


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/credits/balance"), ("DELETE", "/api/portfolios"), ("PUT", PICTURE)],
)
def test_a_method_that_is_not_taken_is_told_in_json(calm_api: Api, method: str, path: str) -> None:
    answer = calm_api.http.request(method, path)
    assert_refused(answer, 405, "method_not_allowed")
    assert {"GET", "HEAD"} <= {name.strip() for name in answer.headers["allow"].split(",")}


READY = ("/api/offset-orders/public", "/api/portfolios")
OF_ONE_ANSWER = {"date", "x-request-id"}


@pytest.mark.parametrize("path", READY)
def test_what_is_ready_is_what_the_handler_gives(calm_api: Api, path: str) -> None:
    """A parameter that means nothing makes the framework answer."""
    calm_api.http.get(path)
    ready, served = calm_api.http.get(path), calm_api.http.get(path, params={"x": "1"})
    assert (ready.status_code, ready.content) == (served.status_code, served.content)
    shown = [dict(answer.headers) for answer in (ready, served)]
    for headers in shown:
        assert headers.keys() >= OF_ONE_ANSWER
        for name in (*OF_ONE_ANSWER, "cache-control"):
            headers.pop(name, None)
    assert shown[0] == shown[1]
    assert calm_api.http.head(path).content == b""
    assert calm_api.http.post(path).status_code == 405


def test_pictures_are_served(calm_api: Api) -> None:
    answer = calm_api.http.get(PICTURE)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert answer.content.startswith(b"<svg")
    for portfolio in calm_api.get("/api/portfolios", "").json()["portfolios"]:
        for image in (portfolio["image_url"], *(p["image_url"] for p in portfolio["projects"])):
            path = "/static/" + image.partition("/static/")[2]
            assert calm_api.http.get(path).status_code == 200, image


def test_a_defect_is_told_without_any_of_it(own_api: Api) -> None:
    with psycopg.connect(own_api.database_url) as conn:
        conn.execute("alter table orders.line rename to lost")
        conn.execute("alter table http.idempotency_key rename to lost")
    # The whole history is streamed, and still it is the status that tells of a failure.
    for answer in (
        own_api.get("/api/offset-orders"),
        own_api.get("/api/offset-orders", limit=5),
        own_api.post("/api/offset-orders", {"tons": 1, "paymentMethod": "credits"}, key="k"),
    ):
        told = assert_refused(answer, 500, "internal_error")["message"]
        assert "X-Request-Id" in told
        assert REQUEST_ID in answer.headers
        for inner in ("Traceback", "orders.line", "idempotency_key", "asyncpg", ".py", "select"):
            assert inner not in answer.text
    assert own_api.balance() == 50_000
