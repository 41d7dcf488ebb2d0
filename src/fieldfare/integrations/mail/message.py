"""A mail as the bytes that cross the wire (RFC 5322, 6532).

What must hold: the bytes have exactly the headers that were asked for. Names come from customers,
so a control character in any header is refused, and what the standard library has written is read
back before it is used.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from email import policy
from email.header import Header
from email.message import EmailMessage
from email.parser import Parser
from email.utils import format_datetime

import msgspec

from fieldfare.integrations.mail.address import Address, parse_address
from fieldfare.integrations.mail.errors import MailRefused
from fieldfare.integrations.mail.model import Mail

HEADER_CHARACTERS = 500
LINE_CHARACTERS = 76

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
    head = list(_headers(mail, sender, recipient, now))
    body = EmailMessage(policy=policy.SMTP)
    # Quoted-printable passes every server as it is, and no line of it is too long.
    body.set_content(mail.text, cte="quoted-printable")
    body.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    written_head = "".join(f"{name}: {value}\r\n" for name, value in head)
    content = written_head.encode() + body.as_bytes()
    _read_back(content, [*(name for name, _ in head), *body.keys()], mail, recipient)
    return Written(sender=sender, recipient=recipient, content=content)


def _headers(
    mail: Mail, sender: Address, recipient: Address, now: datetime
) -> Iterator[tuple[str, str]]:
    if not _MESSAGE_ID.fullmatch(mail.message_id):
        raise MailRefused("the mail's Message-ID is malformed")
    yield "Message-ID", mail.message_id
    yield "Date", format_datetime(now)
    yield "From", _mailbox("From", sender)
    yield "To", _mailbox("To", recipient)
    yield "Subject", _folded("Subject", mail.subject)
    # RFC 3834: nobody's holiday answers it; the second one is what Exchange listens to.
    yield "Auto-Submitted", "auto-generated"
    yield "X-Auto-Response-Suppress", "All"
    for name, value in mail.headers.items():
        lower = name.lower()
        if not _HEADER_NAME.fullmatch(name) or lower in _OURS or lower.startswith(_OURS_BEGIN):
            raise MailRefused("the mail has a header that is not its own to set")
        yield name, _folded(name, value)


def _mailbox(header: str, address: Address) -> str:
    """An address with its name, which is quoted where it would otherwise be read as more."""
    if not address.name:
        return str(address)
    folded = _folded(header, address.name)
    written = f'"{folded}"' if "." in address.name and folded == address.name else folded
    return f"{written}\r\n <{address}>"


def _folded(header: str, value: str) -> str:
    """A value in lines of its own length; raises `MailRefused` for one that could end its line.

    `EmailMessage` is not asked to do it: where it breaks a long value between two encoded words it
    loses the blank between them, and around a long name it loses the quotes.
    """
    if _UNSAFE.search(value) or len(value) > HEADER_CHARACTERS:
        raise MailRefused(f"the mail's {header} has a control character, or is too long")
    # What looks like an encoded word is encoded itself, or a reader would decode it.
    charset = "us-ascii" if value.isascii() and "=?" not in value else "utf-8"
    folded = Header(value, charset, LINE_CHARACTERS, header)
    return folded.encode(linesep="\r\n")


def _read_back(content: bytes, names: list[str], mail: Mail, recipient: Address) -> None:
    """Refuse bytes that a reader would take for another mail than the one that was written."""
    read = Parser(policy=policy.default).parsestr(content.decode(), headersonly=True)
    mailboxes = [(mailbox.username, mailbox.domain) for mailbox in read["To"].addresses]
    if (
        read.keys() != names
        or read["Message-ID"] != mail.message_id
        or mailboxes != [(recipient.local_part, recipient.domain)]
    ):
        raise MailRefused("the mail's headers cannot be written so that they read as they should")
