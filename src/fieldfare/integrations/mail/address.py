"""Mail addresses as they go over the wire.

A domain in any script goes in its ASCII form (IDNA 2008 with the mapping of UTS 46), which every
server takes. A local part in another script has no such form: it needs SMTPUTF8 (RFC 6531).
What must hold: an address that passes here holds nothing that ends an SMTP argument or a header.
"""

import email.utils
import re

import idna
import msgspec

from fieldfare.integrations.mail.errors import MailRefused

LOCAL_PART_OCTETS = 64
ADDRESS_OCTETS = 254
DISPLAY_NAME_CHARACTERS = 70

# RFC 5321 and 6531: a dot-string of `atext`, or of any letter that is not ASCII. Quoted local parts
# are left out: nobody has one, and every second program reads them wrongly.
_ATOM = r"(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|[^\x00-\x9f\s\u2028\u2029\ud800-\udfff])+"
_LOCAL_PART = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# With these a name needs quotes, and a program that loses the quotes, as the standard library does
# when it folds a long header, takes an address in a name for one more recipient.
_SPECIALS = re.compile(r"[\"<>@,:;\\()\[\]]+")


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """One address, ready to be written."""

    local_part: str
    domain: str
    """In its ASCII form."""
    name: str = ""

    @property
    def is_ascii(self) -> bool:
        """Whether a server without SMTPUTF8 can take it."""
        return self.local_part.isascii()

    def __str__(self) -> str:
        return f"{self.local_part}@{self.domain}"


def parse_address(text: str, name: str = "") -> Address:
    """An address of the form `local@domain`; raises `MailRefused` without naming it."""
    local_part, at, domain = text.rpartition("@")
    if not at or not _LOCAL_PART.fullmatch(local_part):
        raise MailRefused("the recipient's address is none that mail can be sent to")
    address = Address(local_part=local_part, domain=_ascii_domain(domain), name=display_name(name))
    octets = len(str(address).encode())
    if len(local_part.encode()) > LOCAL_PART_OCTETS or octets > ADDRESS_OCTETS:
        raise MailRefused(f"the recipient's address is too long: {octets} bytes")
    return address


def parse_sender(mailbox: str) -> Address:
    """The sender of a `MailServer`; raises `ValueError`, because no mail could ever leave."""
    try:
        ((name, address),) = email.utils.getaddresses([mailbox])
        return parse_address(address, name)
    except (MailRefused, ValueError) as refusal:
        raise ValueError(
            f"{mailbox!r} is no mailbox to send from; "
            "give one such as receipts@example.org or Example <receipts@example.org>"
        ) from refusal


def display_name(name: str) -> str:
    """What of a name can stand before an address without quotes."""
    return " ".join(_SPECIALS.sub(" ", name).split())[:DISPLAY_NAME_CHARACTERS].strip()


def _ascii_domain(domain: str) -> str:
    try:
        found = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        found = ""
    if not _DOMAIN.fullmatch(found):
        raise MailRefused("the recipient's address has a domain that cannot exist")
    return found
