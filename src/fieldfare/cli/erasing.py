"""How `fieldfare erase` does it: in steps that may be cut off anywhere, and told as they are done.

An account is closed first, in one transaction: from then on nobody acts for it. Then whatever else
tells of persons goes, in short steps, and last its customer at the card processor. What must hold:
the same command does the rest after it was cut off anywhere, and it ends with exit code 0 only if
nothing is left to do. docs/operating/privacy.md tells what goes and what stays.
"""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

from fieldfare.accounts.model import AccountToErase, ErasedAccount
from fieldfare.accounts.service import erasing as accounts
from fieldfare.cli.context import open_cli_database, open_cli_transaction
from fieldfare.cli.steps import complain, say
from fieldfare.db.changes import STALE_SECONDS
from fieldfare.db.pool import Connection, Database, connection, retry_deadlocks, transaction
from fieldfare.impact.jobs import rebuild_feed
from fieldfare.impact.service import feed
from fieldfare.impact.service import issuing as certificates
from fieldfare.integrations.stripe.gateway import close_gateway, open_gateway
from fieldfare.kernel.money import dollars_from_cents
from fieldfare.ledger.service.closing import Closed, close_wallet
from fieldfare.orders.model import ErasedParties
from fieldfare.orders.service import erasing as orders
from fieldfare.orders.service.history import get_purchase_id
from fieldfare.payments.service import erasing as payments
from fieldfare.payments.service.pace import pace_of_background
from fieldfare.settings import Settings, read_settings

UNTIL_KNOWN_S = STALE_SECONDS + 1.0
"""After so long every process knows that the account's tokens have ended."""


# ------------------------------------------------------------------------------------- an order


async def erase_group(group_id: str) -> None:
    """Forget the persons of an order, by a charge or a purchase's UUID; raises `ProblemError`."""
    async with open_cli_transaction() as conn:
        purchase_id = await get_purchase_id(conn, group_id)
        await certificates.forget_purchaser(conn, purchase_id, datetime.now(UTC))
        erased = await orders.erase_order(conn, purchase_id)
        await feed.erase_reasons(conn, [purchase_id])
    say(_orders_line(erased))
    say("Its certificate names nobody any more.")


def _orders_line(erased: ErasedParties) -> str:
    return (
        "Erased of orders: notes, metadata and names of "
        f"{erased.parties}, pairs of metadata to find them by {erased.tags}."
    )


# ----------------------------------------------------------------------------------- an account


async def name_account(account_id: int) -> str:
    """What an account is called, before it is asked whether to forget it."""
    async with open_cli_transaction() as conn:
        account = await accounts.lock_account(conn, account_id)
        return f"{account.kind} {account.name}"


async def erase_account(account_id: int, forfeit: bool) -> bool:
    """Forget an account and the persons of its orders; True if nothing is left to do."""
    settings = read_settings()
    async with open_cli_database() as db:
        account = await _close(db, settings, account_id, forfeit)
        await asyncio.sleep(UNTIL_KNOWN_S)
        async with connection(db) as conn:
            # A card order that had begun when the account was closed is settled first: what became
            # of it is looked for in the list of the very customer that is to be deleted.
            await _check_nothing_under_way(conn, account_id)
        say(_orders_line(await orders.erase_orders(db, account_id)))
        forgotten = await certificates.forget_purchasers(db, account_id)
        say(f"Certificates that cannot be traced to a name any more: {forgotten}.")
        await _erase_reasons(db, account_id)
        known = {account.stripe_customer} if account.stripe_customer else set()
        customers = known | await payments.list_customers(db, account_id)
        emptied = await _empty_events(db, account_id, customers)
        await rebuild_feed(db, datetime.now(UTC))
        say("The public feed is built anew.")
        gone = await _delete_customers(db, settings, account, customers)
    return emptied and gone


async def _close(
    db: Database, settings: Settings, account_id: int, forfeit: bool
) -> AccountToErase:
    async def close() -> tuple[AccountToErase, Closed, ErasedAccount]:
        async with transaction(db) as conn:
            account = await accounts.lock_account(conn, account_id)
            await _check_nothing_under_way(conn, account_id)
            wallet = await close_wallet(
                conn,
                account_id,
                forfeit=forfeit,
                alone_up_to_cents=settings.adjust_alone_up_to_cents,
            )
            erased = await accounts.erase_account(conn, account_id, datetime.now(UTC))
        return account, wallet, erased

    account, wallet, erased = await retry_deadlocks(close)
    again = "" if account.erased_at is None else " It was closed before."
    say(
        f"Account {account_id} is closed.{again} Its name, addresses and card are gone. Ended: "
        f"tokens {erased.tokens}, log-ins {erased.identities}, memberships {erased.members}, "
        f"operator's roles {erased.operators}."
    )
    _say_wallet(wallet)
    return account


def _say_wallet(wallet: Closed) -> None:
    if wallet.given_up_cents:
        say(f"Credits given up: ${dollars_from_cents(wallet.given_up_cents):.2f}.")
    if wallet.owed_cents:
        say(f"It owes ${dollars_from_cents(wallet.owed_cents):.2f}; that stays in the books.")


async def _check_nothing_under_way(conn: Connection, account_id: int) -> None:
    await payments.check_finished(conn, account_id)
    await orders.check_settled(conn, account_id)


async def _erase_reasons(db: Database, account_id: int) -> None:
    async with transaction(db) as conn:
        hidden: list[UUID] = [order.purchase_id for order in await feed.list_hidden(conn)]
        await feed.erase_reasons(conn, await orders.list_own(conn, account_id, hidden))


async def _empty_events(db: Database, account_id: int, customers: Collection[str]) -> bool:
    events = await payments.empty_events(db, account_id, customers)
    say(f"Events of the card processor emptied: {events.emptied}.")
    if events.waiting:
        complain(
            f"events about the account that are not worked on yet: {events.waiting}; run this "
            "again when `fieldfare jobs` shows none"
        )
    return events.waiting == 0


async def _delete_customers(
    db: Database, settings: Settings, account: AccountToErase, customers: Collection[str]
) -> bool:
    """Last, because it takes the network: by then nothing is left here."""
    if not customers:
        return True
    if settings.stripe_key is None:
        complain(
            f"the card processor still knows {', '.join(sorted(customers))}: no key of it is set "
            "(FIELDFARE_STRIPE_KEY); set it and run this again"
        )
        return False
    gateway = open_gateway(
        settings.stripe_key,
        settings.stripe_url,
        request_s=settings.stripe_timeout_s,
        pace=pace_of_background(db, settings.stripe_calls_per_second),
    )
    try:
        deleted = await payments.delete_customers(gateway, customers)
    finally:
        await close_gateway(gateway)
    if account.stripe_customer is not None:
        async with transaction(db) as conn:
            await accounts.forget_customer(conn, account.id, account.stripe_customer)
    known = len(customers) - deleted
    say(f"Customers deleted at the card processor: {deleted}; not known there any more: {known}.")
    return True
