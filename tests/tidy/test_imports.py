"""What `.importlinter` cannot say of imports, and that its lists are whole.

Purity is held here to the letter: what decides stands on the standard library, msgspec, and other
things that decide, and asks neither a clock nor chance nor the system.
"""

import ast
import configparser
import sys
from collections.abc import Iterator

import grimp
import pytest

from tests.tidy.house import DECIDES, FEATURE_FILES, ROOT, features, modules, stack

IMPURE = {
    "asyncio", "multiprocessing", "os", "pathlib", "random", "secrets", "select", "socket",
    "subprocess", "tempfile", "threading", "time",
}  # fmt: skip
ASKS_THE_WORLD = {"now", "utcnow", "today", "uuid1", "uuid4", "uuid7", "urandom", "open", "input"}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Who imports whom."""
    return grimp.build_graph("fieldfare", include_external_packages=True, cache_dir=None)


def is_pure(module: str) -> bool:
    """True for the kernel, and for what decides in a feature: `fieldfare.orders.rules.split`."""
    _, *parts = module.split(".")
    return parts[:1] == ["kernel"] or (len(parts) > 1 and parts[1] in DECIDES)


PURE = sorted(filter(is_pure, modules()))


def imports(tree: ast.Module) -> Iterator[str]:
    """The dotted names that a module imports, wherever it does so."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "an import that is relative hides where it leads"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def impurities(tree: ast.Module) -> list[str]:
    """What in a module keeps it from being a function of its arguments."""
    found = []
    for name in imports(tree):
        top = name.partition(".")[0]
        allowed = top in sys.stdlib_module_names - IMPURE or top in {"msgspec", "fieldfare"}
        found += [] if allowed else [f"imports {name}"]
    for node in ast.walk(tree):
        match node:
            case ast.AsyncFunctionDef(name=name):
                found.append(f"{name} is asynchronous")
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
                found += [f"calls {name}"] if name in ASKS_THE_WORLD else []
    return found


@pytest.mark.parametrize("module", PURE)
def test_what_decides_is_pure(module: str) -> None:
    assert impurities(modules()[module]) == []


@pytest.mark.parametrize(
    "text",
    [
        "import asyncpg",
        "from time import time",
        "def f():\n    import random",
        "async def f(): ...",
        "from datetime import datetime\ndatetime.now()",
        "from uuid import uuid4\nuuid4()",
    ],
)
def test_an_impurity_is_seen(text: str) -> None:
    assert impurities(ast.parse(text)) != []


def test_what_decides_imports_only_what_decides_or_is_plain_data(graph: grimp.ImportGraph) -> None:
    """`http.principal` is data too: the transport's own model, which has no feature's folder."""
    plain = {"fieldfare.http.principal"}
    strangers = {
        (module, imported)
        for module in PURE
        for imported in graph.find_modules_directly_imported_by(module)
        if imported.startswith("fieldfare.") and not is_pure(imported) and imported not in plain
    }
    assert strangers == set()
    for module in plain:
        assert impurities(modules()[module]) == []


def test_a_store_is_private_to_its_feature(graph: grimp.ImportGraph) -> None:
    trespassers = {
        (importer, store)
        for store in graph.modules
        if store.split(".")[2:3] == ["store"]
        for importer in graph.find_modules_that_directly_import(store)
        if importer.split(".")[1] != store.split(".")[1]
    }
    assert trespassers == set()


def test_queries_are_loaded_in_their_own_folder_alone(graph: grimp.ImportGraph) -> None:
    """A feature's SQL has one door, its store; the parts below features have one a module."""
    loaders = graph.find_modules_that_directly_import("fieldfare.db.queries")
    of_features = {m.split(".")[2] for m in loaders if m.split(".")[1] in features()}
    assert of_features == {"store"}


def test_the_simulators_know_only_the_kernel(graph: grimp.ImportGraph) -> None:
    both_ways = {
        (importer, imported)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        if crosses_to_a_simulator(importer, imported)
    }
    assert both_ways == set()


def crosses_to_a_simulator(importer: str, imported: str) -> bool:
    """True if a simulator knows the product, or the product (but for its commands) a simulator."""
    ours = ("fieldfare.simulators", "fieldfare.kernel")
    if importer.startswith("fieldfare.simulators"):
        return imported.startswith("fieldfare.") and not imported.startswith(ours)
    return imported.startswith("fieldfare.simulators") and not importer.startswith("fieldfare.cli")


def test_only_the_stripe_adapter_knows_the_sdk(graph: grimp.ImportGraph) -> None:
    users = graph.find_modules_that_directly_import("stripe") if "stripe" in graph.modules else ()
    assert {u for u in users if not u.startswith("fieldfare.integrations.stripe")} == set()


def test_no_module_takes_part_in_a_cycle(graph: grimp.ImportGraph) -> None:
    ours = {m for m in graph.modules if m.startswith("fieldfare.")}
    assert {m for m in ours if m in reached_from(graph, m)} == set()


def reached_from(graph: grimp.ImportGraph, module: str) -> set[str]:
    """Every module of ours that a module imports, directly or through others."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        for imported in graph.find_modules_directly_imported_by(waiting.pop()) - seen:
            if imported.startswith("fieldfare."):
                seen.add(imported)
                waiting.append(imported)
    return seen


def test_every_part_of_the_house_has_its_layer() -> None:
    parts = {module.split(".")[1] for module in modules() if "." in module}
    assert parts - {"simulators"} <= {name for layer in stack() for name in layer}


def test_every_feature_is_under_the_contract_for_features() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter", encoding="utf-8")
    contract = contracts["importlinter:contract:feature"]
    named = {name.removeprefix("fieldfare.") for name in contract["containers"].split()}
    assert named == set(features())
    for file in FEATURE_FILES:
        assert f"({file})" in contract["layers"]
