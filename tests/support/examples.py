"""The examples of `docs/api`: a request as it stands there, and the answer that is shown under it.

A shown answer is a true one that was shortened: of a list the first element, of a long text its
beginning with `…`. So it is held against an answer by its names, their order and the kinds of their
values, and for what does not change from run to run by the values themselves.
"""

import json
import re
import shlex
from pathlib import Path
from string import Template
from typing import Any

import httpx
import msgspec

from tests.tidy.house import ROOT

FOLDER = ROOT / "docs" / "api"
PAGES = sorted(FOLDER.glob("*.md"))
CUT = "…"
FREE = {"metadata"}
"""Whose names are the client's own."""
DRAWN = {"id", "purchaseId", "certificateUrl", "certificateNumber", "issuedAt"}
"""Drawn anew for each order, where they are texts."""
BALANCES = {"creditsRemaining", "creditBalance"}
_EXAMPLE = re.compile(r"```sh\n(curl .*?)```\n+```json\n(.*?)```", re.DOTALL)
_CURL = re.compile(r"```sh\ncurl ")


class Request(msgspec.Struct, frozen=True):
    """What `curl` is asked to send."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    user: str | None

    def send(self) -> httpx.Response:
        """The answer to it."""
        name, _, password = (self.user or "").partition(":")
        auth = (name, password) if self.user else None
        return httpx.request(
            self.method, self.url, headers=self.headers, content=self.body, auth=auth, timeout=30
        )


class Example(msgspec.Struct, frozen=True):
    """A request and its answer on a page."""

    page: Path
    line: int
    command: str
    shown: Any

    @property
    def label(self) -> str:
        """Where it stands."""
        return f"{self.page.stem}:{self.line}"

    def request(self, variables: dict[str, str]) -> Request:
        """What is sent with `$NAME` filled in."""
        return read_curl(self.command, variables)


def list_examples(page: Path) -> list[Example]:
    """The examples of a page, in their order; every `curl` of it has to be one."""
    text = page.read_text(encoding="utf-8")
    found = list(_EXAMPLE.finditer(text))
    assert len(found) == len(_CURL.findall(text)), f"{page.name} has a request without its answer"
    return [
        Example(page, text.count("\n", 0, one.start()) + 1, one[1], json.loads(one[2]))
        for one in found
    ]


def read_curl(command: str, variables: dict[str, str]) -> Request:
    """The request of a command line with the options that the pages use."""
    words = [
        Template(word).substitute(variables) for word in shlex.split(command.replace("\\\n", " "))
    ]
    assert words.pop(0) == "curl"
    url, user, method = "", None, None
    headers: dict[str, str] = {}
    parts: list[str] = []
    while words:
        match word := words.pop(0):
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            case "-u":
                user = words.pop(0)
            case "-X":
                method = words.pop(0)
            case "-d":
                parts.append(words.pop(0))
            case _:
                assert not word.startswith("-"), f"{word} is no option that the tests know"
                assert not url, f"{command} has two addresses"
                url = word
    body = "&".join(parts).encode() if parts else None
    if body is not None:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    return Request(method or ("POST" if parts else "GET"), url, headers, body, user)


def shorten(value: Any) -> Any:
    """An answer as a page shows it; what a refusal says is shown whole."""
    if isinstance(value, dict):
        return {n: part if n == "message" else shorten(part) for n, part in value.items()}
    if isinstance(value, list):
        return [shorten(part) for part in value[:1]]
    if isinstance(value, str) and len(value) > 90:
        return value[:80].rstrip() + CUT
    return value


def differences(shown: Any, answered: Any, where: str = "") -> list[str]:
    """Where a shown answer has other names, or other kinds of values, than a true one."""
    if isinstance(shown, dict) and isinstance(answered, dict):
        names = [name for name in answered if name != "test" or "test" in shown]
        if list(shown) != names:
            return [f"{where or 'the answer'} has {names}, shown are {list(shown)}"]
        return [
            fault
            for name in names
            if name not in FREE
            for fault in differences(shown[name], answered[name], f"{where}.{name}")
        ]
    if isinstance(shown, list) and isinstance(answered, list):
        pairs = [(shown[0], part) for part in answered] if shown else []
        return [fault for one, part in pairs for fault in differences(one, part, f"{where}[]")]
    kinds = {_kind(shown), _kind(answered)}
    if len(kinds - {"null"}) > 1:
        return [f"{where} is {_kind(answered)}, shown is {_kind(shown)}"]
    return []


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "an object"


def other_values(shown: Any, answered: Any, where: str = "") -> list[str]:
    """Where a shown value is not the true one, but for what differs on every run."""
    if isinstance(shown, dict):
        return [
            fault
            for name, part in shown.items()
            if name not in BALANCES and not (name in DRAWN and isinstance(part, str))
            for fault in other_values(part, answered[name], f"{where}.{name}")
        ]
    if isinstance(shown, list):
        pairs = zip(shown, answered, strict=False)
        return [fault for one, part in pairs for fault in other_values(one, part, f"{where}[]")]
    cut = isinstance(shown, str) and shown.endswith(CUT)
    is_same = answered.startswith(shown[:-1]) if cut else answered == shown
    return [] if is_same else [f"{where} is {answered!r}, shown is {shown!r}"]
