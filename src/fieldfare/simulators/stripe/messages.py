"""A request as it came, and a reply as it is to leave, whatever carries them."""

from typing import Any, Literal, TypeAlias

import msgspec

Cut: TypeAlias = Literal["", "reset", "half"]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request, read to its end."""

    method: str
    path: str
    """Without its query, still percent-encoded."""
    query: str
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes
    peer: str
    """The address that it came from."""

    def base_url(self) -> str:
        """How the caller reached us."""
        return f"http://{self.headers.get('host', 'localhost')}"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP reply."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = {}
    cut: Cut = ""
    """`reset`: the connection is reset instead; `half`: it closes after half of this."""


def json_reply(status: int, content: Any) -> Reply:
    """A reply with a JSON body."""
    return Reply(status=status, body=msgspec.json.encode(content))


def html_reply(status: int, content: str, headers: dict[str, str] | None = None) -> Reply:
    """A reply with a page."""
    return Reply(
        status=status,
        body=content.encode(),
        content_type="text/html; charset=utf-8",
        headers=headers or {},
    )
