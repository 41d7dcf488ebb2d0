"""Settling an order that a card was asked to pay for: where it becomes paid or failed.

Whoever comes here (the answer itself, a timer, an event, a retry) locks the purchase and finds it
pending, or finds that another one was faster. Nothing is priced again: lines and answer were frozen
when the order was opened.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from fieldfare.db.pool import Connection, Database, connection, retry_deadlocks, transaction
from fieldfare.http.answers import encode_problem
from fieldfare.http.idempotency import answer_key, forget_key
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import Charged, Declined, NotExecuted, Outcome
from fieldfare.kernel.errors import ProblemError
from fieldfare.notifications.service.outbox import tell
from fieldfare.orders import store
from fieldfare.orders.model import RECEIPT_TOPIC, PendingPurchase
from fieldfare.orders.rules import answer_with_charge
from fieldfare.payments import rules as payment_rules
from fieldfare.payments.errors import CardDeclined, ProcessorBusy, ProcessorRefused
from fieldfare.payments.model import Payment
from fieldfare.payments.service.inbox import mark_done
from fieldfare.payments.service.outcomes import (
    find_out,
    find_payment_of,
    is_what_was_asked,
    lock_sent_again,
    open_unknown,
    record_charged,
    record_failed,
)

OK = 200


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """How an order ended: charged, or refused for good."""

    charge_id: str | None = None
    refusal: ProblemError | None = None


async def settle(
    db: Database, gateway: StripeGateway, purchase_id: UUID, *, event_row: UUID | None = None
) -> Settled | None:
    """Find out what became of an order and record it; None while nothing is proven.

    `event_row` is the inbox row that led here: it is marked done in the transaction of its effect.
    """
    async with connection(db) as conn:
        payment = await find_payment_of(conn, purchase_id)
    if payment is None:
        return None
    if payment.state != "pending":
        return await _settled_before(db, payment, event_row)
    outcome = await find_out(db, gateway, payment, datetime.now(UTC))
    return await settle_with(db, payment, outcome, event_row=event_row)


async def settle_with(
    db: Database,
    payment: Payment,
    outcome: Outcome,
    *,
    first_try: bool = False,
    event_row: UUID | None = None,
) -> Settled | None:
    """Record what an answer proves about an order; None if it proves nothing.

    `first_try` says that nothing was sent before, so that a request which was not begun is known to
    have made nothing, unless somebody else sent it again meanwhile.
    """

    async def record() -> Settled | None:
        async with transaction(db) as conn:
            settled = await _record(conn, payment, outcome, first_try=first_try)
            if event_row is not None and settled is not None:
                await mark_done(conn, event_row)
        return settled

    return await retry_deadlocks(record)


async def _record(
    conn: Connection, payment: Payment, outcome: Outcome, *, first_try: bool
) -> Settled | None:
    pending = await store.lock_pending(conn, payment.subject_id)
    if pending is None:
        return await _ending_of(conn, payment)
    if isinstance(outcome, Charged):
        return await _paid(conn, pending, payment, outcome)
    if isinstance(outcome, Declined):
        return await _failed(conn, payment, outcome.code, CardDeclined(outcome.code))
    if isinstance(outcome, NotExecuted) and first_try:
        again = await lock_sent_again(conn, payment)
        return None if again else await _not_begun(conn, payment, outcome)
    return None


async def _paid(
    conn: Connection, pending: PendingPurchase, payment: Payment, charged: Charged
) -> Settled | None:
    if not await is_what_was_asked(conn, payment, charged):
        return None
    await record_charged(conn, payment, charged)
    await store.write_paid(conn, pending, charge_id=charged.charge_id, paid_at=datetime.now(UTC))
    body = answer_with_charge(pending.quote.answer, charged.charge_id)
    await answer_key(conn, pending.id, status=OK, body=body)
    if pending.send_receipt:
        await tell(conn, RECEIPT_TOPIC, pending.id)
    return Settled(charge_id=charged.charge_id)


async def _failed(conn: Connection, payment: Payment, code: str, refusal: ProblemError) -> Settled:
    await record_failed(conn, payment, code)
    await store.write_failed(conn, payment.subject_id)
    body = encode_problem(refusal)
    await answer_key(conn, payment.subject_id, status=refusal.status, body=body)
    return Settled(refusal=refusal)


async def _not_begun(conn: Connection, payment: Payment, outcome: NotExecuted) -> Settled:
    """The processor did not begin, so nothing was made and the client's key is free again."""
    refused = outcome.reason == "refused"
    refusal = ProcessorRefused(outcome.message) if refused else ProcessorBusy()
    await record_failed(conn, payment, f"{outcome.reason}: {outcome.code}")
    await store.write_failed(conn, payment.subject_id)
    await forget_key(conn, payment.subject_id)
    return Settled(refusal=refusal)


async def _settled_before(db: Database, payment: Payment, event_row: UUID | None) -> Settled | None:
    async with transaction(db) as conn:
        if event_row is not None:
            await mark_done(conn, event_row)
        return await _ending_of(conn, payment)


async def _ending_of(conn: Connection, payment: Payment) -> Settled | None:
    """How an order ended that somebody else settled."""
    purchase = await store.find_any_purchase(conn, payment.subject_id)
    if purchase is None or purchase.state == "pending":
        return None
    if purchase.state == "failed":
        return Settled(refusal=CardDeclined(payment.failure_code or "declined"))
    return Settled(charge_id=purchase.charge_id)


async def watch(db: Database, purchase_id: UUID, age: timedelta) -> None:
    """An order whose outcome is still unknown: past an hour it goes on the list of exceptions."""
    if age < payment_rules.EXCEPTION_AFTER:
        return
    async with transaction(db) as conn:
        if await store.lock_pending(conn, purchase_id) is None:
            # Settled since it was looked at, which closed what was open about it.
            return
        await open_unknown(conn, purchase_id)
