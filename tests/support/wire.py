"""Bytes straight on the wire: what no client library would send, and what comes back for it."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

PIECE_BYTES = 65_536
SECONDS = 20.0


@dataclass(frozen=True)
class Told:
    """One answer, as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """Of a refusal in the one shape of all."""
        assert self.headers["content-type"] == "application/json; charset=utf-8", self
        told: dict[str, Any] = json.loads(self.body)
        assert set(told) - {"param"} == {"message", "code"}, told
        assert told["message"].endswith("."), told
        assert self.headers["x-request-id"]
        code: str = told["code"]
        return code


class Line:
    """One connection."""

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw
        self._unread = b""

    def send(self, *pieces: bytes) -> None:
        """Send these one after the other."""
        for piece in pieces:
            self.raw.sendall(piece)

    def head(self) -> Told:
        """The next answer without its body, which is still to be read if there is one."""
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return Told(int(first.split(" ")[1]), headers, b"")

    def answer(self) -> Told:
        """The next answer, whole."""
        told = self.head()
        headers, body = told.headers, b""
        if headers.get("transfer-encoding") == "chunked":
            while size := int(self._until(b"\r\n"), 16):
                body += self._take(size + 2)[:-2]
            self._take(2)
        else:
            body = self._take(int(headers.get("content-length", 0)))
        return replace(told, body=body)

    def ends(self) -> bool:
        """Whether the other end closes, with nothing more to read."""
        return not self._unread and self.raw.recv(1) == b""

    def _until(self, end: bytes) -> bytes:
        while end not in self._unread:
            self._read()
        found, _, self._unread = self._unread.partition(end)
        return found

    def _take(self, size: int) -> bytes:
        while len(self._unread) < size:
            self._read()
        taken, self._unread = self._unread[:size], self._unread[size:]
        return taken

    def _read(self) -> None:
        piece = self.raw.recv(PIECE_BYTES)
        assert piece, f"closed after {self._unread!r}"
        self._unread += piece


@contextmanager
def line_to(base_url: str) -> Iterator[Line]:
    """A connection to a server at `base_url`."""
    host, _, port = base_url.rpartition("//")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as raw:
        yield Line(raw)


def head_of(method: str, path: str, *headers: str) -> bytes:
    """A request without a body, or up to it."""
    lines = (f"{method} {path} HTTP/1.1", "Host: x", *headers, "", "")
    return "\r\n".join(lines).encode("latin-1")
