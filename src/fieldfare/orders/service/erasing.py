"""Erasing what orders hold of persons: notes, metadata, on whose behalf they were placed.

The orders themselves stay, with their lines, amounts and certificates. What must hold: no
transaction is longer than a page, and whatever was cut off is made good by doing it again.
"""

from collections.abc import Sequence
from uuid import UUID

from fieldfare.db.pool import Connection, Database, transaction
from fieldfare.orders import store
from fieldfare.orders.model import ErasedParties
from fieldfare.payments.errors import AccountBusy

PAGE_ROWS = 1_000
LOWEST_ID = UUID(int=0)


async def check_settled(conn: Connection, account_id: int) -> None:
    """Raise `AccountBusy` while an order or a refund of an account is not settled."""
    pending = await store.count_pending(conn, account_id)
    if pending:
        raise AccountBusy(
            f"Orders or refunds of account {account_id} that are not settled yet: {pending}. Try "
            "again in a few minutes; `fieldfare exceptions list` shows what needs a person."
        )


async def erase_order(conn: Connection, purchase_id: UUID) -> ErasedParties:
    """Delete what one order holds of persons; a second time there is nothing left."""
    return await store.erase_party(conn, purchase_id)


async def erase_orders(db: Database, account_id: int) -> ErasedParties:
    """Delete what every order of an account holds of persons, in short transactions."""
    parties = 0
    after: UUID | None = LOWEST_ID
    while after is not None:
        async with transaction(db) as conn:
            after, gone = await store.erase_parties(
                conn, account_id, after_id=after, at_most=PAGE_ROWS
            )
        parties += gone
    return ErasedParties(parties=parties, tags=await _erase_tags(db, account_id))


async def _erase_tags(db: Database, account_id: int) -> int:
    tags = 0
    while True:
        async with transaction(db) as conn:
            gone = await store.erase_tags(conn, account_id, PAGE_ROWS)
        tags += gone
        if gone < PAGE_ROWS:
            return tags


async def list_own(conn: Connection, account_id: int, purchase_ids: Sequence[UUID]) -> list[UUID]:
    """Those of some purchases that are an account's."""
    return await store.list_purchases_among(conn, account_id, purchase_ids)
