"""`docs/api/errors.md` names every code that the program can tell, and no other."""

import ast
import re
from collections import Counter

import pytest

from tests.tidy.house import ROOT
from tests.tidy.problems import Problem, list_problems, problems_of, unused

PAGE = ROOT / "docs" / "api" / "errors.md"
ROW = re.compile(r"^\| `(\w+)` \| (\d{3}) \| (.+) \| (.+) \|$", re.MULTILINE)


def rows() -> list[tuple[Problem, str, str]]:
    """The rows of the page: code and status, what it means, what to do."""
    found = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return [(Problem(code, int(status)), means, remedy) for code, status, means, remedy in found]


def test_the_page_has_every_code_with_its_status_and_no_other() -> None:
    on_page = {problem for problem, _, _ in rows()}
    told = list_problems()
    assert sorted(told - on_page) == []
    assert sorted(on_page - told) == []


def test_a_code_has_one_row_and_one_status() -> None:
    counted = Counter(problem.code for problem, _, _ in rows())
    assert [code for code, count in counted.items() if count > 1] == []


def test_each_row_says_what_it_means_and_what_to_do() -> None:
    for problem, means, remedy in rows():
        assert len(means.split()) >= 3, problem.code
        assert remedy.strip(), problem.code


def test_every_problem_is_told_by_somebody() -> None:
    assert unused() == set()


@pytest.mark.parametrize(
    ("text", "code", "status"),
    [
        ("raise NotFound('x')", "not_found", 404),
        ("raise NotFound", "not_found", 404),
        ("raise NotFound('x', code='gone')", "gone", 404),
        ("answer = InvalidRequest('x', param='y', code='bad')", "bad", 400),
    ],
)
def test_a_problem_is_seen_however_it_is_made(text: str, code: str, status: int) -> None:
    # As if it stood in a module that knows these names.
    found = set(problems_of("fieldfare.accounts.errors", ast.parse(text)))
    assert found == {Problem(code, status)}
