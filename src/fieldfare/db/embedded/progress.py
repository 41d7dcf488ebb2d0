"""Lines that tell a waiting person that something is still under way."""

import time
from collections.abc import Callable

Log = Callable[[str], None]
_EVERY_S = 5.0


class Progress:
    """Says `text` and the seconds so far, each five seconds for as long as `tick` is called."""

    def __init__(self, log: Log, text: str) -> None:
        self._log = log
        self._text = text
        self._started = time.monotonic()
        self._next = self._started + _EVERY_S

    def tick(self) -> None:
        """To be called often; mostly does nothing."""
        now = time.monotonic()
        if now >= self._next:
            self._log(f"{self._text} ({now - self._started:.0f} s)")
            self._next = now + _EVERY_S
