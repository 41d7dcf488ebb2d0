"""The sink's SMTP port, which can be taken down and brought back while it runs."""

import asyncio
import socket

from fieldfare.simulators.mail.model import Fault
from fieldfare.simulators.mail.smtp import Connection, Postmaster


class Listener:
    """The port of one postmaster; it also ends the faults that end by themselves."""

    def __init__(self, postmaster: Postmaster, bound: socket.socket) -> None:
        self._postmaster = postmaster
        self._address: tuple[str, int] = bound.getsockname()
        self._bound: socket.socket | None = bound
        self._server: asyncio.Server | None = None
        self._recovery: asyncio.Task[None] | None = None

    @property
    def fault(self) -> Fault:
        """The fault of the moment."""
        return self._postmaster.fault

    async def open(self) -> None:
        """Take mail; raises `OSError` if the port was taken by somebody else meanwhile."""
        if self._server is None:
            bound, self._bound = self._bound or bind(self._address), None
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: Connection(self._postmaster, loop), sock=bound
            )

    def close(self) -> None:
        """Close the port and every connection."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for connection in [*self._postmaster.connections]:
            connection.close()

    async def set_fault(self, fault: Fault) -> None:
        """Behave like this from now on; raises `OSError` like `open`."""
        if self._recovery is not None:
            self._recovery.cancel()
            self._recovery = None
        await self._apply(fault)
        if fault.mode not in {"ok", "slow"} and fault.seconds > 0:
            self._recovery = asyncio.create_task(self._recover(fault.seconds))

    async def _recover(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._apply(Fault())

    async def _apply(self, fault: Fault) -> None:
        self._postmaster.fault = fault
        if fault.mode == "down":
            self.close()
        else:
            await self.open()


def bind(address: tuple[str, int]) -> socket.socket:
    """A socket on an address of this machine; raises `OSError` if another has it."""
    bound = socket.socket()
    try:
        # On Linux this reuses a port whose last connections are still fading, never one in use.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
