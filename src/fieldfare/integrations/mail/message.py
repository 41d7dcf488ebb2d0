"""A mail as the bytes that cross the wire (RFC 5322, 6532).

What must hold: the bytes have exactly the headers that were asked for. Names come from customers,
so a control character in any header is refused, and what the standard library has written is read
back before it is used.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from email import policy
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.parser import Parser

import msgspec

from fieldfare.integrations.mail.address import Address, parse_address
from fieldfare.integrations.mail.errors import MailRefused
from fieldfare.integrations.mail.model import Mail

HEADER_CHARACTERS = 500

_MESSAGE_ID = re.compile(r"<[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+>")
_HEADER_NAME = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*")
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_OURS = {
    "bcc", "cc", "date", "from", "message-id", "mime-version", "received", "return-path", "sender",
    "subject", "to",
}  # fmt: skip
_OURS_BEGIN = ("content-t", "content-disposition", "resent-")


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A mail, ready for the server."""

    sender: Address
    recipient: Address
    content: bytes

    @property
    def needs_utf8(self) -> bool:
        """Whether only a server with SMTPUTF8 can take it."""
        return not (self.sender.is_ascii and self.recipient.is_ascii)


def write_mail(mail: Mail, sender: Address, now: datetime) -> Written:
    """`mail` from `sender`, dated `now`; raises `MailRefused` if it cannot be written safely."""
    recipient = parse_address(mail.to, mail.to_name)
    is_ascii = sender.is_ascii and recipient.is_ascii
    message = EmailMessage(policy=policy.SMTP if is_ascii else policy.SMTPUTF8)
    for name, value in _headers(mail, now):
        message[name] = _safe(name, value)
    message["From"] = _mailbox(sender)
    message["To"] = _mailbox(recipient)
    # Quoted-printable passes every server as it is, and no line of it is too long.
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    content = message.as_bytes()
    _read_back(content, message, recipient)
    return Written(sender=sender, recipient=recipient, content=content)


def _headers(mail: Mail, now: datetime) -> Iterator[tuple[str, str | datetime]]:
    if not _MESSAGE_ID.fullmatch(mail.message_id):
        raise MailRefused("the mail's Message-ID is malformed")
    yield "Message-ID", mail.message_id
    yield "Date", now
    yield "Subject", mail.subject
    # RFC 3834: nobody's holiday answers it; the second one is what Exchange listens to.
    yield "Auto-Submitted", "auto-generated"
    yield "X-Auto-Response-Suppress", "All"
    for name, value in mail.headers.items():
        lower = name.lower()
        if not _HEADER_NAME.fullmatch(name) or lower in _OURS or lower.startswith(_OURS_BEGIN):
            raise MailRefused("the mail has a header that is not its own to set")
        yield name, value


def _safe(name: str, value: str | datetime) -> str | datetime:
    if isinstance(value, str) and (_UNSAFE.search(value) or len(value) > HEADER_CHARACTERS):
        raise MailRefused(f"the mail's {name} has a control character, or is too long")
    return value


def _mailbox(address: Address) -> HeaderAddress:
    if _UNSAFE.search(address.name):
        raise MailRefused("the mail has a control character in a name")
    return HeaderAddress(address.name, address.local_part, address.domain)


def _read_back(content: bytes, message: EmailMessage, recipient: Address) -> None:
    """Refuse bytes that a reader would take for another mail than the one that was written."""
    read = Parser(policy=policy.default).parsestr(content.decode(), headersonly=True)
    mailboxes = [(m.username, m.domain) for m in read["To"].addresses]
    if (
        sorted(read.keys()) != sorted(message.keys())
        or read["Message-ID"] != message["Message-ID"]
        or mailboxes != [(recipient.local_part, recipient.domain)]
    ):
        raise MailRefused("the mail's headers cannot be written so that they read as they should")
