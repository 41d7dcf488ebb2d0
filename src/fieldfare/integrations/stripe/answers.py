"""What an answer of the SDK, or its error, says in plain values; shared by all calls."""

from typing import Any

from fieldfare.integrations.stripe.model import NotExecuted, Unknown
from fieldfare.integrations.stripe.sdk import stripe


def not_begun(error: "stripe.StripeError") -> NotExecuted | Unknown:
    """What an error proves about a request: that it was not begun, or nothing."""
    code, message = code_of(error) or "unknown", error.user_message or ""
    match error:
        case stripe.RateLimitError():
            return NotExecuted(reason="busy", code=code, message=message)
        case stripe.AuthenticationError() | stripe.PermissionError():
            return NotExecuted(reason="unauthorized", code=code, message=message)
        case stripe.IdempotencyError():
            return Unknown(reason=reason_of(error))
        case stripe.InvalidRequestError():
            return NotExecuted(reason="refused", code=code, message=message)
        case _:
            return Unknown(reason=reason_of(error))


def reason_of(error: "stripe.StripeError") -> str:
    """An error in a few words, for logs and lists."""
    parts = (type(error).__name__, str(error.http_status or ""), code_of(error) or "")
    return " ".join(part for part in parts if part)


def code_of(error: "stripe.StripeError") -> str | None:
    """The SDK copies it out of the body for some kinds of error only."""
    return error.code or (error.error.code if error.error else None)


def id_of(reference: Any) -> str:
    """The id of an object that the processor gives as an id, whole, or not at all: then empty."""
    if reference is None:
        return ""
    return reference if isinstance(reference, str) else str(reference.id)


def metadata_of(found: Any) -> dict[str, str]:
    """The metadata of an object; empty if it has none."""
    metadata: Any = found.metadata
    return {} if metadata is None else metadata.to_dict()
