"""Entity tags, by which a client is spared what it has already (RFC 9110)."""

import hashlib


def etag_of(body: bytes) -> str:
    """The entity tag of a body, with its quotes: equal for equal bodies (RFC 9110, 8.8.3)."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def has_already(etag: str, if_none_match: str | None) -> bool:
    """Whether a client that sent `If-None-Match` has this body (RFC 9110, 13.1.2: weakly)."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return etag in tags or tags == ["*"]
