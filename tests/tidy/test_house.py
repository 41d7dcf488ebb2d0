"""The house rules about files that no linter knows."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.tidy.house import FEATURE_FILES, ROOT, SOURCE, features

DIRECTIVE = re.compile(
    r"#\s*(?:noqa(?::[\s\w,]*\d)?|type:\s*ignore(?:\[[^]]*\])?|pragma:\s*no\s\w+)", re.IGNORECASE
)
REASON = re.compile(r"[^\W\d_]{4,}")
# Put together here, so that this file does not name what it looks for.
REGISTRIES = re.compile(
    "|".join(("py" + r"pi\.org", "python" + r"hosted\.", "npm" + r"js\.", "--index" + "-url"))
)
SOMEBODYS_FOLDER = re.compile(r"(?<![\w.}])/(?:home|Users|root|work)/[\w.-]+/")
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")


@cache
def our_files() -> tuple[Path, ...]:
    """Every file of the checkout but for what git ignores."""
    ignored = set((ROOT / ".gitignore").read_text(encoding="utf-8").split()) | {".git/"}
    folders = {line.strip("/") for line in ignored if line.endswith("/")}
    patterns = [line for line in ignored if not line.endswith("/")]
    return tuple(_walk(ROOT, folders, patterns))


def _walk(folder: Path, ignored: set[str], patterns: list[str]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        relative = str(path.relative_to(ROOT))
        if path.is_dir() and not path.is_symlink() and not {path.name, relative} & ignored:
            yield from _walk(path, ignored, patterns)
        elif path.is_file() and not any(path.match(pattern) for pattern in patterns):
            yield path


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    """Where a pattern occurs in our text files, as `path:line`."""
    found = []
    for path in our_files():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        name = path.relative_to(ROOT)
        found += [f"{name}:{i}" for i, line in enumerate(lines, 1) if pattern.search(line)]
    return found


def test_no_file_names_a_package_registry() -> None:
    assert lines_with(REGISTRIES) == []


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    assert lines_with(SOMEBODYS_FOLDER) == []
    if len(ROOT.parts) > 2:
        assert lines_with(re.compile(re.escape(f"{ROOT}/"))) == []


def unreasoned(text: str) -> list[int]:
    """The lines of a module that silence a tool without saying why."""
    if not DIRECTIVE.search(text):  # to take a module apart costs a hundred times as much
        return []
    comments = [
        (token.start[0], token.string)
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    ]
    return [
        line
        for line, comment in comments
        if DIRECTIVE.search(comment) and not REASON.search(DIRECTIVE.sub("", comment))
    ]


def test_whoever_silences_a_tool_says_why() -> None:
    modules = [path for path in our_files() if path.suffix == ".py"]
    silent = {
        str(path.relative_to(ROOT)): lines
        for path in modules
        if (lines := unreasoned(path.read_text(encoding="utf-8")))
    }
    assert silent == {}


@pytest.mark.parametrize(
    ("comment", "is_reasoned"),
    [
        ("noqa", False),
        ("noqa: S105", False),
        ("noqa: S105, ANN001", False),
        ("noqa: S105 - the name of a topic", True),
        ("type: ignore", False),
        ("type: ignore[no-untyped-call, misc]", False),
        ("type: ignore[misc] # it ships no types", True),
        ("pragma: no cover", False),
    ],
)
def test_a_reason_is_told_from_none(comment: str, is_reasoned: bool) -> None:
    assert (unreasoned(f"x = 1  # {comment}\n") == []) is is_reasoned


@pytest.mark.parametrize("feature", features())
def test_a_feature_invents_no_other_kind_of_file(feature: str) -> None:
    """Beside the files of every feature there may be a folder of data, without any code in it."""
    strange = []
    for path in (SOURCE / feature).iterdir():
        known = path.stem in FEATURE_FILES and (path.is_dir() or path.suffix == ".py")
        if not known and path.name not in {"__init__.py", "queries.sql", "__pycache__"}:
            is_data = path.is_dir() and not [*path.rglob("*.py"), *path.rglob("*.sql")]
            strange += [] if is_data else [path.name]
    assert strange == []


@pytest.mark.parametrize("feature", features())
def test_sql_stands_beside_the_store_or_inside_it(feature: str) -> None:
    """One file, or one for each module of a store that is a package."""
    folder = SOURCE / feature
    in_store = [path for path in folder.glob("store/*.sql") if path.with_suffix(".py").is_file()]
    expected = in_store or [folder / "queries.sql"]
    assert sorted(folder.rglob("*.sql")) == sorted(expected)


@pytest.mark.parametrize("feature", features())
def test_a_feature_begins_with_what_it_owns(feature: str) -> None:
    tree = ast.parse((SOURCE / feature / "__init__.py").read_text(encoding="utf-8"))
    assert len(tree.body) == 1
    assert ast.get_docstring(tree)


def test_links_lead_to_files() -> None:
    dead = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in our_files()
        if path.suffix == ".md"
        for target in LINK.findall(path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert dead == []


def patches(tree: ast.Module) -> list[int]:
    """The lines of a test module that put something in the place of something else."""
    return [
        getattr(node, "lineno", 0)
        for node in ast.walk(tree)
        if (isinstance(node, ast.ImportFrom | ast.alias) and "mock" in _imported(node))
        or (isinstance(node, ast.Call) and _called(node).endswith("setattr"))
        or (isinstance(node, ast.arg) and node.arg == "mocker")
    ]


def _called(node: ast.Call) -> str:
    """The last part of the name of what is called."""
    called = node.func
    return getattr(called, "attr", "") or getattr(called, "id", "")


def _imported(node: ast.ImportFrom | ast.alias) -> str:
    return (node.module or "") if isinstance(node, ast.ImportFrom) else node.name


def test_tests_patch_nothing() -> None:
    patching = {
        str(path.relative_to(ROOT)): lines
        for path in our_files()
        if path.suffix == ".py" and path.is_relative_to(ROOT / "tests")
        if (lines := patches(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert patching == {}


@pytest.mark.parametrize(
    "text",
    [
        "from unittest import mock",
        "import unittest.mock",
        "from unittest.mock import patch",
        "def test(monkeypatch): monkeypatch.setattr(a, 'b', c)",
        "def test(mocker): ...",
    ],
)
def test_a_patch_is_seen(text: str) -> None:
    assert patches(ast.parse(text)) != []
