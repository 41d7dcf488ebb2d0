"""Where the sink keeps its mail: in memory to be listed, in files to outlive a restart.

A file is the mail as it came, behind two lines for its envelope, so that any mail program opens it.
What must hold: a file is there in whole or not at all, and only its owner reads it.
"""

from collections import deque
from pathlib import Path
from uuid import UUID

from uuid_utils.compat import uuid7

from fieldfare.kernel.ids import parse_id
from fieldfare.simulators.mail.model import KeptMail
from fieldfare.simulators.mail.parsing import read_mail

MAX_KEPT = 2_000
"""Past this the oldest mail goes."""
_FROM = b"Return-Path: "
_TO = b"Delivered-To: "


class MailBox:
    """All mail that was taken over, oldest first."""

    def __init__(self, folder: Path, *, max_kept: int = MAX_KEPT) -> None:
        self._folder = folder
        self._max_kept = max_kept
        self._mails: deque[KeptMail] = deque()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in sorted(folder.glob("*.eml")):
            mail = _read(path)
            if mail is not None:
                self._mails.append(mail)
        self._drop_oldest()

    def keep(self, sender: str, recipients: list[str], content: bytes) -> KeptMail:
        """Write a mail to its file and list it; raises `OSError` if it cannot be kept."""
        identifier = uuid7()
        mail = read_mail(identifier, sender, recipients, content)
        fresh = self._path(identifier).with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(_envelope(sender, recipients) + content)
        fresh.replace(self._path(identifier))
        self._mails.append(mail)
        self._drop_oldest()
        return mail

    def list_newest(self) -> list[KeptMail]:
        """Every mail, newest first."""
        return list(reversed(self._mails))

    def find(self, identifier: str) -> KeptMail | None:
        """One mail by its id."""
        return next((mail for mail in self._mails if mail.id == identifier), None)

    def clear(self) -> int:
        """Throw all mail away, and tell how many there were."""
        count = len(self._mails)
        while self._mails:
            self._drop()
        return count

    def _drop_oldest(self) -> None:
        while len(self._mails) > self._max_kept:
            self._drop()

    def _drop(self) -> None:
        self._path(UUID(self._mails.popleft().id)).unlink(missing_ok=True)

    def _path(self, identifier: UUID) -> Path:
        return self._folder / f"{identifier}.eml"


def _envelope(sender: str, recipients: list[str]) -> bytes:
    return b"".join(
        name + value.encode("utf-8", "surrogateescape") + b"\r\n"
        for name, value in ((_FROM, sender), (_TO, ", ".join(recipients)))
    )


def _read(path: Path) -> KeptMail | None:
    """The mail in a file; None for one that the sink did not write."""
    identifier = parse_id(path.stem)
    sender, _, rest = path.read_bytes().partition(b"\r\n")
    recipients, _, content = rest.partition(b"\r\n")
    if identifier is None or not sender.startswith(_FROM) or not recipients.startswith(_TO):
        return None
    return read_mail(
        identifier,
        _text(sender.removeprefix(_FROM)),
        _text(recipients.removeprefix(_TO)).split(", "),
        content,
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
