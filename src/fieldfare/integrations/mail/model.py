"""A mail, and the server that takes it.

What must hold: no struct prints the password, and a password never crosses a network in the clear.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Literal

import msgspec

from fieldfare.integrations.mail.address import parse_sender

Security = Literal["starttls", "tls", "plain"]


class MailServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where mail is handed in, and whom it is from.

    Raises `ValueError` for a sender that is no mailbox, and for a password without encryption,
    except on this very machine.
    """

    host: str
    port: int
    sender: str
    """A mailbox: `receipts@example.org`, or with a name `Example <receipts@example.org>`."""
    security: Security = "starttls"
    """`tls` encrypts from the first byte (port 465), `starttls` after a greeting (port 587)."""
    user: str | None = None
    password: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no mail could be sent with, or what would give the password away."""
        parse_sender(self.sender)
        if self.password is not None and self.security == "plain" and not _is_here(self.host):
            raise ValueError(
                f"the password for {self.host} would be sent without encryption; "
                "use starttls or tls"
            )

    def __repr__(self) -> str:
        """Without user and password: a repr ends up in logs."""
        return f"MailServer({self.security}://{self.host}:{self.port}, sender={self.sender!r})"


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """One mail to one person, as text and as HTML that say the same."""

    message_id: str
    """Stable for what the mail tells: `<receipt.0198…@example.org>`. Sent twice, it is one mail."""
    to: str
    """A bare address; its parts may hold letters of any script."""
    to_name: str = ""
    subject: str
    text: str
    html: str
    headers: Mapping[str, str] = {}
    """More headers, by name; none of those that every mail has."""


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
