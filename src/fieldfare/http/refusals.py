"""Every refusal in the one error shape, those of the framework and of the database among them."""

import errno
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from fieldfare.db.pool import DATABASE_DOWN
from fieldfare.http.answers import json_answer, problem_answer
from fieldfare.http.encoding import ErrorBody
from fieldfare.kernel import limits
from fieldfare.kernel.errors import InvalidRequest, ProblemError, Unavailable

_log = structlog.get_logger(__name__)

FRAMEWORK = {
    404: ("not_found", "There is nothing at this path. The API's paths start with /api/."),
    405: ("method_not_allowed", "This path takes other methods: see the Allow header."),
    413: ("body_too_large", "The body is over {most} KiB. Send a smaller one."),
}

CLIENT_LEFT = "client disconnected prematurely"
"""Litestar's words for a body that ends before it is whole; it takes that for a defect."""

# What the file system says of a path under /static that no file can have.
_NO_SUCH_FILE = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ELOOP)


def answer_problem(_: Request[Any, Any, Any], problem: ProblemError) -> Response[bytes]:
    """A refusal of ours."""
    return problem_answer(problem)


def answer_framework(request: Request[Any, Any, Any], refusal: HTTPException) -> Response[bytes]:
    """A refusal by Litestar: no such path or method, a body too large.

    Who left before the end of the body hears nothing any more; only the log says so.
    A file that is there and cannot be read is a defect of ours, and no words of Litestar's on it
    go out: they tell where it lies.
    """
    status, cause = refusal.status_code, refusal.__cause__
    if refusal.detail == CLIENT_LEFT:
        return problem_answer(InvalidRequest("The body did not end.", code="body_incomplete"))
    if isinstance(cause, OSError) and cause.errno in _NO_SUCH_FILE:
        status = 404
    elif isinstance(cause, OSError) or status >= 500:
        return answer_defect(request, refusal)
    code, message = FRAMEWORK.get(
        status, ("invalid_request", f"The request cannot be read: {refusal.detail}")
    )
    if status == 413:
        most = request.route_handler.resolve_request_max_body_size()
        message = message.format(most=(most or limits.BODY_BYTES) // 1024)
    return json_answer(
        ErrorBody(message=message, code=code), status=status, headers=refusal.headers
    )


def answer_database_down(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The database went away where no use case says what that means."""
    _log.warning("database_unavailable", reason=type(error).__name__)
    return problem_answer(
        Unavailable(
            "The database does not answer. Send the request again in a moment.",
            code="database_unavailable",
        )
    )


def answer_defect(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A defect of ours: logged with its traceback, told without any of it."""
    _log.error("defect", path=request.scope["path"], exc_info=error)
    body = ErrorBody(
        message="Something went wrong on our side; it has been recorded. Send the request again, "
        "with the same Idempotency-Key if it had one, or ask the operator, naming X-Request-Id.",
        code="internal_error",
    )
    return json_answer(body, status=500)


EXCEPTION_HANDLERS: dict[Any, Any] = {
    ProblemError: answer_problem,
    HTTPException: answer_framework,
    **dict.fromkeys(DATABASE_DOWN, answer_database_down),
    Exception: answer_defect,
}
