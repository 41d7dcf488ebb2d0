"""The card on file of an account: whose it is at the processor, and which one is charged."""

from fieldfare.accounts import store
from fieldfare.accounts.service.people import get_account
from fieldfare.db.changes import raise_revision
from fieldfare.db.pool import Connection
from fieldfare.http.auth import PRINCIPAL_TOPIC
from fieldfare.integrations.stripe.model import Card


async def find_card(conn: Connection, account_id: int) -> Card | None:
    """What card orders of an account are charged to; None without a card on file."""
    return await store.find_card(conn, account_id)


async def keep_card(conn: Connection, account_id: int, card: Card) -> None:
    """Put a card on file. Raises `AccountNotFound`."""
    await get_account(conn, account_id)
    await store.update_card(conn, account_id, card)
    await raise_revision(conn, PRINCIPAL_TOPIC)
