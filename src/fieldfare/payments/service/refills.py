"""Refills: credits bought by card, by themselves, when an account runs low.

Whoever thinks that one is due (an order that took the balance below its bound, the end of the
refill before, the sweep) comes to `refill_if_due`, as often as it likes. What must hold: whether it
is due is decided under the lock of the account's settings, in the transaction that records the
top-up; so of many that come at once one charges, and no refill is one too many. Each end is counted
once. A failure is told to the owner by mail in the same commit that counts it.
"""

from datetime import UTC, datetime
from uuid import UUID

from fieldfare.accounts import service as accounts
from fieldfare.accounts.model import Refill
from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection, Database, connection, transaction
from fieldfare.integrations.stripe.gateway import StripeGateway, turn
from fieldfare.ledger.service.credits import get_wallet, list_balances
from fieldfare.notifications.service.outbox import tell
from fieldfare.payments import rules, store
from fieldfare.payments.errors import (
    AboveMaximum,
    BelowMinimum,
    CardDeclined,
    NoExchangeRate,
    NoPaymentMethod,
    PaymentOutcomeUnknown,
    ProcessorBusy,
    ProcessorRefused,
    RefillUnderway,
)
from fieldfare.payments.model import TopUp
from fieldfare.payments.service.desk import get_exchange
from fieldfare.payments.service.outcomes import find_payment_of
from fieldfare.payments.service.top_ups import REFILL_ENDED_TOPIC, charge_top_up

REFILL_FAILED_TOPIC = "refill_failed"


class _NotDue(Exception):
    """Somebody else was faster; raised to undo the transaction that would have begun a refill."""


async def refill_if_due(
    db: Database, gateway: StripeGateway, account_id: int, *, per_day: int
) -> str:
    """Refill an account that runs low, unless something speaks against it; gives what was done.

    Raises `Unavailable` if the database is away; then it is as if nobody had come.
    """
    async with connection(db) as conn:
        refill = await accounts.find_refill(conn, account_id)
        against = await _why_not(conn, refill, per_day)
    if refill is None or against is not None:
        return against or "switched off"
    try:
        await _charge(db, gateway, refill, per_day)
    except (_NotDue, RefillUnderway) as reason:
        return str(reason)
    except (NoPaymentMethod, NoExchangeRate, AboveMaximum, BelowMinimum) as refusal:
        return await _note_unsent(db, refill, refusal.code, per_day)
    except (CardDeclined, ProcessorRefused, ProcessorBusy) as refusal:
        # Its end was told in the commit that recorded it, and is counted there.
        return f"failed: {refusal.code}"
    except PaymentOutcomeUnknown:
        return "its outcome is not known yet"
    return "refilled"


async def _charge(db: Database, gateway: StripeGateway, refill: Refill, per_day: int) -> None:
    async def admit(conn: Connection) -> None:
        locked = await accounts.lock_refill(conn, refill.account_id)
        against = await _why_not(conn, locked, per_day)
        if against is None and locked != refill:
            against = "its settings were changed just now"
        if against is not None:
            raise _NotDue(against)

    async with connection(db) as conn:
        account = await accounts.get_account(conn, refill.account_id)
        exchange = await get_exchange(conn, account.currency)
    async with turn(gateway):
        await charge_top_up(
            db,
            gateway,
            account_id=refill.account_id,
            amount_cents=refill.amount_cents,
            exchange=exchange,
            origin="refill",
            admit=admit,
        )


async def _why_not(conn: Connection, refill: Refill | None, per_day: int) -> str | None:
    if refill is None:
        return "switched off"
    # In this order: a refill that is settled between two statements is then seen by one of them.
    recent = await store.list_recent_refills(conn, refill.account_id)
    wallet = await get_wallet(conn, refill.account_id)
    return rules.why_no_refill(
        refill,
        wallet,
        recent,
        await accounts.find_last_refill_failure(conn, refill.account_id),
        per_day=per_day,
        now=datetime.now(UTC),
    )


async def _note_unsent(db: Database, refill: Refill, code: str, per_day: int) -> str:
    """Count a refill for which no card could be asked; it has no top-up that would tell its end."""
    async with transaction(db) as conn:
        locked = await accounts.lock_refill(conn, refill.account_id)
        against = await _why_not(conn, locked, per_day)
        if locked is None or against is not None:
            return against or "switched off"
        await _count_failure(conn, locked, new_id(), refill.amount_cents, code)
    return f"failed: {code}"


async def note_end(db: Database, top_up_id: UUID) -> int | None:
    """Count the end of a refill, once; gives whose it was, or None if it has not ended."""
    async with transaction(db) as conn:
        top_up = await store.find_top_up(conn, top_up_id)
        if top_up is None or top_up.settled_at is None:
            return None
        refill = await accounts.lock_refill(conn, top_up.account_id)
        if refill is None:
            return None
        if top_up.state == "paid":
            await accounts.note_refill_worked(conn, top_up.account_id, top_up.settled_at)
        else:
            await _note_failed(conn, refill, top_up)
    return top_up.account_id


async def _note_failed(conn: Connection, refill: Refill, top_up: TopUp) -> None:
    payment = await find_payment_of(conn, top_up.id)
    code = None if payment is None else payment.failure_code
    counted = await accounts.find_refill_failure(conn, top_up.id) is not None
    # One that succeeded since has ended the row of failures that this one would belong to.
    if counted or rules.was_put_off(code) or await store.has_newer_refill(conn, top_up):
        return
    await tell(conn, REFILL_ENDED_TOPIC, top_up.id, rules.REST)
    await _count_failure(conn, refill, top_up.id, top_up.amount_cents, code or "declined")


async def _count_failure(
    conn: Connection, refill: Refill, failure_id: UUID, amount_cents: int, code: str
) -> None:
    await tell(conn, REFILL_FAILED_TOPIC, failure_id)
    await accounts.note_refill_failed(
        conn, refill, failure_id, amount_cents=amount_cents, code=code
    )


async def sweep_refills(db: Database, gateway: StripeGateway, *, per_day: int) -> dict[str, int]:
    """Refill every account that runs low, however it came to that; gives counts for the log."""
    counts = {"looked_at": 0, "low": 0, "refilled": 0}
    async for page in accounts.each_refill(db):
        async with connection(db) as conn:
            balances = await list_balances(conn, [refill.account_id for refill in page])
        low = [one for one in page if balances[one.account_id] < one.below_cents]
        counts["looked_at"] += len(page)
        counts["low"] += len(low)
        for refill in low:
            said = await refill_if_due(db, gateway, refill.account_id, per_day=per_day)
            counts["refilled"] += said == "refilled"
    return counts
