"""The examples of `docs/api` by endpoint; `tests/api/test_doc_examples.py` sends each of them."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from fieldfare.http.body import JSON_TYPE
from tests.description.prose import codes, plain
from tests.support.examples import PAGES, Example, list_examples

BASE = "http://127.0.0.1:3001"
PLACES = {
    "API": BASE, "TOKEN": "a-token", "PURCHASE_ID": "{purchaseId}", "SLUG": "{slug}",
    "NUMBER": "{number}", "SIGNED": "{}",
}  # fmt: skip


class Shown(msgspec.Struct, frozen=True):
    """An example of one endpoint."""

    summary: str
    status: int
    is_json: bool
    body: Any
    """What is sent, decoded; None for a GET."""
    parameters: dict[str, str]
    answer: Any


@cache
def shown_of(endpoint: str) -> tuple[Shown, ...]:
    """The examples of an endpoint, in the order of the pages."""
    return tuple(shown for name, shown in _all() if name == endpoint)


@cache
def _all() -> tuple[tuple[str, Shown], ...]:
    return tuple(_read(one) for page in PAGES for one in list_examples(page))


def _read(example: Example) -> tuple[str, Shown]:
    request = example.request(PLACES)
    url = urlsplit(request.url)
    is_json = request.headers.get("Content-Type") == JSON_TYPE
    body: Any = None
    if request.body is not None:
        text = request.body.decode()
        body = msgspec.json.decode(text) if is_json else dict(parse_qsl(text))
    if "$SIGNED" in example.command:
        body = {"signed": _signed()}
    answer = example.shown
    code = answer.get("code") if isinstance(answer, dict) else None
    shown = Shown(
        summary=_summary(example),
        status=codes()[code].status if code else 200,
        is_json=is_json,
        body=body,
        parameters=dict(parse_qsl(url.query, keep_blank_values=True)),
        answer=answer,
    )
    return f"{request.method} {url.path.replace('{purchaseId}', _place(url.path))}", shown


def _place(path: str) -> str:
    """What the id of an order is called in a path."""
    return "{groupId}" if "/certificate/" in path else "{purchaseId}"


@cache
def _signed() -> Any:
    """The document that some page shows."""
    shown = (one.shown for page in PAGES for one in list_examples(page))
    return next(one["signed"] for one in shown if isinstance(one, dict) and "signed" in one)


def _summary(example: Example) -> str:
    """The line before an example that ends in a colon, if one does."""
    before = example.page.read_text(encoding="utf-8").split("\n")[: example.line - 1]
    last = next((line for line in reversed(before) if line.strip()), "")
    return plain(last).removesuffix(":") if last.endswith(":") else ""


def values_at(path: str, answers: list[Any]) -> Iterator[Any]:
    """What stands at `portfolio.projects[].tons` in answers, but for nulls and what is empty."""
    for answer in answers:
        yield from (one for one in _descend(answer, path) if one not in (None, "", [], {}))


def _descend(value: Any, path: str) -> Iterator[Any]:
    if not path:
        yield value
        return
    head, _, rest = path.partition(".")
    name = head.removesuffix("[]")
    inner = value.get(name) if isinstance(value, dict) else None
    for one in inner if head.endswith("[]") and isinstance(inner, list) else [inner]:
        yield from _descend(one, rest)


def slug(summary: str, number: int) -> str:
    """A name for an example."""
    words = re.findall(r"[a-z0-9]+", summary.lower())[:6]
    return "-".join(words) or f"example-{number}"
