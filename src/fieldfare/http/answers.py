"""What goes back to a client: status, headers, and JSON that is encoded in the one way."""

from collections.abc import Mapping
from typing import Any

from litestar import Response

from fieldfare.http.encoding import CONTENT_TYPE, encode_json, encode_problem
from fieldfare.http.idempotency import StoredAnswer
from fieldfare.kernel.errors import ProblemError
from fieldfare.telemetry.families import REFUSED

COME_AGAIN = (429, 503)
REPLAYED_HEADER = "Idempotency-Replayed"


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


def replay(stored: StoredAnswer) -> Response[bytes]:
    """The first answer to a request with a key, again."""
    return bytes_answer(stored.body, status=stored.status, headers={REPLAYED_HEADER: "true"})


def problem_answer(
    problem: ProblemError, *, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    """The answer that tells a client of `problem`; who is sent away to come again is counted."""
    if problem.status in COME_AGAIN:
        REFUSED.add(problem.code)
    all_headers = dict(headers or {})
    if problem.retry_after_s is not None:
        all_headers["Retry-After"] = str(problem.retry_after_s)
    return bytes_answer(encode_problem(problem), status=problem.status, headers=all_headers)
