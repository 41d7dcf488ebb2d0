"""Errors: each carries the status and code that a client is told, and may name a field."""

import pytest

from fieldfare.kernel import errors
from fieldfare.kernel.errors import InvalidRequest, NotFound, ProblemError

TREE = [
    (errors.InvalidRequest, 400, "invalid_request", None),
    (errors.AccessRefused, 403, "forbidden", None),
    (errors.NotFound, 404, "not_found", None),
    (errors.Conflict, 409, "conflict", 1),
    (errors.KeyReused, 422, "idempotency_mismatch", None),
    (errors.TooManyRequests, 429, "rate_limited", 1),
    (errors.Unavailable, 503, "unavailable", 1),
    (errors.AnswerLost, 503, "unavailable", 1),
    (errors.Contended, 503, "unavailable", 1),
    (errors.HeldUp, 503, "unavailable", 1),
]


class SoldOut(InvalidRequest):
    """A leaf, as a feature adds one."""

    code = "sold_out"


@pytest.mark.parametrize(("kind", "status", "code", "retry_after_s"), TREE)
def test_each_branch_has_its_status_and_code(
    kind: type[ProblemError], status: int, code: str, retry_after_s: int | None
) -> None:
    error = kind("send it again")
    assert (error.status, error.code, error.retry_after_s) == (status, code, retry_after_s)
    assert (error.message, str(error), error.param) == ("send it again", "send it again", None)


def test_every_branch_is_in_the_tree_above_and_drawn_in_the_docstring() -> None:
    branches = {kind for kind in vars(errors).values() if isinstance(kind, type)} - {ProblemError}
    assert branches == {kind for kind, *_ in TREE}
    assert all(issubclass(kind, ProblemError) for kind in branches)
    for kind, status, _, _ in TREE:
        lines = [
            line for line in str(errors.__doc__).splitlines() if f"── {kind.__name__} " in line
        ]
        assert len(lines) == 1
        assert str(status) in lines[0]


def test_a_code_given_for_one_error_stays_with_it() -> None:
    given = InvalidRequest("give `tons`", param="tons", code="missing")
    assert (given.code, given.param) == ("missing", "tons")
    assert InvalidRequest("x").code == "invalid_request"
    assert NotFound("x").code == "not_found"


def test_a_leaf_keeps_the_status_of_its_branch() -> None:
    with pytest.raises(ProblemError) as caught:
        raise SoldOut("choose another project", param="projectId")
    assert (caught.value.status, caught.value.code) == (400, "sold_out")
    assert caught.value.param == "projectId"
