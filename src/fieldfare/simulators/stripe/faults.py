"""Faults on demand: which call is struck, and what its caller sees."""

from fnmatch import fnmatchcase

import msgspec

from fieldfare.simulators.stripe.config import Fault
from fieldfare.simulators.stripe.errors import ApiError, request_error
from fieldfare.simulators.stripe.shapes import kind_of
from fieldfare.simulators.stripe.store import find, transaction
from fieldfare.simulators.stripe.world import Call, set_config


def strike(call: Call) -> Fault | None:
    """Count the call with every fault that matches it; gives the first of them that strikes."""
    faults = call.world.config.faults
    if not faults:
        return None
    matching = {fault.id for fault in faults if _matches(call, fault)}
    if not matching:
        return None
    counted = tuple(
        msgspec.structs.replace(fault, seen=fault.seen + 1) if fault.id in matching else fault
        for fault in faults
    )
    with transaction(call.db):
        set_config(call.world, msgspec.structs.replace(call.world.config, faults=counted))
    striking = (fault for fault in counted if fault.id in matching and _is_due(fault))
    return next(striking, None)


def _matches(call: Call, fault: Fault) -> bool:
    if fault.method not in {"*", call.method} or not fnmatchcase(call.path, fault.path):
        return False
    return not fault.metadata or fault.metadata.items() <= _metadata(call).items()


def _metadata(call: Call) -> dict[str, str]:
    """What the call carries, with what the object has that its path names."""
    given = call.params.get("metadata")
    sent = given if isinstance(given, dict) else {}
    kind = kind_of(call.ids[0]) if call.ids else None
    named = find(call.db, kind, call.ids[0]) if kind else None
    return {**((named or {}).get("metadata") or {}), **sent}


def _is_due(fault: Fault) -> bool:
    return fault.nth <= fault.seen and (fault.count == 0 or fault.seen < fault.nth + fault.count)


def internal_error() -> ApiError:
    """500: it may or may not have taken effect."""
    error = {
        "type": "api_error",
        "message": "An unknown error occurred. Please contact Stripe support.",
    }
    return ApiError(500, error, kept=True)


def edge_error(kind: str, key: str | None) -> ApiError:
    """The errors that Stripe's edge gives, never kept under a key: 401, 409 and 429."""
    if kind == "401":
        return request_error(401, "Invalid API Key provided: sk_test_****")
    if kind == "409":
        return in_use(key or "")
    return rate_limited()


def rate_limited() -> ApiError:
    """429: too many calls."""
    return request_error(
        429,
        "Request rate limit exceeded. You can learn more about rate limits here "
        "https://stripe.com/docs/rate-limits.",
        code="rate_limit",
    )


def in_use(key: str) -> ApiError:
    """409: a request with this key is still running."""
    return request_error(
        409,
        "There is currently another in-progress request using this Idempotent Key (that probably "
        "means you submitted twice, and the other request is still going through): "
        f"{key}. If this persists, contact us.",
        code="idempotency_key_in_use",
    )
