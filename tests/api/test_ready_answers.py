"""What leaves before a request is made of the question: what it may not skip, and in what order."""

import json

import pytest

from tests.support.client import Api
from tests.support.wire import Told, head_of, line_to

FEED, PORTFOLIOS = "/api/offset-orders/public", "/api/portfolios"
PATHS = (FEED, PORTFOLIOS)
BODY = b'{"a": 1}'
NOT_PLAIN = {
    "a body": head_of("GET", FEED, f"Content-Length: {len(BODY)}") + BODY,
    "a body in chunks": head_of("GET", FEED, "Transfer-Encoding: chunked") + b"1\r\n \r\n0\r\n\r\n",
    "an empty body": head_of("GET", FEED, "Content-Length: 0"),
    "a parameter": head_of("GET", FEED + "?a=1"),
    "a token that is wrong": head_of("GET", FEED, "Authorization: Bearer wrong"),
    "another protocol": head_of("GET", FEED, "Connection: upgrade", "Upgrade: h2c"),
    "the whole address": head_of("GET", "http://x" + FEED),
}
LAST = {
    "the last one": head_of("GET", FEED, "Connection: close"),
    "an older version": head_of("GET", FEED).replace(b"HTTP/1.1", b"HTTP/1.0"),
}


def plain(api: Api, path: str = FEED) -> Told:
    """What is ready."""
    with line_to(api.base_url) as line:
        line.send(head_of("GET", path))
        return line.answer()


@pytest.mark.parametrize("path", PATHS)
def test_answers_leave_in_the_order_of_the_questions(calm_api: Api, path: str) -> None:
    api = calm_api
    balance = head_of(
        "GET", "/api/credits/balance", f"Authorization: Bearer {api.world.live_token}"
    )
    asked = [head_of("GET", path, f"X-Request-Id: {n}") for n in range(4)]
    with line_to(api.base_url) as line:
        line.send(asked[0] + asked[1] + balance + asked[2] + balance + asked[3])
        told = [line.answer() for _ in range(6)]
        line.send(asked[0])
        told.append(line.answer())
    assert [answer.status for answer in told] == [200] * 7
    ids = [answer.headers["x-request-id"] for answer in told]
    assert ids[:2] + ids[3:4] + ids[5:] == ["0", "1", "2", "3", "0"]
    bodies = {told[at].body for at in (0, 1, 3, 5, 6)}
    assert bodies == {plain(api, path).body}
    assert all("creditBalanceUsdCents" in json.loads(told[at].body) for at in (2, 4))


@pytest.mark.parametrize("sent", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_who_asks_otherwise_is_answered_and_may_go_on(calm_api: Api, sent: bytes) -> None:
    with line_to(calm_api.base_url) as line:
        line.send(sent, sent + head_of("GET", FEED))
        told = [line.answer() for _ in range(3)]
    assert {answer.status for answer in told} == {200}
    assert {answer.body for answer in told} == {plain(calm_api).body}


@pytest.mark.parametrize("sent", LAST.values(), ids=LAST)
def test_who_wants_no_more_is_told_that_it_ends(calm_api: Api, sent: bytes) -> None:
    with line_to(calm_api.base_url) as line:
        line.send(sent)
        told = line.answer()
        assert (told.status, told.headers["connection"]) == (200, "close")
        assert line.ends()
    assert told.body == plain(calm_api).body


def test_a_head_alone_has_no_body_and_the_next_answer_follows_it(calm_api: Api) -> None:
    ready = plain(calm_api)
    with line_to(calm_api.base_url) as line:
        line.send(head_of("HEAD", FEED) + head_of("GET", FEED, "X-Request-Id: second"))
        head = line.head()
        second = line.answer()
    assert (head.status, head.headers["content-length"]) == (200, str(len(ready.body)))
    assert (second.headers["x-request-id"], second.body) == ("second", ready.body)


def test_what_follows_a_ready_answer_and_is_no_request_is_refused_after_it(calm_api: Api) -> None:
    with line_to(calm_api.base_url) as line:
        line.send(head_of("GET", FEED) + b"NONSENSE\r\n\r\n")
        ready, refused = line.answer(), line.answer()
        assert (ready.status, refused.status, refused.code) == (200, 400, "invalid_http")
        assert line.ends()


def test_who_asks_without_reading_gets_all_in_the_end(own_api: Api) -> None:
    """More than may wait for a client; from there on, answers are made as they are read."""
    asked, times = head_of("GET", PORTFOLIOS), 600
    ready = plain(own_api, PORTFOLIOS)
    with line_to(own_api.base_url) as line:
        line.send(asked * times)
        assert all(line.answer().body == ready.body for _ in range(times))
