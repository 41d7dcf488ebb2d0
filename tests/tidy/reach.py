"""Which named queries a request can reach, by following every mention of a name.

Nodes are the names that a module binds at its top; an edge leads from a definition to whatever it
mentions. That takes in more than what is called, never less, with three ways left out on purpose:
into jobs and commands, which run beside the requests, into the heartbeat, which does too and reads
a row for each process, and into what verifies the books.
"""

import ast
from collections.abc import Iterator
from functools import cache

from tests.tidy.house import modules

Node = tuple[str, str]
"""A module's dotted name and a name bound in it."""

EDGE_MODULES = ("fieldfare.app", "fieldfare.routes")
BESIDE_REQUESTS = ("jobs", "cli", "heartbeat", "verify", "verifying")


@cache
def queries_on_requests() -> frozenset[str]:
    """Full names of the queries (`ledger.find_wallet`) that answering a request may run."""
    seen = set(_roots())
    waiting = list(seen)
    found: set[str] = set()
    while waiting:
        module, name = waiting.pop()
        body = _bindings(module).get(name)
        if body is None:
            continue
        found.update(_queries_in(module, body))
        fresh = set(_mentions(module, body)) - seen
        seen |= fresh
        waiting += fresh
    return frozenset(found)


def _roots() -> Iterator[Node]:
    for module in modules():
        if module in EDGE_MODULES or module.endswith(".api"):
            yield from ((module, name) for name in _bindings(module))


@cache
def _bindings(module: str) -> dict[str, ast.stmt]:
    """What a module binds at its top: functions, classes, constants."""
    bound: dict[str, ast.stmt] = {}
    for statement in modules()[module].body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                bound[statement.name] = statement
            case ast.Assign(targets=targets):
                bound |= {t.id: statement for t in targets if isinstance(t, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                bound[name] = statement
    return bound


@cache
def _imports(module: str) -> dict[str, str]:
    """What each imported name stands for, as a dotted name; imports inside functions included."""
    imported: dict[str, str] = {}
    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.ImportFrom) and node.module:
            imported |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            imported |= {a.asname: a.name for a in node.names if a.asname}
    return imported


def _mentions(module: str, body: ast.AST) -> Iterator[Node]:
    for node in ast.walk(body):
        if isinstance(node, ast.Name | ast.Attribute):
            found = _resolve(module, _dotted(node))
            if found is not None and not _is_beside_requests(found[0]):
                yield found


def _is_beside_requests(module: str) -> bool:
    """A store is looked into whatever its modules are called: what a request asks of it counts."""
    parts = module.split(".")
    return "store" not in parts and not set(parts).isdisjoint(BESIDE_REQUESTS)


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{_dotted(value)}.{attr}"
        case _:
            return ""


def _resolve(module: str, dotted: str) -> Node | None:
    """The place where a name, as written in a module, is bound; None if it is not one of ours."""
    first, _, rest = dotted.partition(".")
    if first in _bindings(module):
        return module, first
    if first not in _imports(module):
        return None
    target = _imports(module)[first]
    if target in modules():
        return _resolve(target, rest) if rest else None
    home, _, name = target.rpartition(".")
    return _resolve(home, name) if home in modules() else None


def _queries_in(module: str, body: ast.AST) -> Iterator[str]:
    """The queries that a definition names: `_queries.find_wallet`."""
    for node in ast.walk(body):
        match node:
            case ast.Attribute(value=ast.Name(id="_queries"), attr=name):
                yield f"{module.split('.')[1]}.{name}"
