"""What is told, as bytes: JSON with exact numbers, and every problem in the one error shape.

Apart from `http.answers`, so that a service can keep an answer without knowing what carries it.
"""

import msgspec

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


def encode_problem(problem: ProblemError) -> bytes:
    """The body of the answer that tells a client of `problem`."""
    return encode_json(
        ErrorBody(
            message=problem.message,
            code=problem.code,
            param=problem.param,
            purchase_id=problem.purchase_id,
        )
    )
