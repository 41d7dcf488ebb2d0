"""`docs/api/contract.md`: each row names a test that is there, and each field stands in a row."""

import ast
import re
from functools import cache

import pytest

from tests.tidy.house import ROOT
from tests.tidy.test_api_pages import ANSWERS, SECTIONS

PAGE = ROOT / "docs" / "api" / "contract.md"
TESTS = ROOT / "tests"
ROW = re.compile(r"^\| (?!field or rule|rule)([^|]*[^|\s-][^|]*) \| (.*) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
NOT_THERE = "not there yet: "
REASONS = ("rate limits", "exact description", "nothing orders", "a process that")
"""What is promised and not built."""


def rows() -> list[tuple[str, str]]:
    """The rows of the page: a rule, and what shows it."""
    return ROW.findall(PAGE.read_text(encoding="utf-8"))


@cache
def names_in(path: str) -> frozenset[str]:
    """The tests of a file, none if it is not there."""
    file = TESTS / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.name.startswith("test_")
    )


def test_the_page_is_read_whole() -> None:
    text = PAGE.read_text(encoding="utf-8")
    tables = text.count("|---|---|")
    assert len(rows()) == text.count("\n|") - 2 * tables
    assert len(rows()) > 100


@pytest.mark.parametrize(("rule", "shown"), rows(), ids=lambda text: str(text)[:50])
def test_a_row_is_shown_by_tests_that_are_there(rule: str, shown: str) -> None:
    named = TEST.findall(shown)
    if shown.startswith(NOT_THERE):
        assert shown.removeprefix(NOT_THERE).startswith(("the ", *REASONS))
        assert not named
        return
    assert named, f"nothing shows: {rule}"
    assert shown == "<br>".join(f"`{path}::{name}`" for path, name in named)
    missing = [f"{path}::{name}" for path, name in named if name not in names_in(path)]
    assert missing == []


def test_each_field_of_the_wire_stands_in_a_row() -> None:
    told = {
        word
        for rule, _ in rows()
        for text in re.findall(r"`([^`]+)`", rule)
        for word in re.findall(r"\w+", text)
    }
    sent = {re.split(r"\.", name)[-1] for fields in ANSWERS.values() for name in fields}
    asked = {
        name
        for section in SECTIONS.values()
        for part in ("Request", "Query")
        if part in section.parts
        for name in section.fields(part)
    }
    assert sorted((sent | asked) - told - {"metadata[key]"}) == []


def test_each_endpoint_has_its_rows() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [endpoint for endpoint in SECTIONS if endpoint not in text] == []
