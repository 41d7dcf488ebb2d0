"""Reading a mail as a mail program would, whatever it is made of.

What must hold: no bytes at all make it fail, because a sink that stumbles loses mail. So headers
are read by the old, lenient part of the standard library, and what cannot be read is shown with
replacement characters.
"""

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from uuid import UUID

from fieldfare.kernel.ids import instant_of
from fieldfare.simulators.mail.model import KeptMail

_WORD = r"=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?="
_ENCODED_WORDS = re.compile(rf"{_WORD}(?: {_WORD})*")
"""RFC 2047: what lies between two of them does not count."""


def read_mail(identifier: UUID, sender: str, recipients: list[str], content: bytes) -> KeptMail:
    """The mail in `content`, which came with this envelope."""
    message = BytesParser().parsebytes(content)
    headers = [(readable(name), _header(value)) for name, value in message.raw_items()]
    by_name = {name.lower(): value for name, value in reversed(headers)}
    return KeptMail(
        id=str(identifier),
        message_id=by_name.get("message-id", ""),
        sender=readable(sender),
        to=[readable(recipient) for recipient in recipients],
        subject=by_name.get("subject", ""),
        received_at=instant_of(identifier),
        text=_body(message, "text/plain"),
        html=_body(message, "text/html"),
        headers=headers,
        size=len(content),
    )


def readable(text: str) -> str:
    """`text` as it can be written in UTF-8: bytes that are none become replacement characters."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _header(value: str) -> str:
    return _ENCODED_WORDS.sub(_decoded_words, readable(" ".join(value.split())))


def _decoded_words(found: re.Match[str]) -> str:
    try:
        return readable(str(make_header(decode_header(found.group()))))
    except (HeaderParseError, LookupError, ValueError):
        return found.group()


def _body(message: Message, content_type: str) -> str:
    """The first part of a type, decoded; nothing if there is none."""
    for part in message.walk():
        raw = part.get_payload(decode=True)
        if part.get_content_type() == content_type and isinstance(raw, bytes):
            return _decoded(raw, part.get_content_charset("utf-8")).replace("\r\n", "\n")
    return ""


def _decoded(raw: bytes, charset: str) -> str:
    try:
        return readable(raw.decode(charset, "replace"))
    except (LookupError, ValueError):
        return raw.decode("utf-8", "replace")
