"""Settling a top-up: where it becomes paid, with its credits in the wallet, or failed.

Whoever comes here (the answer itself, a timer, an event, a retry) locks the top-up and finds it
pending, or finds that another one was faster. State, payment, credits, both sides of the movement
and the answer under the client's key are one commit.
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
from fieldfare.ledger.service.credits import get_wallet
from fieldfare.ledger.service.posting import add_top_up
from fieldfare.notifications.service.outbox import tell
from fieldfare.payments import rules, store
from fieldfare.payments.errors import CardDeclined, ProcessorBusy, ProcessorRefused
from fieldfare.payments.model import PaidTopUp, Payment, TopUp
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

REFILL_ENDED_TOPIC = "refill_ended"
DESCRIPTION = "Credits bought by card"
OK = 200


class TopUpEnding(msgspec.Struct, frozen=True, kw_only=True):
    """How a top-up ended: paid, or refused for good."""

    paid: PaidTopUp | None = None
    refusal: ProblemError | None = None


async def settle_top_up(
    db: Database, gateway: StripeGateway, top_up_id: UUID, *, event_row: UUID | None = None
) -> TopUpEnding | None:
    """Find out what became of a top-up and record it; None while nothing is proven.

    `event_row` is the inbox row that led here: it is marked done in the transaction of its effect.
    """
    async with connection(db) as conn:
        payment = await find_payment_of(conn, top_up_id)
    if payment is None:
        return None
    if payment.state != "pending":
        return await _settled_before(db, payment, event_row)
    outcome = await find_out(db, gateway, payment, datetime.now(UTC))
    return await settle_top_up_with(db, payment, outcome, event_row=event_row)


async def settle_top_up_with(
    db: Database,
    payment: Payment,
    outcome: Outcome,
    *,
    first_try: bool = False,
    event_row: UUID | None = None,
) -> TopUpEnding | None:
    """Record what an answer proves about a top-up; None if it proves nothing.

    `first_try` says that nothing was sent before, so that a request which was not begun is known to
    have made nothing, unless somebody else sent it again meanwhile.
    """

    async def record() -> TopUpEnding | None:
        async with transaction(db) as conn:
            ending = await _record(conn, payment, outcome, first_try=first_try)
            if event_row is not None and ending is not None:
                await mark_done(conn, event_row)
        return ending

    return await retry_deadlocks(record)


async def _record(
    conn: Connection, payment: Payment, outcome: Outcome, *, first_try: bool
) -> TopUpEnding | None:
    top_up = await store.lock_pending_top_up(conn, payment.subject_id)
    if top_up is None:
        return await _ending_of(conn, payment)
    if isinstance(outcome, Charged):
        return await _paid(conn, top_up, payment, outcome)
    if isinstance(outcome, Declined):
        return await _declined(conn, top_up, payment, outcome.code)
    if isinstance(outcome, NotExecuted) and first_try:
        again = await lock_sent_again(conn, payment)
        return None if again else await _not_begun(conn, top_up, payment, outcome)
    return None


async def _paid(
    conn: Connection, top_up: TopUp, payment: Payment, charged: Charged
) -> TopUpEnding | None:
    if not await is_what_was_asked(conn, payment, charged):
        return None
    await record_charged(conn, payment, charged)
    legs = rules.card_legs(
        currency=payment.currency,
        amount_minor=payment.amount_minor,
        amount_cents=top_up.amount_cents,
    )
    entry_id, balance_cents = await add_top_up(
        conn, top_up.account_id, top_up.amount_cents, against=legs, description=DESCRIPTION
    )
    await store.update_top_up_paid(conn, top_up.id, charge_id=charged.charge_id, entry_id=entry_id)
    paid = _paid_top_up(payment, charged.charge_id, balance_cents)
    await answer_key(conn, top_up.id, status=OK, body=paid.answer)
    await _tell_of_end(conn, top_up)
    return TopUpEnding(paid=paid)


async def _declined(conn: Connection, top_up: TopUp, payment: Payment, code: str) -> TopUpEnding:
    refusal = CardDeclined(code, by_card_only=True)
    await _fail(conn, top_up, payment, code)
    await answer_key(conn, top_up.id, status=refusal.status, body=encode_problem(refusal))
    return TopUpEnding(refusal=refusal)


async def _not_begun(
    conn: Connection, top_up: TopUp, payment: Payment, outcome: NotExecuted
) -> TopUpEnding:
    """The processor did not begin, so nothing was made and the client's key is free again."""
    refused = outcome.reason == "refused"
    await _fail(conn, top_up, payment, f"{outcome.reason}: {outcome.code}")
    await forget_key(conn, top_up.id)
    return TopUpEnding(
        refusal=ProcessorRefused(outcome.message, by_card_only=True) if refused else ProcessorBusy()
    )


async def _fail(conn: Connection, top_up: TopUp, payment: Payment, code: str) -> None:
    await record_failed(conn, payment, code)
    await store.update_top_up_failed(conn, top_up.id)
    await _tell_of_end(conn, top_up)


async def _tell_of_end(conn: Connection, top_up: TopUp) -> None:
    if top_up.origin == "refill":
        await tell(conn, REFILL_ENDED_TOPIC, top_up.id)


async def _settled_before(
    db: Database, payment: Payment, event_row: UUID | None
) -> TopUpEnding | None:
    async with transaction(db) as conn:
        if event_row is not None:
            await mark_done(conn, event_row)
        return await _ending_of(conn, payment)


async def _ending_of(conn: Connection, payment: Payment) -> TopUpEnding | None:
    """How a top-up ended that somebody else settled; the balance in its answer is today's."""
    top_up = await store.find_top_up(conn, payment.subject_id)
    if top_up is None or top_up.state == "pending":
        return None
    if top_up.charge_id is None:
        # A failed one; as read before the lock, the payment does not say yet why.
        ended = await find_payment_of(conn, top_up.id) or payment
        return TopUpEnding(refusal=_refusal_of(ended.failure_code or "declined"))
    wallet = await get_wallet(conn, top_up.account_id)
    return TopUpEnding(paid=_paid_top_up(payment, top_up.charge_id, wallet.balance_cents))


def _refusal_of(failure_code: str) -> ProblemError:
    """What a client is told of a payment that failed with this code, `_not_begun`'s among them."""
    if failure_code.startswith(("busy: ", "unauthorized: ", "refused: ")):
        return ProcessorBusy()
    return CardDeclined(failure_code, by_card_only=True)


def _paid_top_up(payment: Payment, charge_id: str, balance_cents: int) -> PaidTopUp:
    answer = rules.top_up_answer(
        charge_minor=payment.amount_minor,
        currency=payment.currency,
        charge_id=charge_id,
        balance_cents=balance_cents,
    )
    return PaidTopUp(charge_id=charge_id, answer=answer)


async def find_top_up(conn: Connection, top_up_id: UUID) -> TopUp | None:
    """Credits bought by card, whatever became of them."""
    return await store.find_top_up(conn, top_up_id)


async def watch_top_up(db: Database, top_up_id: UUID, age: timedelta) -> None:
    """A top-up whose outcome is still unknown: past an hour it goes on the list of exceptions."""
    if age < rules.EXCEPTION_AFTER:
        return
    async with transaction(db) as conn:
        if await store.lock_pending_top_up(conn, top_up_id) is not None:
            await open_unknown(conn, top_up_id)
