"""`docs/testing.md`: each row names tests that are there, and each folder of tests is told of."""

import re

import pytest

from tests.tidy.house import ROOT
from tests.tidy.test_contract_table import TEST, TESTS, names_in

PAGE = ROOT / "docs" / "testing.md"
ROW = re.compile(r"^\| ([^|]+) \| (`\w+/[^|]+) \|$", re.MULTILINE)
FOLDER = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
LEAST_ROWS = 45
WITHOUT_TESTS = {"support", "browser"}


def text() -> str:
    """The page."""
    return PAGE.read_text(encoding="utf-8")


def test_the_page_is_read_whole() -> None:
    headings = text().count("| what happens | shown by |")
    tables = text().split("| what happens | shown by |")[1:]
    assert len(ROW.findall(text())) == sum(table.count("\n| ") for table in tables)
    assert (len(ROW.findall(text())) >= LEAST_ROWS, headings) == (True, len(tables))


@pytest.mark.parametrize(("happens", "shown"), ROW.findall(text()), ids=lambda one: str(one)[:50])
def test_a_row_names_tests_that_are_there(happens: str, shown: str) -> None:
    named = TEST.findall(shown)
    assert shown == "<br>".join(f"`{path}::{name}`" for path, name in named), happens
    missing = [f"{path}::{name}" for path, name in named if name not in names_in(path)]
    assert missing == []


def test_each_folder_of_tests_is_told_of() -> None:
    folders = {path.name for path in TESTS.iterdir() if path.is_dir() and path.name[0].isalpha()}
    assert set(FOLDER.findall(text())) == folders - WITHOUT_TESTS
