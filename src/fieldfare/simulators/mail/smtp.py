"""The SMTP side of the sink: what it says to each mail.

The methods that aiosmtpd calls are found by their names, which are therefore the library's.
"""

import asyncio
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from fieldfare.simulators.mail.box import MailBox
from fieldfare.simulators.mail.model import Fault

MAX_MAIL_BYTES = 10 * 1024 * 1024
CLIENT_PATIENCE_S = 300.0


class Postmaster:
    """Decides about each mail, as the fault of the moment has it."""

    def __init__(self, box: MailBox) -> None:
        self.fault = Fault()
        self.connections: set[Connection] = set()
        self._box = box

    async def handle_RCPT(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """The answer to one recipient."""
        if self.fault.mode == "refuse":
            return "550 5.1.1 No such mailbox here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        """The answer to the content, which is kept unless the fault says no."""
        fault = self.fault
        if fault.mode == "tempfail":
            return "451 4.3.0 Try again later"
        if fault.mode == "slow":
            await asyncio.sleep(fault.seconds)
        if not server.is_open:
            # What was still to be read when the port was taken down: nobody could be told of it.
            return "421 4.3.2 Closing"
        content = envelope.original_content or b""
        mail = self._box.keep(envelope.mail_from or "", envelope.rcpt_tos, content)
        if fault.mode == "hangup":
            server.hang_up()
        return f"250 2.0.0 Kept as {mail.id}"


class Connection(SMTP):
    """One client's connection, known to the postmaster for as long as it lasts."""

    def __init__(self, postmaster: Postmaster, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            postmaster,
            data_size_limit=MAX_MAIL_BYTES,
            enable_SMTPUTF8=True,
            hostname="mail.localhost",
            ident="Fieldfare mail sink",
            timeout=CLIENT_PATIENCE_S,
            loop=loop,
        )
        self._postmaster = postmaster

    @property
    def is_open(self) -> bool:
        """Whether an answer would still reach the client."""
        return self.transport is not None and not self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to be known."""
        super().connection_made(transport)
        self._postmaster.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Be forgotten."""
        super().connection_lost(error)
        self._postmaster.connections.discard(self)

    def close(self) -> None:
        """Close when what was said is on its way: whoever sent a mail that was kept is told so."""
        if self.transport is not None:
            self.transport.close()

    def hang_up(self) -> None:
        """Close at once, whatever was still to be said."""
        if self.transport is not None:
            # A stream's transport; the library declares no more than the base of all transports.
            getattr(self.transport, "abort", self.transport.close)()
