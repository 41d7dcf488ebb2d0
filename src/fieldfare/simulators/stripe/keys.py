"""Idempotency keys, as Stripe documents them.

The answer of a request that began to run is kept for 24 hours of the simulator's clock and given
again; other parameters or another path under the key are refused, and so is a second request while
the first still runs. Nothing is kept of requests that never began.
"""

import hashlib
from typing import Any

import msgspec

from fieldfare.kernel import limits
from fieldfare.simulators.stripe.errors import ApiError, invalid
from fieldfare.simulators.stripe.faults import in_use
from fieldfare.simulators.stripe.world import Call

KEPT_S = limits.IDEMPOTENCY_KEPT_HOURS * 3_600


class Kept(msgspec.Struct, frozen=True):
    """An answer given under a key."""

    path: str
    fingerprint: str
    status: int
    body: bytes
    request_id: str


def check_length(key: str) -> None:
    """Raise `ApiError` (400) for a key that is too long."""
    if len(key) > limits.IDEMPOTENCY_KEY_CHARACTERS:
        raise invalid(
            f"Idempotency keys must be at most {limits.IDEMPOTENCY_KEY_CHARACTERS} characters long."
        )


def fingerprint(params: dict[str, Any]) -> str:
    """The same for the same parameters in whatever order."""
    return hashlib.sha256(msgspec.json.encode(params, order="deterministic")).hexdigest()


def take_up(call: Call, key: str, print_: str) -> Kept | None:
    """The kept answer, or None if the request may run; raises `ApiError` (400 or 409)."""
    row = call.db.execute(
        "select path, fingerprint, status, body, request_id from kept where key = ? and at_s > ?",
        (key, call.now - KEPT_S),
    ).fetchone()
    kept = Kept(*row) if row else None
    if kept is not None:
        _check_same(call, key, print_, kept.path, kept.fingerprint)
    elif (running := call.world.running_keys.get(key)) is not None:
        _check_same(call, key, print_, *running)
    if key in call.world.running_keys:
        raise in_use(key)
    return kept


def _check_same(call: Call, key: str, print_: str, path: str, fingerprint_: str) -> None:
    if path != call.path:
        what = f"for the same endpoint they were first used for ('{call.path}' vs '{path}')"
    elif fingerprint_ != print_:
        what = "with the same parameters they were first used with"
    else:
        return
    message = (
        f"Keys for idempotent requests can only be used {what}. Try using a key other than "
        f"'{key}' if you meant to execute a different request."
    )
    raise ApiError(400, {"type": "idempotency_error", "message": message})


def keep(call: Call, key: str, print_: str, status: int, body: bytes) -> None:
    """Keep an answer, and forget those that are too old; within the effect's transaction."""
    call.db.execute("delete from kept where at_s <= ?", (call.now - KEPT_S,))
    call.db.execute(
        "insert or replace into kept (key, method, path, fingerprint, status, body, request_id, "
        "at_s) values (?, ?, ?, ?, ?, ?, ?, ?)",
        (key, call.method, call.path, print_, status, body, call.request_id, call.now),
    )
