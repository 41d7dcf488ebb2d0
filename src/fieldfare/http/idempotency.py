"""A retry takes effect once: the client's Idempotency-Key, and what was answered to it.

The key is claimed and its answer kept inside the statement that makes the purchase (functions
`http.claim_keys_v1` and `http.remember_v1`), so there is no instant at which one exists without the
other. What is compared is the request after decoding: the same order sent as JSON and as a form is
the same request.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.http.principal import Principal
from fieldfare.kernel import limits
from fieldfare.kernel.errors import Conflict, InvalidRequest, KeyReused

_queries = load_queries(__file__)


class RequestKey(msgspec.Struct, frozen=True):
    """A client's key, bound to its account and path, with the fingerprint of its request."""

    key_hash: bytes
    fingerprint: bytes


class StoredAnswer(msgspec.Struct, frozen=True):
    """What was answered to the first request with a key, byte for byte."""

    status: int
    body: bytes


class KeyVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a client's key said: see `http.claim_keys_v1`."""

    verdict: str
    status: int | None
    answer: bytes | None
    subject_id: UUID | None
    """The purchase or top-up that the key already stands for."""


def check_key(header: str | None) -> None:
    """Raise `InvalidRequest` unless the header is absent or 1-255 printable ASCII characters."""
    if header is None:
        return
    if not (
        1 <= len(header) <= limits.IDEMPOTENCY_KEY_CHARACTERS
        and header.isascii()
        and header.isprintable()
    ):
        raise InvalidRequest(
            "Idempotency-Key must be 1 to 255 printable ASCII characters, for instance a UUID.",
            code="invalid_idempotency_key",
            param="Idempotency-Key",
        )


def request_key(
    header: str | None, principal: Principal, path: str, request: msgspec.Struct
) -> RequestKey | None:
    """The key of a request that can take effect; `request` is its decoded body."""
    if header is None:
        return None
    # In one order: the same metadata is the same request, however its pairs are arranged, and a
    # release that declares the fields in another order still knows the keys of the last one.
    decoded = msgspec.json.encode(request, order="sorted")
    bound = f"{principal.account_id}\n{path}\n{header}"
    return RequestKey(
        key_hash=hashlib.sha256(bound.encode()).digest(),
        fingerprint=hashlib.sha256(decoded).digest(),
    )


def in_flight() -> Conflict:
    """409: the first request with this key has not been answered yet."""
    return Conflict(
        "A request with this Idempotency-Key is still being carried out. "
        "Send the same request again in a second to get its answer.",
        code="idempotency_in_flight",
        param="Idempotency-Key",
    )


def mismatch() -> KeyReused:
    """422: the key was used for another request."""
    return KeyReused(
        "This Idempotency-Key was used before with another body. "
        "Send the first body again to get its answer, or a new key for a new order.",
        param="Idempotency-Key",
    )


def read_verdict(row: Any) -> KeyVerdict:
    """The verdict in a row of a statement that claims a key."""
    return KeyVerdict(
        verdict=row["verdict"],
        status=row["status"],
        answer=row["answer"],
        subject_id=row["subject_id"],
    )


async def look_at_key(conn: Connection, key: RequestKey) -> KeyVerdict:
    """What a client's key says now; nothing is recorded under it."""
    return read_verdict(
        await _queries.look_at_key(conn, key_hash=key.key_hash, fingerprint=key.fingerprint)
    )


async def find_kept_answer(conn: Connection, key: RequestKey) -> StoredAnswer | None:
    """What was answered to the request with this key, which is the caller's own; None if nothing.

    Unlike `look_at_key` it minds no rival that looks at the key just now.
    """
    row = await _queries.find_kept_answer(conn, key_hash=key.key_hash, fingerprint=key.fingerprint)
    return None if row is None else StoredAnswer(**row)


async def first_answer(
    verdict: KeyVerdict, settle_first: Callable[[UUID], Awaitable[StoredAnswer]]
) -> StoredAnswer | None:
    """What was answered to the first request with a key; None if the key is free.

    `settle_first` answers for what the key stands for if its outcome was not known yet. Raises 409
    or 422 for the key, and what `settle_first` raises.
    """
    match verdict.verdict:
        case "free":
            return None
        case "replay" if verdict.answer is not None and verdict.status is not None:
            return StoredAnswer(status=verdict.status, body=verdict.answer)
        case "pending" if verdict.subject_id is not None:
            return await settle_first(verdict.subject_id)
        case "mismatch":
            raise mismatch()
        case _:
            raise in_flight()


async def answer_key(conn: Connection, subject_id: UUID, *, status: int, body: bytes) -> None:
    """Keep the answer of a request whose outcome was not known when its key was claimed."""
    await _queries.answer_key(conn, subject_id=subject_id, status=status, body=body)


async def forget_key(conn: Connection, subject_id: UUID) -> None:
    """Free the key of a request that turned out to have made nothing."""
    await _queries.forget_key(conn, subject_id=subject_id)


async def forget_old_keys(conn: Connection, *, older_than_hours: int, at_most: int) -> int:
    """Delete answered keys past their time, oldest first; gives how many went."""
    forgotten: list[UUID] = [
        row async for row in _queries.forget_old_keys(conn, hours=older_than_hours, at_most=at_most)
    ]
    return len(forgotten)
