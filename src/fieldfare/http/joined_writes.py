"""The head and the body of an answer leave together.

The server writes them apart, and each write is a call of the system that wakes the client: for a
short answer that is a third of all that it costs. So a head is held back for what comes with it.
What must hold: bytes leave in the order in which they were written, and a head whose body is not
ready yet leaves with the next step of the event loop.
"""

import asyncio
from typing import Any

HEAD = b"HTTP/1.1 "


class JoinedWrites:
    """A transport that holds back a head; in all else it is the one below it."""

    __slots__ = ("_held", "_loop", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: bytes | None = None
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send, unless it is a head and nothing is held: that waits for what comes next."""
        held, self._held = self._held, None
        if held is not None:
            self._transport.writelines((held, data))
        elif data.startswith(HEAD):
            self._held = data
            self._loop.call_soon(self._send_held)
        else:
            self._transport.write(data)

    def write_answer(self, head: bytes, body: bytes) -> None:
        """Send an answer that is whole, after what is held."""
        self._send_held()
        self._transport.writelines((head, body))

    def close(self) -> None:
        """Send what is held, and close once all is sent."""
        self._send_held()
        self._transport.close()

    def write_eof(self) -> None:
        """Send what is held, and let the client know that it was the last."""
        self._send_held()
        self._transport.write_eof()

    def get_write_buffer_size(self) -> int:
        """How many bytes wait, those that are held among them."""
        return self._transport.get_write_buffer_size() + len(self._held or b"")

    def _send_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._transport.write(held)
