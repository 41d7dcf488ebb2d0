"""Which problems the product can tell of, read from the calls that make them.

A call is `SomeError(…)` of a `ProblemError`, or `ErrorBody(…)` where a body is made directly. Its
code is the literal `code=…`, or else the one of the class; so a class that nobody raises has none.
"""

import ast
import importlib
from collections.abc import Iterator
from functools import cache

import msgspec

from fieldfare.http import refusals
from fieldfare.http.encoding import ErrorBody
from fieldfare.kernel.errors import ProblemError
from tests.tidy.house import modules

STATUS_OF_BODIES = {"internal_error": 500}
"""Of the bodies whose status is not told by a class."""


class Problem(msgspec.Struct, frozen=True, order=True):
    """A code and the status that it comes with."""

    code: str
    status: int


def list_problems() -> set[Problem]:
    """Every code that an API client or an operator can be told, with its status."""
    framework = {Problem(code, status) for status, (code, _) in refusals.FRAMEWORK.items()}
    return framework | {
        problem for name, tree in modules().items() for problem in problems_of(name, tree)
    }


def problems_of(name: str, tree: ast.Module) -> Iterator[Problem]:
    """The problems that a module makes."""
    for made, call in _made_in(tree):
        if made.rpartition(".")[2] in _names_of_problems():
            cls = _resolve(made, vars(importlib.import_module(name)))
            if cls is not None:
                yield from _problem(cls, call)


def unused() -> set[str]:
    """The classes of problems that nobody makes, but for those that stand for a status alone."""
    made = {name.rpartition(".")[2] for tree in modules().values() for name, _ in _made_in(tree)}
    leaves = {cls.__name__ for cls in _all_problems() if not cls.__subclasses__()}
    return leaves - made


def _made_in(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """What a module calls, or raises without a call, by its name there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name | ast.Attribute):
            yield ast.unparse(node.exc), ast.Call(node.exc, [], [])


@cache
def _all_problems() -> tuple[type[ProblemError], ...]:
    for name in modules():
        if name.endswith(".errors") or name.startswith("fieldfare.http."):
            importlib.import_module(name)
    found: list[type[ProblemError]] = [ProblemError]
    for cls in found:
        # Not those that a test of the same process has made.
        found += [one for one in cls.__subclasses__() if one.__module__.startswith("fieldfare.")]
    return tuple(found)


@cache
def _names_of_problems() -> set[str]:
    return {cls.__name__ for cls in _all_problems()} | {ErrorBody.__name__}


def _resolve(name: str, namespace: dict[str, object]) -> type | None:
    head, *rest = name.split(".")
    found = namespace.get(head)
    for part in rest:
        found = getattr(found, part, None)
    if isinstance(found, type) and issubclass(found, ProblemError | ErrorBody):
        return found
    return None


def _problem(made: type, call: ast.Call) -> Iterator[Problem]:
    given = next((word.value for word in call.keywords if word.arg == "code"), None)
    literal = str(given.value) if isinstance(given, ast.Constant) else None
    if issubclass(made, ProblemError):
        assert given is None or literal, f"{ast.unparse(call)[:80]} has a code that is no literal"
        yield Problem(literal or made.code, made.status)
    elif literal:
        # A body without a literal repeats the code of a problem, or one of the framework's table.
        yield Problem(literal, STATUS_OF_BODIES[literal])
