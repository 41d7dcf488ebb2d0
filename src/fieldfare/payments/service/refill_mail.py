"""The mail about a refill that came to nothing: once, to whoever pays for the account."""

from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from fieldfare.accounts import service as accounts
from fieldfare.accounts.model import Account, RefillFailure
from fieldfare.accounts.rules import REFILL_TRIES
from fieldfare.db.pool import Database, connection
from fieldfare.integrations.mail import MailServer
from fieldfare.kernel.languages import Language
from fieldfare.notifications.model import RefillFailed
from fieldfare.notifications.rules import refill_message_id
from fieldfare.notifications.service.rendering import render_refill_failed
from fieldfare.notifications.service.sending import send_once


async def send_refill_failed(
    db: Database, server: MailServer, failure_id: UUID, *, public_url: str, seller_name: str
) -> str:
    """Send the mail about a failure unless it was sent; gives what was done.

    Raises what `notifications.service.sending.send_once` raises.
    """
    async with connection(db) as conn:
        failure = await accounts.find_refill_failure(conn, failure_id)
        if failure is None:
            return "there is nothing to tell"
        to = await accounts.find_billing_address(conn, failure.account_id)
        if to is None:
            return "nobody has a billing address"
        account = await accounts.get_account(conn, failure.account_id)
    host = urlsplit(public_url).hostname or "localhost"
    mail = render_refill_failed(_told(failure, account, to, host, seller_name))
    sent = await send_once(db, server, mail, "refill_failed", failure_id)
    return "sent" if sent else "sent before"


def _told(
    failure: RefillFailure, account: Account, to: str, host: str, seller_name: str
) -> RefillFailed:
    return RefillFailed(
        message_id=refill_message_id(failure.id, host),
        to=to,
        language=msgspec.convert(account.language, Language),
        account_id=account.id,
        account_name=account.name,
        amount_cents=failure.amount_cents,
        code=failure.code,
        failed_at=failure.failed_at,
        number=failure.number,
        tries=REFILL_TRIES,
        left_on=failure.left_on,
        seller_name=seller_name,
    )
