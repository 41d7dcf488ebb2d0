"""Refills: an account's credits topped up by themselves, as its owner set it.

Only the settings and what is counted are kept here; `payments.service.refills` charges. What must
hold: a failure is counted once, whoever tells of it; the third in a row switches refills off until
the owner switches them on. Whatever a `Principal` carries of it is told by the topic `tokens`, as
the last statement of its service, because everybody who changes accounts waits for that row.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from fieldfare.accounts import rules, store
from fieldfare.accounts.errors import RefillNotSet
from fieldfare.accounts.model import Refill, RefillFailure
from fieldfare.accounts.service.people import get_account
from fieldfare.db.changes import raise_revision
from fieldfare.db.pool import Connection, Database, connection
from fieldfare.http.auth import PRINCIPAL_TOPIC

REFILLS_AT_ONCE = 500


async def set_refill(
    conn: Connection, account_id: int, *, below_cents: int, amount_cents: int
) -> None:
    """Refill an account by `amount_cents` whenever it holds less than `below_cents` (US cents).

    What failed before is forgotten. Raises `AccountRefused` or `AccountNotFound`.
    """
    rules.check_refill(below_cents, amount_cents)
    await get_account(conn, account_id)
    await store.upsert_refill(conn, account_id, below_cents=below_cents, amount_cents=amount_cents)
    await raise_revision(conn, PRINCIPAL_TOPIC)


async def switch_refill_off(conn: Connection, account_id: int) -> None:
    """No more refills, until they are set again. Raises `RefillNotSet` or `AccountNotFound`."""
    await get_account(conn, account_id)
    if not await store.update_refill_off(conn, account_id):
        raise RefillNotSet(
            f"Account {account_id} has no refill, so there is nothing to switch off. Nothing was "
            "changed."
        )
    await raise_revision(conn, PRINCIPAL_TOPIC)


async def find_refill(conn: Connection, account_id: int) -> Refill | None:
    """How an account's credits are refilled, on or off; None if nobody ever set it."""
    return await store.find_refill(conn, account_id)


async def lock_refill(conn: Connection, account_id: int) -> Refill | None:
    """The same, locked: until the transaction ends nobody else begins a refill or counts one."""
    return await store.lock_refill(conn, account_id)


async def each_refill(db: Database) -> AsyncIterator[list[Refill]]:
    """The refills that are on, in pages, by account; no connection is held between two pages."""
    after = 0
    while True:
        async with connection(db) as conn:
            page = await store.list_refills(conn, after_account_id=after, at_most=REFILLS_AT_ONCE)
        if not page:
            return
        yield page
        after = page[-1].account_id


async def note_refill_failed(
    conn: Connection, refill: Refill, failure_id: UUID, *, amount_cents: int, code: str
) -> None:
    """Count a refill that came to nothing, and switch refills off if it was one too many.

    `refill` is as `lock_refill` gave it in this transaction, and `find_refill_failure` has shown
    since that this one was not counted before. Have nothing follow in the transaction.
    """
    failures = refill.failures + 1
    left_on = rules.stays_on(refill.is_on, failures)
    await store.insert_refill_failure(
        conn,
        failure_id,
        account_id=refill.account_id,
        amount_cents=amount_cents,
        code=code,
        number=failures,
        left_on=left_on,
    )
    await store.update_refill_failed(conn, refill.account_id, failures=failures, is_on=left_on)
    if left_on != refill.is_on:
        await raise_revision(conn, PRINCIPAL_TOPIC)


async def note_refill_worked(conn: Connection, account_id: int, worked_at: datetime) -> None:
    """Begin to count anew, but for what failed after `worked_at`."""
    await store.update_refill_worked(conn, account_id, worked_at)


async def find_refill_failure(conn: Connection, failure_id: UUID) -> RefillFailure | None:
    """What became of a refill that came to nothing; None if none of this id did."""
    return await store.find_refill_failure(conn, failure_id)


async def find_last_refill_failure(conn: Connection, account_id: int) -> datetime | None:
    """When an account's refill last came to nothing."""
    return await store.find_last_refill_failure(conn, account_id)
