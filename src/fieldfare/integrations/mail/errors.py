"""Why a mail did not leave, by what can be done about it.

    MailError
    ├── MailRefused       this mail to this person will never be taken
    └── MailUnavailable   not now: the server is away, slow, full or wrongly set up

What must hold: no message carries the person's address, because messages end up in logs.
"""


class MailError(Exception):
    """A mail did not leave."""


class MailRefused(MailError):
    """Trying again is of no use: the address or the content is not taken.

    `code` is the server's SMTP reply code (500 to 599), or None if the mail was refused on this
    side, before any server was asked.
    """

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class MailUnavailable(MailError):
    """Try again later. The server may have taken the mail all the same: its answer can be lost."""
