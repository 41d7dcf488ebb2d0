"""Waiting for what happens soon, but not at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable

WITHIN_S = 5.0
EACH_S = 0.05


def wait_until(
    happened: Callable[[], bool], *, within_s: float = WITHIN_S, each_s: float = EACH_S
) -> None:
    """Return when `happened()` is true; fail if it is not in time."""
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(each_s)


async def until(
    holds: Callable[[], Awaitable[bool]], within_s: float = 20.0, *, each_s: float = EACH_S
) -> None:
    """Return when `holds()` is true; fail if it is not in time."""
    async with asyncio.timeout(within_s):
        # Nobody tells of it: neither a database nor another process could set an event of ours.
        while not await holds():  # noqa: ASYNC110 - what is waited for is outside of this process
            await asyncio.sleep(each_s)
