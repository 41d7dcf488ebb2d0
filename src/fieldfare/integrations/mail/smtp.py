"""Handing a mail to an SMTP server, through `aiosmtplib`.

What must hold: when `send` returns, the server has taken the mail over; when the server says no to
this person for good, `MailRefused` says so; and nothing else is ever taken for a final no. A wrong
password or a server that will not relay for us is the operator's to repair, so such mail waits.
Nothing takes longer than `SEND_LIMIT_S`.
"""

import asyncio
import contextlib
import re
from datetime import UTC, datetime
from typing import cast

import aiosmtplib

from fieldfare.db.pool import assert_no_transaction
from fieldfare.integrations.mail.address import parse_sender
from fieldfare.integrations.mail.errors import MailRefused, MailUnavailable
from fieldfare.integrations.mail.message import Written, write_mail
from fieldfare.integrations.mail.model import Mail, MailServer

CONNECT_LIMIT_S = 10.0
"""Name look-up, connection, greeting, TLS and log-in together."""
SEND_LIMIT_S = 30.0
GOODBYE_LIMIT_S = 2.0
REASON_CHARACTERS = 200

_ABOUT_US = re.compile(r"5\.7\.\d+\b")
"""The enhanced status (RFC 3463) of a server that turns the sender down, not the recipient."""

_goodbyes: set[asyncio.Task[None]] = set()
"""The loop itself keeps no task alive."""


async def send(server: MailServer, mail: Mail) -> None:
    """Hand `mail` to `server`; raises `MailRefused` or `MailUnavailable`.

    `MailUnavailable` may be raised for a mail that was taken, if only the answer was lost: sent
    again, it carries the same Message-ID.
    """
    assert_no_transaction()
    written = write_mail(mail, parse_sender(server.sender), datetime.now(UTC))
    client = _client(server, written)
    try:
        async with asyncio.timeout(SEND_LIMIT_S):
            await _connect(client, server)
            await _deliver(client, written)
    except aiosmtplib.SMTPRecipientsRefused as refusal:
        raise _to_recipient(refusal.recipients[0], written) from refusal
    except aiosmtplib.SMTPDataError as refusal:
        raise _to_content(refusal, written) from refusal
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as failure:
        raise MailUnavailable(_reason(failure, written)) from failure
    finally:
        _part(client)


def _client(server: MailServer, written: Written) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.security == "tls",
        # Encryption and log-in are our own steps, after which the connection is still ours to end.
        start_tls=False,
        # Given, because the default asks the name service who we are and may wait long for it.
        local_hostname=written.sender.domain,
        timeout=SEND_LIMIT_S,
    )


async def _connect(client: aiosmtplib.SMTP, server: MailServer) -> None:
    async with asyncio.timeout(CONNECT_LIMIT_S):
        await client.connect()
        if server.security == "starttls":
            await client.starttls()
        if server.user is not None:
            await client.login(server.user, server.password or "")


async def _deliver(client: aiosmtplib.SMTP, written: Written) -> None:
    options = []
    if written.needs_utf8:
        if client.is_ehlo_or_helo_needed:
            await client.ehlo()
        if not client.supports_extension("SMTPUTF8"):
            raise MailRefused(
                "the recipient's address has letters before the @ that this mail server cannot "
                "send to (it offers no SMTPUTF8)"
            )
        options.append("SMTPUTF8")
    await client.sendmail(
        str(written.sender), [str(written.recipient)], written.content, mail_options=options
    )


def _part(client: aiosmtplib.SMTP) -> None:
    """Begin to say goodbye.

    Nobody waits for the answer: a cancellation meanwhile would make a mail that left look as if it
    had not.
    """
    goodbye = asyncio.create_task(_say_goodbye(client))
    _goodbyes.add(goodbye)
    goodbye.add_done_callback(_goodbyes.discard)


async def _say_goodbye(client: aiosmtplib.SMTP) -> None:
    transport = client.transport
    try:
        if client.is_connected:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                async with asyncio.timeout(GOODBYE_LIMIT_S):
                    await client.quit()
    finally:
        client.close()
        if transport is not None:
            # Under TLS, closing alone would wait for the other side to agree.
            cast("asyncio.WriteTransport", transport).abort()


def _to_recipient(
    answer: aiosmtplib.SMTPRecipientRefused, written: Written
) -> MailRefused | MailUnavailable:
    is_about_us = _ABOUT_US.match(answer.message) is not None
    # RFC 5321, section 4.5.3.1.10: a full mailbox (552) may be empty tomorrow.
    is_final = 550 <= answer.code <= 559 and answer.code != 552 and not is_about_us
    return _verdict(answer, written, is_final=is_final)


def _to_content(
    answer: aiosmtplib.SMTPDataError, written: Written
) -> MailRefused | MailUnavailable:
    return _verdict(answer, written, is_final=550 <= answer.code <= 559)


def _verdict(
    answer: aiosmtplib.SMTPResponseException, written: Written, *, is_final: bool
) -> MailRefused | MailUnavailable:
    reason = _reason(answer, written)
    return MailRefused(reason, code=answer.code) if is_final else MailUnavailable(reason)


def _reason(failure: BaseException, written: Written) -> str:
    """What went wrong in one line, without the person's address."""
    if isinstance(failure, aiosmtplib.SMTPResponseException):
        told = f"the mail server answered {failure.code} {failure.message}"
    else:
        told = f"the mail server cannot be used: {type(failure).__name__}: {failure}"
    hidden = re.sub(re.escape(str(written.recipient)), "[recipient]", told, flags=re.IGNORECASE)
    printable = "".join(c if c.isprintable() else " " for c in hidden)
    return " ".join(printable.split())[:REASON_CHARACTERS].removesuffix(":")
