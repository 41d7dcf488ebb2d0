"""Sending a mail once, as far as SMTP allows.

What must hold: a mail that the server took over is not sent again, however often and wherever this
is called; one that the server did not take stays due. A worker claims the mail in a short
transaction of its own, sends with none open, and then writes down how it ended. If it dies between
sending and writing, or the server's answer is lost, the mail goes out a second time with the same
Message-ID, by which a mailbox knows the two for one. docs/decisions/0005-mail.md tells more.
"""

from uuid import UUID

from fieldfare.db.pool import Database, connection
from fieldfare.integrations.mail import (
    SEND_LIMIT_S,
    Mail,
    MailRefused,
    MailServer,
    MailUnavailable,
    send,
)
from fieldfare.notifications import store
from fieldfare.notifications.errors import MailUnderway
from fieldfare.notifications.model import MailKind

LEASE_S = 2 * SEND_LIMIT_S
"""A worker that is alive is done by then, with time to spare for the database."""


async def send_once(
    db: Database, server: MailServer, mail: Mail, kind: MailKind, subject_id: UUID
) -> bool:
    """Send `mail` unless it was sent before; True if it left now.

    Raises `MailRefused` (also again, without asking the server again) if it will never be taken;
    `MailUnavailable` or `MailUnderway` if it is to be tried again; `Unavailable` if the database
    is away.
    """
    attempt = await _claim(db, mail, kind, subject_id)
    if attempt is None:
        return False
    try:
        await send(server, mail)
    except MailRefused as refusal:
        async with connection(db) as conn:
            await store.update_refused(
                conn, mail.message_id, attempt=attempt, refusal_code=refusal.code
            )
        raise
    except MailUnavailable:
        async with connection(db) as conn:
            await store.update_released(conn, mail.message_id, attempt=attempt)
        raise
    async with connection(db) as conn:
        await store.update_sent(conn, mail.message_id)
    return True


async def _claim(db: Database, mail: Mail, kind: MailKind, subject_id: UUID) -> int | None:
    """The number of this attempt, or None if the mail was sent before."""
    async with connection(db) as conn:
        attempt = await store.claim_mail(
            conn,
            message_id=mail.message_id,
            kind=kind,
            subject_id=subject_id,
            lease_s=LEASE_S,
        )
        known = await store.find_mail(conn, mail.message_id) if attempt is None else None
    if attempt is not None or known is None or known.sent_at is not None:
        return attempt
    if known.refused_at is not None:
        raise MailRefused(
            "the mail was refused for good on an earlier attempt", code=known.refusal_code
        )
    raise MailUnderway("another worker has taken this mail up and its time is not over")
