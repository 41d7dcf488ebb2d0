"""Text as clients send it: normalised, bounded, and free of what could deceive a reader.

CRLF becomes LF and the rest is brought to Unicode NFC, then kept unchanged. Control characters
(newline and tab where a text may have lines), bidirectional overrides and isolates (the "Trojan
Source" characters, CVE-2021-42574) and unpaired surrogates are refused. What was kept elsewhere is
made fit to be shown by `shown_in_line`.
"""

import re
import unicodedata

BIDI = "\u202a-\u202e\u2066-\u2069"
_SURROGATES = "\ud800-\udfff"
CONTROL_BUT_LINES = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029"
_NEVER_SHOWN = {"Cc", "Cs", "Zl", "Zp"}
_DIRECTIONS = set("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BAD_IN_LINES = re.compile(f"[{CONTROL_BUT_LINES}{BIDI}{_SURROGATES}]")
_BAD_IN_LINE = re.compile(f"[{CONTROL_BUT_LINES}\\n\\t{BIDI}{_SURROGATES}]")


class TextRefused(ValueError):
    """The text may not be kept; the message tells why and what to send instead."""


def clean_text(value: str, *, max_characters: int, lines: bool = False) -> str:
    """`value` in NFC with LF line ends; raises `TextRefused` if it is too long or deceptive.

    `lines` allows newline and tab. The length is counted after normalisation, in code points.
    """
    bad = (_BAD_IN_LINES if lines else _BAD_IN_LINE).search(value.replace("\r\n", "\n"))
    if bad:
        raise TextRefused(
            f"must not contain the character U+{ord(bad.group()):04X}; remove it and send again"
        )
    cleaned = unicodedata.normalize("NFC", value.replace("\r\n", "\n"))
    if len(cleaned) > max_characters:
        raise TextRefused(
            f"must be at most {max_characters:,} characters; this one has {len(cleaned):,}"
        )
    return cleaned


def shown_in_line(text: str, max_characters: int) -> str:
    """A text of somebody's as it can stand in a line, cut to a length.

    Line ends and other control characters become blanks, and marks that turn the direction of what
    follows are left out.
    """
    shown = unicodedata.normalize("NFC", text)
    # Nearly every text is; what is to go is never among what can be printed.
    if not shown.isprintable():
        shown = "".join(map(_shown, shown))
    line = " ".join(shown.split())
    return line if len(line) <= max_characters else line[: max_characters - 1].rstrip() + "…"


def _shown(character: str) -> str:
    if character in _DIRECTIONS:
        return ""
    return " " if unicodedata.category(character) in _NEVER_SHOWN else character
