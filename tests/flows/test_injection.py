"""Hostile texts through every field, header and path: kept as they are or refused, never obeyed.

They come out of JSON as they went in, the log stays one JSON object a line, whatever came in, and
no header of an answer is theirs.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from fieldfare.kernel import limits
from tests.support import hostile
from tests.support.client import Api, assert_refused, certified_and_not
from tests.support.databases import new_database
from tests.support.processes import ApiProcess
from tests.support.wire import head_of, line_to
from tests.support.world import make_world

PATH = "/api/offset-orders"
ORDER = {"tons": 0.001, "paymentMethod": "credits"}
KEYS = [text for text in hostile.IN_LINE if len(text) <= limits.METADATA_KEY_CHARACTERS]
AT_ONCE = 8
"""Texts that one order carries in each of its fields."""
KEPT_IN_THE_LOG = 200
OUR_EVENT = re.compile("[a-z_]+")


@pytest.fixture(scope="module")
def logged(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Api, Path]]:
    """The API as a process, and its log."""
    log = tmp_path_factory.mktemp("injection") / "api.log"
    with new_database(server_url, template=template) as url:
        world = asyncio.run(make_world(url))
        process = ApiProcess(url, log, environment={"FIELDFARE_LOG_LEVEL": "debug"})
        try:
            process.wait_until_ready()
            with httpx.Client(base_url=process.base_url, timeout=30) as http:
                yield Api(process.base_url, url, world, http), log
        finally:
            process.stop()


def orders() -> Iterator[dict[str, Any]]:
    """Orders that together carry every text in every field that may hold it."""
    keys = cycle(KEYS)
    lines = list(hostile.IN_LINE)
    for at, text in enumerate(lines):
        others = [lines[(at + n) % len(lines)] for n in range(AT_ONCE)]
        yield {
            "note": "\n".join(others[::-1]),
            "onBehalfOfName": text,
            "onBehalfOfEmail": others[1],
            "metadata": {next(keys): other for other in others},
        }
    for text in hostile.IN_LINES:
        yield {"note": text}


def as_form(body: dict[str, Any]) -> dict[str, str]:
    """The same body as a form."""
    pairs = body.get("metadata", {})
    plain = {name: str(value) for name, value in body.items() if name != "metadata"}
    return plain | {f"metadata[{key}]": value for key, value in pairs.items()}


def test_what_is_kept_comes_out_as_it_went_in(logged: tuple[Api, Path]) -> None:
    api, _ = logged
    sent = {}
    for number, fields in enumerate(orders()):
        body = ORDER | fields
        is_form = number % 2 == 1
        answer = api.post(PATH, form=as_form(body)) if is_form else api.post(PATH, body)
        assert answer.status_code == 200, (fields, answer.text)
        sent[answer.json()["id"]] = fields
    assert len(sent) == len(hostile.IN_LINE) + len(hostile.IN_LINES)
    rows = certified_and_not(api.get(PATH).json())
    assert {row["order_group_id"] for row in rows} == set(sent)
    for row in rows:
        fields = sent[row["order_group_id"]]
        assert row["note"] == fields["note"]
        assert row["on_behalf_of_name"] == fields.get("onBehalfOfName")
        assert row["on_behalf_of_email"] == fields.get("onBehalfOfEmail")
        assert row["metadata"] == fields.get("metadata", {})
    for order_id, fields in sent.items():
        for key, value in list(fields.get("metadata", {}).items())[:1]:
            found = api.get(PATH, limit=1_000, **{f"metadata[{key}]": value}).json()
            assert order_id in {row["order_group_id"] for row in certified_and_not(found)}


def test_what_is_refused_makes_nothing_and_is_not_repeated(logged: tuple[Api, Path]) -> None:
    api, _ = logged
    before = api.balance()
    for text in hostile.REFUSED_IN_LINE:
        for field in ("onBehalfOfName", "onBehalfOfEmail", "metadata"):
            value = text if field != "metadata" else {"key": text}
            for body in (ORDER | {field: value}, ORDER | {"metadata": {text: "v"}}):
                param = field if field in body else "metadata"
                for answer in (api.post(PATH, body), api.post(PATH, form=as_form(body))):
                    told = assert_refused(answer, 400, "invalid_text", param)
                    assert text not in told["message"]
    for text in hostile.REFUSED:
        assert_refused(api.post(PATH, ORDER | {"note": text}), 400, "invalid_text", "note")
    for half in hostile.HALF_A_PAIR:
        written = json.dumps(ORDER)[:-1] + f', "note": {half}}}'
        answer = api.post(PATH, content=written.encode(), content_type="application/json")
        assert_refused(answer, 400, "invalid_text", "note")
    assert api.balance() == before


def test_headers_paths_and_queries_are_no_more_than_text(logged: tuple[Api, Path]) -> None:
    api, log = logged
    texts = (*hostile.IN_LINE, *hostile.IN_LINES, *hostile.REFUSED_IN_LINE)
    for text in texts:
        path = f"/api/{quote(text, safe='')}"
        assert_refused(api.get(path), 404, "not_found")
        order = api.get(f"/api/orders/{quote(text, safe='')}")
        assert order.status_code == 404, order.text
        for query in ({text: text}, {"metadata[k]": text}, {"cursor": text}):
            answer = api.get(PATH, limit=1, **query)
            assert answer.status_code in {200, 400}, (query, answer.text)
            assert answer.headers["content-type"] == "application/json; charset=utf-8"
    with line_to(api.base_url) as line:
        for text in (*hostile.IN_LINE, "a\tb"):
            value = text.encode().decode("latin-1")
            named = ("X-Request-Id", "User-Agent", "Referer", "Accept-Language", "Origin")
            line.send(head_of("GET", "/healthz", *(f"{name}: {value}" for name in named)))
            told = line.answer()
            assert told.status == 200
            assert hostile.MARK not in str(told.headers) + told.body.decode()
            length, token = "Content-Length: 2", api.auth()["Authorization"]
            key = f"Idempotency-Key: {value}"
            line.send(head_of("POST", PATH, length, key, f"Authorization: {token}") + b"{}")
            assert line.answer().status == 400
    for text in hostile.REFUSED_IN_LINE:
        # What ends a header's line begins a header of the same request, and nothing else.
        with line_to(api.base_url) as line:
            value = text.encode().decode("latin-1")
            line.send(head_of("GET", "/healthz", f"X-Request-Id: {value}", "Connection: close"))
            told = line.answer()
            assert told.status in {200, 400}
            assert hostile.MARK not in str(told.headers) + told.body.decode()
            assert line.ends()
    _assert_plain(log, len(texts))


def _assert_plain(log: Path, requests: int) -> None:
    """Check that the log is one object a line, and no text more than a value of it."""
    lines = log.read_bytes().decode("utf-8").split("\n")
    assert lines.pop() == ""
    events = [json.loads(line) for line in lines]
    assert len(events) > 4 * requests
    for line, event in zip(lines, events, strict=True):
        assert isinstance(event, dict)
        assert OUR_EVENT.fullmatch(event["event"]), event
        assert event["event"] != "defect", event
        assert "forged" not in event
        assert event.get("path", "").isprintable() or "\\" in line
        assert line.isascii(), "a terminal would obey it"
        assert len(event.get("path", "")) <= KEPT_IN_THE_LOG
    noted = [event for event in events if hostile.MARK in json.dumps(event)]
    assert noted, "no path of theirs was logged at all"
    assert all(hostile.MARK in event["path"] for event in noted), "more than a path was logged"
