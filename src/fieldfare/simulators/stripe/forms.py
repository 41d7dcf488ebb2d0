"""Form-encoded parameters with nested keys, as Stripe's SDKs write them.

`metadata[a]=1&expand[]=x&expand[1]=y` becomes `{"metadata": {"a": "1"}, "expand": ["x", "y"]}`.
Every leaf is a string. Input is bounded here: pairs, depth, and one meaning for each name.
"""

import re
from typing import Any
from urllib.parse import parse_qsl

from fieldfare.simulators.stripe.errors import invalid

MAX_PAIRS = 1_000
MAX_DEPTH = 6
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_INNER = re.compile(r"\[([^\[\]]*)\]")


def decode_form(text: str) -> dict[str, Any]:
    """The parameters of a query or a body; raises `ApiError` (400) for what has no one meaning."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PAIRS, errors="strict")
    except ValueError as error:
        raise invalid("Invalid request: the parameters are not valid form encoding.") from error
    tree: dict[str, Any] = {}
    for name, value in pairs:
        _insert(tree, _path(name), value, name)
    return {name: _lists(name, value) for name, value in tree.items()}


def _path(name: str) -> list[str]:
    found = _NAME.fullmatch(name)
    path = [found[1], *_INNER.findall(found[2])] if found else []
    if not 0 < len(path) <= MAX_DEPTH:
        raise invalid(f"Invalid request: malformed parameter name {name[:80]}", param=name[:80])
    return path


def _insert(tree: dict[str, Any], path: list[str], value: str, name: str) -> None:
    for step in path[:-1]:
        below = tree.setdefault(step or str(len(tree)), {})
        if not isinstance(below, dict):
            raise invalid(f"Invalid request: {name[:80]} is given twice", param=name[:80])
        tree = below
    last = path[-1] or str(len(tree))
    if last in tree:
        raise invalid(f"Invalid request: {name[:80]} is given twice", param=name[:80])
    tree[last] = value


def _lists(name: str, value: Any) -> Any:
    """A hash whose keys are all numbers is a list, except among metadata, whose keys are free."""
    if not isinstance(value, dict) or name == "metadata":
        return value
    inner = {key: _lists(key, below) for key, below in value.items()}
    if inner and all(key.isascii() and key.isdigit() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner
