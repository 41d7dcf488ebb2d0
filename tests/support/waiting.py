"""Waiting for what happens soon, but not at once."""

import time
from collections.abc import Callable

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
