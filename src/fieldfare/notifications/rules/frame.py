"""What every mail has around what it says: names made safe, a greeting, an id of its own.

What must hold: a name, which may hold anything, stays in its line, in its direction and within its
length; and the id of a mail is the same whenever it is asked for.
"""

import re
import unicodedata
from uuid import UUID

import msgspec

from fieldfare.kernel.languages import Language
from fieldfare.kernel.text import shown_in_line
from fieldfare.notifications.rules.words import Words

NAME_CHARACTERS = 80

_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9.-]+")
_WEB_ADDRESS = re.compile(r"[^\s/]{2,}/|//|www\.", re.IGNORECASE)
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"


class RowView(msgspec.Struct, frozen=True, kw_only=True):
    """A label and what it labels."""

    label: str
    value: str


class FrameView(msgspec.Struct, frozen=True, kw_only=True):
    """What `frame.html` and `frame.txt` show around the rest of a mail."""

    language: Language
    to_name: str
    subject: str
    title: str
    colon: str
    seller: str
    greeting: str
    headline: str
    facts: list[RowView]
    footer: str


def mail_message_id(kind: str, subject_id: UUID, host: str) -> str:
    """The Message-ID of a mail of some kind about a subject: the same whenever it is asked for.

    `host` is a name of ours, such as that in our public address.
    """
    domain = _NOT_IN_AN_ID.sub("-", host).strip("-.") or "localhost"
    return f"<{kind}.{subject_id}@{domain}>"


def one_line(text: str, max_characters: int) -> str:
    """A text of somebody's as it can stand in a line of ours, cut to a length.

    Line ends and other control characters become blanks, marks that turn the direction of what
    follows are left out, and where letters run from right to left the text is set apart.
    """
    line = shown_in_line(text, max_characters)
    runs_left = any(unicodedata.bidirectional(character) in {"R", "AL"} for character in line)
    return f"{_ISOLATE}{line}{_END_ISOLATE}" if runs_left else line


def greeting(reader_name: str, words: Words) -> str:
    """How a mail begins."""
    # A name with a link in it would make our mail somebody else's advertisement.
    name = one_line(reader_name, NAME_CHARACTERS)
    if not name or _WEB_ADDRESS.search(name):
        return words.greeting_without_name
    return words.greeting.format(name=name)
