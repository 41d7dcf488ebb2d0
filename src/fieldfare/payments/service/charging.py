"""Charging a card for an order or a top-up, in three phases: a crash at any line loses nothing.

1. One statement (`record`, the caller's): what is bought (pending), the payment with its frozen
   request, the client's key pointing at it, and a timer that settles it should nobody else.
2. With no transaction open: the charge, under a key of our own.
3. One transaction, guarded by the state of what is bought: paid or failed (`settle_with`).

The answer, the timer, the processor's event and the client's retry all end in the same `settling`.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Database, connection, retry_deadlocks
from fieldfare.http.idempotency import (
    KeyVerdict,
    RequestKey,
    StoredAnswer,
    find_kept_answer,
    first_answer,
    in_flight,
    look_at_key,
)
from fieldfare.integrations.stripe.gateway import StripeGateway, looking
from fieldfare.integrations.stripe.model import Card, Unknown
from fieldfare.kernel.errors import AnswerLost, ProblemError
from fieldfare.payments import rules
from fieldfare.payments.model import Exchange, NewPayment
from fieldfare.payments.service.goods import Ending, Goods, Paid, PendingT
from fieldfare.payments.service.outcomes import find_payment_of, send
from fieldfare.payments.service.settling import settle, settle_with

SETTLE_AFTER = timedelta(minutes=1)


def new_payment(
    goods: Goods[PendingT],
    card: Card,
    *,
    subject_id: UUID,
    account_id: int,
    amount_cents: int,
    charge_minor: int,
    exchange: Exchange,
) -> NewPayment:
    """What a card is about to be asked for, as it is frozen before anything is sent.

    `charge_minor` is in the smallest unit of the currency of `exchange`.
    """
    payment_id = new_id()
    currency = exchange.currency.code
    return NewPayment(
        id=payment_id,
        subject=goods.subject,
        subject_id=subject_id,
        account_id=account_id,
        amount_minor=charge_minor,
        currency=currency,
        amount_cents=amount_cents,
        rate=exchange.rate,
        rate_on=exchange.rate_on or datetime.now(UTC).date(),
        customer=card.customer,
        request=rules.frozen_request(
            amount_minor=charge_minor,
            currency=currency,
            customer=card.customer,
            payment_method=card.payment_method,
            subject=goods.subject,
            subject_id=subject_id,
        ),
        processor_key=rules.processor_key(payment_id),
    )


async def charge(
    db: Database,
    gateway: StripeGateway,
    goods: Goods[PendingT],
    subject_id: UUID,
    key: RequestKey | None,
    record: Callable[[], Awaitable[KeyVerdict]],
) -> Paid | StoredAnswer:
    """Carry out all three phases, or give what was answered to the first request with the key.

    `record` is phase one, a whole transaction; it is tried again after a deadlock. Raises what it
    raises, `CardDeclined`, `ProcessorRefused`, `ProcessorBusy`, `PaymentOutcomeUnknown` (in the
    words of `goods`), and 409 or 422 for the key.
    """
    try:
        verdict = await retry_deadlocks(record)
    except AnswerLost as error:
        # If it is on record, its timer charges the card: it must not be sent as if it were not.
        raise goods.unknown(subject_id, recorded=False) from error
    first = None if key is None else await _first_answer(db, gateway, goods, key, verdict)
    return await _charge(db, gateway, goods, subject_id) if first is None else first


async def find_first_answer(
    db: Database, gateway: StripeGateway, goods: Goods[PendingT], key: RequestKey
) -> StoredAnswer | None:
    """What was answered to the first request with this key; None if the key is free.

    What the key stands for is settled first if its outcome was not known. Raises 409 or 422 for the
    key, and `PaymentOutcomeUnknown`.
    """
    async with looking(gateway), connection(db) as conn:
        verdict = await look_at_key(conn, key)
    return await _first_answer(db, gateway, goods, key, verdict)


async def answer_or_refuse(
    db: Database,
    gateway: StripeGateway,
    goods: Goods[PendingT],
    key: RequestKey | None,
    refusal: ProblemError,
) -> StoredAnswer:
    """Refuse a request, unless the first one with its key has gone through: then its answer.

    Raises `refusal`, and what `find_first_answer` raises.
    """
    first = None if key is None else await find_first_answer(db, gateway, goods, key)
    if first is not None:
        return first
    raise refusal


async def _first_answer(
    db: Database,
    gateway: StripeGateway,
    goods: Goods[PendingT],
    key: RequestKey,
    verdict: KeyVerdict,
) -> StoredAnswer | None:
    async def settle_first(subject_id: UUID) -> StoredAnswer:
        return await _retry(db, gateway, goods, subject_id, key)

    return await first_answer(verdict, settle_first)


async def _charge(
    db: Database, gateway: StripeGateway, goods: Goods[PendingT], subject_id: UUID
) -> Paid:
    """Phases two and three; whatever goes wrong now, the outcome is looked for later."""
    try:
        ending = await _send_and_settle(db, gateway, goods, subject_id)
    except ProblemError as problem:
        # The database went away in between; what was bought is neither lost nor known.
        raise goods.unknown(subject_id) from problem
    if ending is None:
        raise goods.unknown(subject_id)
    if isinstance(ending, ProblemError):
        raise ending
    return ending


async def _send_and_settle(
    db: Database, gateway: StripeGateway, goods: Goods[PendingT], subject_id: UUID
) -> Ending | None:
    async with connection(db) as conn:
        payment = await find_payment_of(conn, subject_id)
    assert payment is not None, "phase one recorded it"
    outcome = await send(db, gateway, payment)
    if isinstance(outcome, Unknown):
        # It may have been charged before the answer was lost: one look decides most of them.
        return await settle(db, gateway, goods, subject_id)
    return await settle_with(db, goods, payment, outcome, first_try=True)


async def _retry(
    db: Database,
    gateway: StripeGateway,
    goods: Goods[PendingT],
    subject_id: UUID,
    key: RequestKey,
) -> StoredAnswer:
    """The client asks again for something whose outcome was not known."""
    now = datetime.now(UTC)
    async with connection(db) as conn:
        payment = await find_payment_of(conn, subject_id)
    if payment is not None and rules.is_leased(payment, now):
        raise in_flight()
    ending = await settle(db, gateway, goods, subject_id)
    if ending is None:
        raise goods.unknown(subject_id)
    async with connection(db) as conn:
        kept = await find_kept_answer(conn, key)
    if kept is None:
        # The request turned out to have made nothing, which freed the key.
        raise ending if isinstance(ending, ProblemError) else in_flight()
    return kept
