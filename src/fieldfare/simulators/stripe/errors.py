"""What a caller can be told went wrong, in Stripe's own words and shape.

kind of refusal     status   kept under the idempotency key
invalid             400      no: nothing had begun
missing             400/404  no
refused             400      yes: the request had begun to run
declined            402      yes, and what it did (a failed charge) stays done
"""

from typing import Any

DECLINED = 402
_NAMES = {
    "payment_method": "PaymentMethod",
    "setup_intent": "setupintent",
    "account": "destination",
    "balance_transaction": "balance transaction",
    "webhook_endpoint": "webhook endpoint",
}


class ApiError(Exception):
    """An answer other than 200; `kept` says that it is replayed under the idempotency key."""

    def __init__(self, status: int, error: dict[str, Any], *, kept: bool = False) -> None:
        super().__init__(error.get("message"))
        self.status = status
        self.error = error
        self.kept = kept


class SimulatorRefused(RuntimeError):
    """The simulator cannot start; the message is one line that names the next step."""


def error_body(error: dict[str, Any]) -> dict[str, Any]:
    """The JSON body of an error, with the address of its documentation."""
    code = error.get("code")
    more = (
        {"doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"} if code else {}
    )
    present = {name: value for name, value in error.items() if value is not None}
    return {"error": {**more, **present}}


def request_error(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    kept: bool = False,
    **more: Any,
) -> ApiError:
    """An `invalid_request_error` of any status."""
    error = {"type": "invalid_request_error", "message": message, "param": param, "code": code}
    return ApiError(status, {**error, **more}, kept=kept)


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """400 from validation: nothing has begun, so the key stays unused."""
    return request_error(400, message, param=param, code=code)


def refused(
    message: str, *, param: str | None = None, code: str | None = None, **more: Any
) -> ApiError:
    """400 from a request that had begun to run: its answer is kept."""
    return request_error(400, message, param=param, code=code, kept=True, **more)


def missing(kind: str, identifier: str, *, param: str | None = None) -> ApiError:
    """No such object: 404 when the path names it, 400 when `param` does."""
    name = _NAMES.get(kind, kind)
    return request_error(
        400 if param else 404,
        f"No such {name}: '{identifier}'",
        param=param or "id",
        code="resource_missing",
    )


def declined(code: str, message: str, *, decline_code: str | None = None, **more: Any) -> ApiError:
    """402 `card_error`; `more` are the objects that the error carries."""
    error = {"type": "card_error", "code": code, "message": message, "decline_code": decline_code}
    return ApiError(DECLINED, {**error, **more}, kept=True)
