"""Every endpoint as the clients that people have drive it: curl, Python's requests, Node's fetch.

Made from the list of routes: whoever adds one gives it an example (`tests/api/test_walls.py`), and
it is driven here. What each client is told is held against what a plain request is told.
"""

import asyncio
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import httpx
import pytest
import requests

from fieldfare.routes import ROUTES
from tests.api.test_walls import EXAMPLES, LIVE_ID
from tests.support.client import Api
from tests.support.programs import program
from tests.support.world import make_world

FLAGS = {"dryRun": True, "sendReceiptEmail": False}
"""Booleans, which each client writes in its own way."""
SECONDS = 60
BUSY, TRIES = (429, 503), 20
NODE = """
const calls = JSON.parse(require("fs").readFileSync(0, "utf8"));
(async () => {
  const told = [];
  for (const { method, url, token, body, form } of calls) {
    const init = { method, headers: { Authorization: `Bearer ${token}` } };
    if (form) init.body = new URLSearchParams(body);
    else if (body) {
      init.body = JSON.stringify(body);
      init.headers["Content-Type"] = "application/json";
    }
    const answer = await fetch(url, init);
    told.push([answer.status, answer.headers.get("content-type"), await answer.text()]);
  }
  console.log(JSON.stringify(told));
})();
"""


@dataclass(frozen=True)
class Ask:
    """One call, written as no client writes it yet."""

    method: str
    url: str
    token: str
    body: dict[str, Any] | None
    status: int
    """What a test token is told."""
    form: bool = False


Told = tuple[int, str, str]
"""Status, content type and body."""
Client = Callable[[list[Ask]], list[Told]]


@pytest.fixture(scope="module")
def api(shared_server: tuple[str, str]) -> Iterator[Api]:
    """Accounts of this module's own."""
    base_url, database_url = shared_server
    world = asyncio.run(make_world(database_url))
    with httpx.Client(base_url=base_url, timeout=SECONDS) as http:
        yield Api(base_url, database_url, world, http)


@pytest.fixture(scope="module")
def asks(api: Api) -> list[Ask]:
    """Every route for a live and for a test token: as JSON and as a form, and with booleans."""
    order_id = api.order()["purchaseId"]
    found = []
    for token in (api.world.live_token, api.world.test_token):
        for route in ROUTES:
            example = EXAMPLES[route.method, route.path]
            is_test = token == api.world.test_token
            path = (is_test and example.test_path) or example.path.replace(LIVE_ID, order_id)
            bodies = [None] if example.body is None else [example.body, example.body | FLAGS]
            found += [
                Ask(route.method, api.base_url + path, token, body, example.status, form)
                for body in bodies
                for form in ((False, True) if is_plain(body) else (False,))
            ]
    return found


def is_plain(body: dict[str, Any] | None) -> bool:
    """Whether a form can say it too."""
    return body is not None and not any(isinstance(value, dict) for value in body.values())


def by_httpx(asks: list[Ask]) -> list[Told]:
    """The plain request that the others are held against, always in JSON."""
    with httpx.Client(timeout=SECONDS) as http:
        answers = [
            http.request(
                a.method, a.url, json=a.body, headers={"Authorization": f"Bearer {a.token}"}
            )
            for a in asks
        ]
    return [(answer.status_code, answer.headers["content-type"], answer.text) for answer in answers]


def by_requests(asks: list[Ask]) -> list[Told]:
    """`data=` writes a boolean as `False`."""
    with requests.Session() as session:
        answers = [
            session.request(
                ask.method,
                ask.url,
                auth=(ask.token, ""),
                timeout=SECONDS,
                data=ask.body if ask.form else None,
                json=None if ask.form else ask.body,
            )
            for ask in asks
        ]
    return [
        (a.status_code, a.headers["content-type"], a.content.decode("utf-8", "replace"))
        for a in answers
    ]


def by_curl(asks: list[Ask]) -> list[Told]:
    """`curl -u TOKEN: -d name=value URL`, in one process for all."""
    words: list[str] = []
    with TemporaryDirectory() as folder:
        for number, ask in enumerate(asks):
            words += ["--next"] if words else []
            words += ["-sS", "-u", f"{ask.token}:", "-w", "%{http_code} %{content_type}\n"]
            words += [*data_of(ask), "-o", f"{folder}/{number}", ask.url]
        ends = run([program("curl", "curl"), *words]).splitlines()
        bodies = [Path(folder, str(number)).read_bytes() for number in range(len(asks))]
    heads = [end.split(" ", 1) for end in ends]
    return [
        (int(status), kind, body.decode("utf-8", "replace"))
        for (status, kind), body in zip(heads, bodies, strict=True)
    ]


def data_of(ask: Ask) -> list[str]:
    """A body as it is given to curl."""
    if ask.body is None:
        return []
    if not ask.form:
        return ["-H", "Content-Type: application/json", "-d", json.dumps(ask.body)]
    pairs = [f"{name}={json.dumps(value).strip(chr(34))}" for name, value in ask.body.items()]
    return [word for pair in pairs or [""] for word in ("-d", pair)]


def by_node(asks: list[Ask]) -> list[Told]:
    """`fetch`, in one process for all."""
    calls = [ask.__dict__ for ask in asks]
    said = run([program("node", "nodejs"), "-e", NODE], json.dumps(calls))
    return [(status, kind, text) for status, kind, text in json.loads(said)]


def run(words: list[str], given: str = "") -> str:
    """What a program prints; fails with what it complains of."""
    done = subprocess.run(
        words, input=given, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def patiently(client: Client, asks: list[Ask]) -> list[Told]:
    """What a client is told of each, asking again where a busy machine is not ready yet."""
    told = client(asks)
    for _ in range(TRIES):
        again = [at for at, (status, _, _) in enumerate(told) if status in BUSY]
        if not again:
            break
        time.sleep(1)
        for at, answer in zip(again, client([asks[at] for at in again]), strict=True):
            told[at] = answer
    return told


def shape(told: Told) -> object:
    """What two answers to the same request have in common: all but what is drawn or left over."""
    status, content_type, text = told
    if "json" not in content_type:
        return status, content_type
    body = json.loads(text)
    members = list(body) if isinstance(body, dict) else type(body).__name__
    same = ("dryRun", "amountCharged", "currency", "tons", "paymentMethod", "code", "test")
    kept = {name: body.get(name) for name in same} if isinstance(body, dict) else {}
    return status, content_type, members, kept


@pytest.fixture(scope="module")
def expected(asks: list[Ask]) -> list[object]:
    """What a plain request is told of each."""
    answers = patiently(by_httpx, asks)
    for ask, told in zip(asks, answers, strict=True):
        assert told[0] == ask.status or "wren_test_" not in ask.token, (ask, told)
    return [shape(told) for told in answers]


@pytest.mark.parametrize("client", [by_requests, by_curl, by_node])
def test_every_endpoint_answers_every_client_alike(
    asks: list[Ask], expected: list[object], client: Client
) -> None:
    answers = patiently(client, asks)
    assert len(answers) == len(asks)
    for ask, told, plain in zip(asks, answers, expected, strict=True):
        assert shape(told) == plain, (ask, told)


def test_a_retry_under_a_key_is_told_the_same_by_every_client(api: Api) -> None:
    """One key, one body: as JSON, as a form, by any client, it is one order."""
    key, before = str(uuid4()), api.balance()
    body, url = {"tons": 0.45, "paymentMethod": "credits"}, f"{api.base_url}/api/offset-orders"
    first = api.post("/api/offset-orders", body, key=key)
    header, auth = {"Idempotency-Key": key}, (api.world.live_token, "")
    form = {**body, "dryRun": False}
    again = requests.post(url, data=form, headers=header, auth=auth, timeout=SECONDS)
    curl = run([
        program("curl", "curl"), "-sS", "-u", f"{api.world.live_token}:", url,
        "-H", f"Idempotency-Key: {key}", "-d", "tons=0.45", "-d", "paymentMethod=credits",
    ])  # fmt: skip
    assert first.status_code == again.status_code == 200
    assert first.text == again.text == curl
    assert api.balance() == before - first.json()["amountCharged"]
