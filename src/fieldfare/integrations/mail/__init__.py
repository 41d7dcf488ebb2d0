"""Mail to one person, handed to an SMTP server.

`send` either returns, and then the server has taken the mail over, or raises: `MailRefused` where
trying again is of no use, `MailUnavailable` where it is.
"""

from fieldfare.integrations.mail.errors import MailRefused, MailUnavailable
from fieldfare.integrations.mail.model import Mail, MailServer, Security
from fieldfare.integrations.mail.smtp import SEND_LIMIT_S, send

__all__ = [
    "SEND_LIMIT_S",
    "Mail",
    "MailRefused",
    "MailServer",
    "MailUnavailable",
    "Security",
    "send",
]
