"""What the payments' part knows of persons: the processor's customers, and its events about them.

Payments themselves stay: they hold ids, amounts and instants, and the books rest on them. What
must hold: no customer is deleted at the processor while the outcome of a payment may still have to
be looked for there; whatever was cut off is made good by doing it again.
"""

from collections.abc import Collection
from uuid import UUID

import msgspec

from fieldfare.db.pool import Connection, Database, connection, transaction
from fieldfare.integrations.stripe.gateway import StripeGateway, delete_customer
from fieldfare.payments import store
from fieldfare.payments.errors import AccountBusy
from fieldfare.payments.model import Unfinished

PAGE_ROWS = 2_000
PAGE_EVENTS = 200
"""An event can be as large as a megabyte."""
LOWEST_ID = UUID(int=0)


class EmptiedEvents(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the events that name an account's customers or disputes."""

    emptied: int
    waiting: int
    """Not worked on yet, so they are still whole."""


async def check_finished(conn: Connection, account_id: int) -> None:
    """Raise `AccountBusy` while a payment, a refund or a dispute of an account is under way."""
    unfinished = await store.find_unfinished(conn, account_id)
    if unfinished != Unfinished(payments=0, refunds=0, disputes=0):
        raise AccountBusy(
            f"Money of account {account_id} is still under way: payments {unfinished.payments}, "
            f"refunds {unfinished.refunds}, disputes {unfinished.disputes}. Try again once they "
            "are settled; `fieldfare exceptions list` shows what needs a person."
        )


async def list_customers(db: Database, account_id: int) -> set[str]:
    """Every customer of the processor that payments of an account were ever asked of."""
    customers: set[str] = set()
    after = LOWEST_ID
    while True:
        async with connection(db) as conn:
            page = await store.list_customers_from(
                conn, account_id, after_id=after, at_most=PAGE_ROWS
            )
        if not page:
            return customers
        customers.update(customer for _, customer in page)
        after = page[-1][0]


async def delete_customers(gateway: StripeGateway, customers: Collection[str]) -> int:
    """Have the processor delete them with their cards; gives how many it still knew.

    Raises `ProcessorAway`. Its charges stay there, as they must.
    """
    return sum([await delete_customer(gateway, customer) for customer in sorted(customers)])


async def empty_events(db: Database, account_id: int, customers: Collection[str]) -> EmptiedEvents:
    """Empty the inbox of what names an account's customers or disputes, in short transactions."""
    async with connection(db) as conn:
        disputes = await store.list_disputes_of_account(conn, account_id)
    named = [*customers, *disputes]
    emptied = waiting = 0
    after: UUID | None = LOWEST_ID
    while after is not None and named:
        async with transaction(db) as conn:
            after, some, others = await store.empty_events(
                conn, named, after_id=after, at_most=PAGE_EVENTS
            )
        emptied, waiting = emptied + some, waiting + others
    return EmptiedEvents(emptied=emptied, waiting=waiting)
