"""Settling what a card was asked to pay for: the one place where it becomes paid or failed.

Whoever comes here (the answer itself, a timer, an event, a retry) locks the order or the top-up and
finds it pending, or finds that another one was faster. Its state, its payment, what it brings and
the answer under the client's key are one commit. What is special to either kind is in its `Goods`.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from fieldfare.db.pool import Connection, Database, connection, retry_deadlocks, transaction
from fieldfare.http.encoding import encode_problem
from fieldfare.http.idempotency import answer_key, forget_key
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import Charged, Declined, NotExecuted, Outcome
from fieldfare.kernel.errors import ProblemError
from fieldfare.payments import rules
from fieldfare.payments.errors import CardDeclined, ProcessorBusy, ProcessorRefused
from fieldfare.payments.model import Payment
from fieldfare.payments.service.goods import Ending, Goods, Paid, PendingT
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


async def settle(
    db: Database,
    gateway: StripeGateway,
    goods: Goods[PendingT],
    subject_id: UUID,
    *,
    event_row: UUID | None = None,
) -> Ending | None:
    """Find out what became of an order or a top-up and record it; None while nothing is proven.

    `event_row` is the inbox row that led here: it is marked done in the transaction of its effect.
    """
    async with connection(db) as conn:
        payment = await find_payment_of(conn, subject_id)
    if payment is None:
        return None
    if payment.state != "pending":
        return await _settled_before(db, goods, payment, event_row)
    outcome = await find_out(db, gateway, payment, datetime.now(UTC))
    return await settle_with(db, goods, payment, outcome, event_row=event_row)


async def settle_with(
    db: Database,
    goods: Goods[PendingT],
    payment: Payment,
    outcome: Outcome,
    *,
    first_try: bool = False,
    event_row: UUID | None = None,
) -> Ending | None:
    """Record what an answer proves about what a payment is for; None if it proves nothing.

    `first_try` says that nothing was sent before, so that a request which was not begun is known to
    have made nothing, unless somebody else sent it again meanwhile.
    """

    async def record() -> Ending | None:
        async with transaction(db) as conn:
            ending = await _record(conn, goods, payment, outcome, first_try=first_try)
            if event_row is not None and ending is not None:
                await mark_done(conn, event_row)
        return ending

    return await retry_deadlocks(record)


async def _record(
    conn: Connection,
    goods: Goods[PendingT],
    payment: Payment,
    outcome: Outcome,
    *,
    first_try: bool,
) -> Ending | None:
    pending = await goods.lock_pending(conn, payment.subject_id)
    if pending is None:
        return await _find_ending(conn, goods, payment)
    if isinstance(outcome, Charged):
        return await _paid(conn, goods, pending, payment, outcome)
    if isinstance(outcome, Declined):
        return await _declined(conn, goods, pending, payment, outcome)
    if isinstance(outcome, NotExecuted) and first_try:
        again = await lock_sent_again(conn, payment)
        return None if again else await _not_begun(conn, goods, pending, payment, outcome)
    return None


async def _paid(
    conn: Connection,
    goods: Goods[PendingT],
    pending: PendingT,
    payment: Payment,
    charged: Charged,
) -> Paid | None:
    if not await is_what_was_asked(conn, payment, charged):
        return None
    await record_charged(conn, payment, charged)
    answer = await goods.write_paid(conn, pending, payment, charged.charge_id)
    await answer_key(conn, payment.subject_id, status=OK, body=answer)
    return Paid(charge_id=charged.charge_id, answer=answer)


async def _declined(
    conn: Connection,
    goods: Goods[PendingT],
    pending: PendingT,
    payment: Payment,
    declined: Declined,
) -> ProblemError:
    refusal = CardDeclined(declined.code, by_card_only=goods.by_card_only)
    await record_failed(conn, payment, declined.code)
    await goods.write_failed(conn, pending)
    await answer_key(conn, payment.subject_id, status=refusal.status, body=encode_problem(refusal))
    return refusal


async def _not_begun(
    conn: Connection,
    goods: Goods[PendingT],
    pending: PendingT,
    payment: Payment,
    outcome: NotExecuted,
) -> ProblemError:
    """The processor did not begin, so nothing was made and the client's key is free again."""
    await record_failed(conn, payment, f"{outcome.reason}: {outcome.code}")
    await goods.write_failed(conn, pending)
    await forget_key(conn, payment.subject_id)
    if outcome.reason == "refused":
        return ProcessorRefused(outcome.message, by_card_only=goods.by_card_only)
    return ProcessorBusy()


async def _settled_before(
    db: Database, goods: Goods[PendingT], payment: Payment, event_row: UUID | None
) -> Ending | None:
    async with transaction(db) as conn:
        if event_row is not None:
            await mark_done(conn, event_row)
        return await _find_ending(conn, goods, payment)


async def _find_ending(conn: Connection, goods: Goods[PendingT], payment: Payment) -> Ending | None:
    """How one ended that somebody else settled; the caller's payment may be older than that."""
    ended = await find_payment_of(conn, payment.subject_id) or payment
    if ended.state == "pending":
        return None
    if ended.state == "failed":
        return _refusal_of(goods, ended.failure_code or "declined")
    return await goods.find_paid(conn, ended)


def _refusal_of(goods: Goods[PendingT], failure_code: str) -> ProblemError:
    """What a client is told of a payment that failed with this code, or that was not begun."""
    if failure_code.startswith(("busy: ", "unauthorized: ", "refused: ")):
        return ProcessorBusy()
    return CardDeclined(failure_code, by_card_only=goods.by_card_only)


async def watch(db: Database, goods: Goods[PendingT], subject_id: UUID, age: timedelta) -> None:
    """One whose outcome is still unknown: past an hour it goes on the list of exceptions."""
    if age < rules.EXCEPTION_AFTER:
        return
    async with transaction(db) as conn:
        if await goods.lock_pending(conn, subject_id) is None:
            # Settled since it was looked at, which closed what was open about it.
            return
        await open_unknown(conn, subject_id)
