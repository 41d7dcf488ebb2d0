"""A client that hardly reads is cut off.

An answer that is written faster than its client reads waits in memory, and what streams it waits
with it, for as long as the client likes. What must hold: whoever takes less than `LEAST_BYTES`
within `PACE_S`, while more than that waits, loses the connection, and we lose what was held for it.
"""

import asyncio
import socket
from typing import cast

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fieldfare.http.joined_writes import JoinedWrites

LEAST_BYTES = 64 * 1024
PACE_S = 60.0
"""About a kilobyte a second: the worst of mobile networks is faster."""
LOOKS = 4
"""Within `PACE_S`: a process that was stopped for long sees what was read meanwhile only after it
has looked once."""
UNSENT_BYTES = 256 * 1024
"""So much may wait in the system's own buffer. It takes megabytes if it may, and does not tell how
much of that is gone until a third is: to us, a client of a usual pace would seem to stand still."""

_log = structlog.get_logger(__name__)


class PacedProtocol(HttpToolsProtocol):
    """uvicorn's connection, which looks at its client's pace while there is something to read."""

    pace_s = PACE_S
    _look: asyncio.TimerHandle | None = None

    def connection_made(  # type: ignore[override]  # as uvicorn's own
        self, transport: asyncio.Transport
    ) -> None:
        """Somebody is there."""
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport, self.loop)))
        raw = transport.get_extra_info("socket")
        if raw.family in {socket.AF_INET, socket.AF_INET6}:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    def pause_writing(self) -> None:
        """More waits than should: from here on the client is looked at."""
        super().pause_writing()
        self._look_later(self._waiting_bytes(), looks=1)

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        self._stop_looking()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is left to be looked at."""
        self._stop_looking()
        super().connection_lost(exc)

    def _look_later(self, waited: int, looks: int) -> None:
        self._stop_looking()
        self._look = self.loop.call_later(self.pace_s / LOOKS, self._look_at, waited, looks)

    def _look_at(self, waited: int, looks: int) -> None:
        waiting = self._waiting_bytes()
        if waited - waiting >= LEAST_BYTES:
            self._look_later(waiting, looks=1)
        elif looks < LOOKS:
            self._look_later(waited, looks + 1)
        else:
            _log.info("slow_reader_cut", waiting_bytes=waiting)
            # Not closed: that would go on waiting until what waits is read.
            self.transport.abort()

    def _waiting_bytes(self) -> int:
        return self.transport.get_write_buffer_size()

    def _stop_looking(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None
