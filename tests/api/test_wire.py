"""What comes over a connection that is no request, is too much of one, or one of an odd form."""

import json

import pytest

from fieldfare.kernel import limits
from fieldfare.routes import ROUTES
from tests.api.test_walls import EXAMPLES
from tests.support.client import Api
from tests.support.wire import Line, Told, head_of, line_to

BALANCE = "/api/credits/balance"
ORDERS = "/api/offset-orders"
BODY = b'{"tons": 0.45, "paymentMethod": "credits"}'
PRICE_CENTS = 1040
POST = head_of("POST", ORDERS)[:-2]
GET = head_of("GET", BALANCE)[:-2]
END = b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
UNREADABLE = {
    "nothing known": b"\x00\x01\x02\r\n\r\n",
    "a handshake of TLS": bytes.fromhex("16030100c8010000c40303"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.2": b"GET /healthz HTTP/1.2\r\n\r\n",
    "no such method": b"FLY /healthz HTTP/1.1\r\n\r\n",
    "a method in small letters": b"get /healthz HTTP/1.1\r\n\r\n",
    "a proxy's method": b"CONNECT elsewhere.example:443 HTTP/1.1\r\n\r\n",
    "a proxy's method on a path": b"CONNECT /healthz HTTP/1.1\r\n\r\n",
    "a host for a path": b"GET elsewhere.example:443 HTTP/1.1\r\n\r\n",
    "no path": b"GET http://elsewhere.example HTTP/1.1\r\n\r\n",
    "bytes in a path": b"GET /api/\xff\xfe HTTP/1.1\r\n\r\n",
    "UTF-8 in a path": "GET /api/é HTTP/1.1\r\n\r\n".encode(),
    "bytes in a query": b"GET /api/credits/ledger?limit=\xff HTTP/1.1\r\n\r\n",
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
    "length, then chunks": POST + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    "chunks, then length": POST + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n",
    "zipped transfer": POST + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
    "chunks within": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "almost chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked by a blank": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "less than no length": POST + b"Content-Length: -5\r\n\r\n",
    "a length with a sign": POST + b"Content-Length: +5\r\n\r\n12345",
    "a length beyond counting": POST + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "no size of a chunk": POST + CHUNKED + b"\r\nzz\r\n\r\n",
    "a chunk that goes on": POST + CHUNKED + b"\r\n2\r\n{}}\r\n0\r\n\r\n",
    "a folded header": GET + b"X-A: b\r\n c\r\n\r\n",
    "bare line feeds": b"GET /healthz HTTP/1.1\nHost: x\n\n",
    "a bare carriage return": b"GET /healthz HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
    "NUL in a header": GET + b"X-A: b\x00c\r\n\r\n",
    "no colon": GET + b"X-A\r\n\r\n",
    "bytes in a header's name": GET + b"X-\xff: a\r\n\r\n",
}
LARGE = {
    "a long path": (b"GET /" + b"a" * limits.URL_BYTES + b" HTTP/1.1\r\n\r\n", 414, "url_too_long"),
    "a long query": (
        b"GET /?" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", 414, "url_too_long",
    ),
    "a long header": (
        GET + b"X-A: " + b"a" * limits.HEAD_BYTES + b"\r\n\r\n", 431, "headers_too_large",
    ),
    "a longer header": (GET + b"X-A: " + b"a" * 1_000_000 + b"\r\n\r\n", 431, "headers_too_large"),
    "a long name": (GET + b"a" * 1_000_000 + b": a\r\n\r\n", 431, "headers_too_large"),
    "many headers": (GET + b"A: a\r\n" * limits.HEADERS + END, 431, "headers_too_large"),
    "many more": (GET + b"A: a\r\n" * 200_000 + END, 431, "headers_too_large"),
}  # fmt: skip
LARGEST = (
    b"GET /healthz?" + b"a" * (limits.URL_BYTES - 9) + b" HTTP/1.1\r\nHost: x\r\n"
    + b"A: a\r\n" * (limits.HEADERS - 2) + b"X-A: " + b"a" * (limits.HEAD_BYTES - 610) + b"\r\n\r\n"
)  # fmt: skip


def ask(api: Api, *pieces: bytes) -> Told:
    """What is told first of what is sent."""
    with line_to(api.base_url) as line:
        line.send(*pieces)
        return line.answer()


def authorized(api: Api, head: bytes) -> bytes:
    """A head that goes on, as the live team."""
    return head + f"Authorization: {api.auth()['Authorization']}\r\n".encode()


def order(api: Api, *headers: bytes) -> bytes:
    """An order from credits, whole."""
    length = f"Content-Length: {len(BODY)}\r\n".encode()
    return authorized(api, POST) + length + b"".join(headers) + END + BODY


def assert_balance(told: Told, cents: int) -> None:
    """Check that this is the answer to a look at the balance."""
    assert told.status == 200
    assert json.loads(told.body)["creditBalanceUsdCents"] == cents


@pytest.mark.parametrize("sent", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_request_is_refused_in_the_one_shape(calm_api: Api, sent: bytes) -> None:
    start, _, rest = sent.partition(b"Host: x\r\n")
    whole = authorized(calm_api, start) + rest if rest else sent
    with line_to(calm_api.base_url) as line:
        line.send(whole, b"GET /healthz HTTP/1.1\r\n\r\n")
        told = line.answer()
        assert (told.status, told.code) == (400, "invalid_http")
        assert told.headers["connection"] == "close"
        assert line.ends()


@pytest.mark.parametrize(("sent", "status", "code"), LARGE.values(), ids=LARGE)
@pytest.mark.parametrize("in_pieces", [False, True], ids=["at once", "in pieces"])
def test_a_head_that_is_too_large_is_refused(
    calm_api: Api, sent: bytes, status: int, code: str, in_pieces: bool
) -> None:
    size = 4_096 if in_pieces else len(sent)
    with line_to(calm_api.base_url) as line:
        line.send(*(sent[at : at + size] for at in range(0, len(sent), size)))
        told = line.answer()
        assert (told.status, told.code) == (status, code)
        assert line.ends()


def test_the_largest_head_is_read(calm_api: Api) -> None:
    pieces = (LARGEST[at : at + 4_096] for at in range(0, len(LARGEST), 4_096))
    assert ask(calm_api, *pieces).status == ask(calm_api, LARGEST).status == 200


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 100000000\r\n", CHUNKED], ids=["declared", "endless"]
)
def test_a_body_that_is_too_large_is_refused_before_it_ends(calm_api: Api, framing: bytes) -> None:
    with line_to(calm_api.base_url) as line:
        line.send(authorized(calm_api, POST), framing, b"Expect: 100-continue\r\n\r\n")
        if framing is CHUNKED:
            assert line.answer().status == 100
            chunk = b"8000\r\n" + b" " * 0x8000 + END
            line.send(*[chunk] * (limits.BODY_BYTES // 0x8000 + 1))
        told = line.answer()
        assert (told.status, told.code) == (413, "body_too_large")


@pytest.mark.parametrize(
    "trailers",
    [b"a: b\r\n" * 20_000, b"a: " + b"b" * 100_000 + END],
    ids=["many", "one long one"],
)
def test_trailers_without_end_are_refused(calm_api: Api, trailers: bytes) -> None:
    with line_to(calm_api.base_url) as line:
        line.send(authorized(calm_api, POST), CHUNKED, END, b"0\r\n")
        for at in range(0, len(trailers), 8_192):
            line.send(trailers[at : at + 8_192])
        told = line.answer()
        assert (told.status, told.code) == (431, "headers_too_large")


def test_a_trailer_is_no_header(calm_api: Api) -> None:
    """Whoever sends a token so sends none."""
    token = f"Authorization: {calm_api.auth()['Authorization']}\r\n".encode()
    body = b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)
    for pieces in (
        (POST, CHUNKED, END, body, token, END),
        (POST + CHUNKED + END + body + token + END,),
    ):
        assert ask(calm_api, *pieces).code == "token_missing"
    told = ask(calm_api, authorized(calm_api, POST), CHUNKED, END, body, b"X-Any: thing\r\n", END)
    assert told.status == 200


def test_who_expects_to_be_told_to_go_on_is(api: Api) -> None:
    with line_to(api.base_url) as line:
        line.send(order(api, b"Expect: 100-continue\r\n")[: -len(BODY)])
        assert line.answer().status == 100
        line.send(BODY)
        assert line.answer().status == 200


@pytest.mark.parametrize("offered", ["h2c", "websocket", "fieldfare/9"])
def test_another_protocol_is_not_taken_up_and_the_request_answered(api: Api, offered: str) -> None:
    """Some clients offer HTTP/2 with each request, orders among them."""
    offer = f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {offered}\r\n".encode()
    look = authorized(api, GET) + offer + END
    chunks = authorized(api, POST) + offer + CHUNKED + END + b"2a\r\n" + BODY + b"\r\n0\r\n\r\n"
    with line_to(api.base_url) as line:
        line.send(look, order(api, offer), look, chunks + look)
        assert_balance(line.answer(), 50_000)
        assert line.answer().status == 200
        assert_balance(line.answer(), 50_000 - PRICE_CENTS)
        assert line.answer().status == 200
        assert_balance(line.answer(), 50_000 - 2 * PRICE_CENTS)


def test_other_forms_of_a_request_are_read(api: Api) -> None:
    absolute = f"http://other.example{BALANCE}".encode()
    assert_balance(ask(api, authorized(api, GET).replace(BALANCE.encode(), absolute) + END), 50_000)
    assert_balance(ask(api, authorized(api, GET).replace(b"1.1", b"1.0") + END), 50_000)
    assert_balance(ask(api, authorized(api, GET) + b"Content-Length: 3\r\n\r\nabc"), 50_000)
    trailing = b"2a;ext=1\r\n" + BODY + b"\r\n0\r\nAuthorization: Bearer x\r\n\r\n"
    assert ask(api, authorized(api, POST) + CHUNKED + END + trailing).status == 200
    assert api.balance() == 50_000 - PRICE_CENTS


def test_requests_in_one_breath_are_answered_in_their_order(api: Api) -> None:
    look = authorized(api, GET) + END
    with line_to(api.base_url) as line:
        line.send(look + order(api) + look + order(api) + authorized(api, GET) + END)
        answers = [line.answer() for _ in range(5)]
    assert [told.status for told in answers] == [200] * 5
    for told, orders in ((answers[0], 0), (answers[2], 1), (answers[4], 2)):
        assert_balance(told, 50_000 - orders * PRICE_CENTS)


@pytest.mark.parametrize(
    ("after", "code"),
    [
        (b"\x00\x01\r\n\r\n", "invalid_http"),
        (POST + CHUNKED + b"\r\nzz\r\n", "invalid_http"),
        (GET + b"X-A: a\r\n" * 101 + END, "headers_too_large"),
    ],
)
def test_an_order_is_told_of_before_what_follows_it_is_refused(
    api: Api, after: bytes, code: str
) -> None:
    with line_to(api.base_url) as line:
        line.send(order(api) + order(api) + after + order(api))
        assert [line.answer().status for _ in range(2)] == [200, 200]
        assert line.answer().code == code
        assert line.ends()
    assert api.balance() == 50_000 - 2 * PRICE_CENTS


ODD_HEADERS = (
    "Authorization: Basic \xff\xfe", "Cookie: \xff=\xff; a; =;;", "Accept: \xff/*;q=nan",
    "Host: \xff", "X-HTTP-Method-Override: \xff",
    "Accept-Encoding: \xff", "Content-Type: \xff", "If-None-Match: \xff", "Idempotency-Key: \xff",
    "X-Forwarded-For: \xff", "X-Request-Id: \xff", "Range: bytes=9-1",
    "Content-Encoding: gzip", "Origin: \xff", "Expect: \xff", "User-Agent: \xff", "Referer: \xff",
)  # fmt: skip
ODD_QUERIES = (
    "?%ff=%ff", "?%ed%a0%80=1&%00=%00", "?limit=%ff&cursor=%ff", "?limit=1e400&offset=-1",
    "?a=1&a=2&&&=&=1", "?metadata[%ff]=%00&metadata[=]", "?%", "?" + "a=1&" * 1_500,
    "?limit=" + "9" * 5_000, "?created_after=%00&created_before=9999999999999999999",
    "?expanded=%ff&order_group_id=%ed%a0%80",
)  # fmt: skip


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_no_header_and_no_query_is_more_than_a_route_can_bear(calm_api: Api, route: object) -> None:
    assert isinstance(route, type(ROUTES[0]))
    path = EXAMPLES[route.method, route.path].path.replace("{live}", "%ff%00%ed%a0%80")
    token = f"Authorization: {calm_api.auth()['Authorization']}"
    body = b"" if route.method == "GET" else b"{}"

    def send(line: Line, query: str, *headers: str) -> int:
        length = f"Content-Length: {len(body)}"
        line.send(head_of(route.method, path + query, length, *headers) + body)
        return line.answer().status

    with line_to(calm_api.base_url) as line:
        for header in ODD_HEADERS:
            assert send(line, "", *{token, header}) < 500, header
    for query in ODD_QUERIES:
        with line_to(calm_api.base_url) as line:
            assert send(line, query, token, "Connection: close") < 500, query
