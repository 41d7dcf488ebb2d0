"""A mail as it was kept, and the faults that can be asked for."""

from datetime import datetime
from typing import Literal

import msgspec

Mode = Literal["ok", "refuse", "tempfail", "slow", "hangup", "down"]


class KeptMail(msgspec.Struct, frozen=True, kw_only=True, rename={"sender": "from"}):
    """One mail that was taken over."""

    id: str
    """A version 7 UUID: ids sort by the time of arrival."""
    message_id: str
    sender: str
    """The envelope's, not the header's; `from` in JSON."""
    to: list[str]
    """The envelope's recipients."""
    subject: str
    received_at: datetime
    text: str
    html: str
    headers: list[tuple[str, str]]
    """Every header of the mail, in its order."""
    size: int
    """Bytes, as they came."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the next mails fare, until another fault is set.

    `refuse` says 550 to the recipient, `tempfail` 451 to the content; `slow` takes the content and
    answers after `seconds`; `hangup` keeps the mail and closes the connection without an answer;
    `down` closes the port and every connection. With any other mode than `slow`, `seconds` is when
    all is well again (0: not by itself).
    """

    mode: Mode = "ok"
    seconds: float = 0
