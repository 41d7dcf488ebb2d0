"""What goes back: JSON bytes with exact numbers, and every problem in the one error shape."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response

from fieldfare.kernel.errors import ProblemError

CONTENT_TYPE = "application/json; charset=utf-8"

_encoder = msgspec.json.Encoder(decimal_format="number")
encode_json = _encoder.encode


class ErrorBody(msgspec.Struct, omit_defaults=True):
    """The body of every answer that is not a success."""

    message: str
    """For people; always names the next step."""
    code: str
    """For machines; stable."""
    param: str | None = None
    """The field to blame, where one is."""
    purchase_id: str | None = msgspec.field(default=None, name="purchaseId")
    """The order or top-up whose outcome is not known yet."""


def json_answer(
    body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    """`body` (a Struct, a list or a dict; Decimals become JSON numbers) as an answer."""
    return bytes_answer(encode_json(body), status=status, headers=headers)


def bytes_answer(
    content: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    """JSON that is encoded already."""
    return Response(content, status_code=status, media_type=CONTENT_TYPE, headers=headers)


def problem_answer(
    problem: ProblemError, *, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    """The answer that tells a client of `problem`."""
    all_headers = dict(headers or {})
    if problem.retry_after_s is not None:
        all_headers["Retry-After"] = str(problem.retry_after_s)
    return bytes_answer(encode_problem(problem), status=problem.status, headers=all_headers)


def encode_problem(problem: ProblemError) -> bytes:
    """The body of that answer."""
    return encode_json(
        ErrorBody(
            message=problem.message,
            code=problem.code,
            param=problem.param,
            purchase_id=problem.purchase_id,
        )
    )
