"""The head and the body of an answer leave together, in order, and nothing is held for long."""

import asyncio
from collections.abc import Iterable
from typing import Any

from fieldfare.http.joined_writes import JoinedWrites

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Recorder(asyncio.Transport):
    """The transport below: what it is told, call by call."""

    waiting = 7

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...] | str] = []

    def write(self, data: Any) -> None:
        """One call."""
        self.calls.append((data,))

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """One call, of several pieces."""
        self.calls.append(tuple(list_of_data))

    def close(self) -> None:
        """The end."""
        self.calls.append("close")

    def write_eof(self) -> None:
        """The last of it."""
        self.calls.append("eof")

    def get_write_buffer_size(self) -> int:
        """What waits."""
        return self.waiting


def joined() -> tuple[JoinedWrites, Recorder]:
    """A transport and the one below it."""
    below = Recorder()
    return JoinedWrites(below, asyncio.get_running_loop()), below


async def test_a_head_leaves_with_its_body() -> None:
    transport, below = joined()
    transport.write(HEAD)
    assert below.calls == []
    assert transport.get_write_buffer_size() == below.waiting + len(HEAD)
    transport.write(b"body")
    transport.write(b"more")
    assert below.calls == [(HEAD, b"body"), (b"more",)]
    await asyncio.sleep(0)
    assert below.calls == [(HEAD, b"body"), (b"more",)]


async def test_a_head_whose_body_is_not_ready_leaves_with_the_next_step() -> None:
    transport, below = joined()
    transport.write(HEAD)
    await asyncio.sleep(0)
    assert below.calls == [(HEAD,)]
    transport.write(b"body")
    assert below.calls == [(HEAD,), (b"body",)]


async def test_what_is_held_leaves_before_the_end() -> None:
    transport, below = joined()
    transport.write(HEAD)
    transport.close()
    assert below.calls == [(HEAD,), "close"]
    transport.write(HEAD)
    transport.write_eof()
    assert below.calls[2:] == [(HEAD,), "eof"]


async def test_two_heads_leave_in_their_order() -> None:
    transport, below = joined()
    transport.write(HEAD)
    transport.write(HEAD + b"2")
    await asyncio.sleep(0)
    assert below.calls == [(HEAD, HEAD + b"2")]
