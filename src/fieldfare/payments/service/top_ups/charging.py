"""A top-up by card, in three phases, so that a crash at any line loses nothing.

1. One statement: the top-up (pending), the payment with its frozen request, the client's key
   pointing at it, and a timer that settles it should nobody else.
2. With no transaction open: the charge, under a key of our own.
3. One transaction, guarded by the top-up's state: paid or failed (`settling`).
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

import asyncpg

from fieldfare.accounts.service import find_card
from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection, Database, connection, retry_deadlocks, transaction
from fieldfare.http.idempotency import (
    KeyVerdict,
    RequestKey,
    StoredAnswer,
    find_kept_answer,
    first_answer,
    in_flight,
    look_at_key,
)
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import Card, Unknown
from fieldfare.kernel.errors import AnswerLost, ProblemError
from fieldfare.ledger.model import MAX_BALANCE_CENTS
from fieldfare.ledger.service.credits import get_wallet
from fieldfare.payments import rules, store
from fieldfare.payments.errors import (
    NoPaymentMethod,
    RefillUnderway,
    TopUpOutcomeUnknown,
    WalletFull,
)
from fieldfare.payments.model import (
    Exchange,
    NewPayment,
    NewTopUp,
    PaidTopUp,
    TopUpOrigin,
    TopUpQuote,
)
from fieldfare.payments.service.outcomes import find_payment_of, send
from fieldfare.payments.service.top_ups.settling import (
    TopUpEnding,
    settle_top_up,
    settle_top_up_with,
)

SETTLE_AFTER = timedelta(minutes=1)
Admit: TypeAlias = Callable[[Connection], Awaitable[None]]


async def charge_top_up(
    db: Database,
    gateway: StripeGateway,
    *,
    account_id: int,
    amount_cents: int,
    exchange: Exchange,
    origin: TopUpOrigin,
    key: RequestKey | None = None,
    admit: Admit | None = None,
) -> PaidTopUp | StoredAnswer:
    """Charge `amount_cents` of credits to the account's card, in the currency of `exchange`.

    `admit` has the last word: it raises in the transaction that records the top-up, before that.
    Gives the paid top-up, or the first answer to the client's key. Raises `BelowMinimum`,
    `AboveMaximum`, `NoPaymentMethod`, `CardDeclined`, `ProcessorRefused`, `ProcessorBusy`,
    `TopUpOutcomeUnknown`, `RefillUnderway` for a refill, and 409 or 422 for the key.
    """
    quote = rules.quote_top_up(amount_cents, exchange)
    async with connection(db) as conn:
        card = await find_card(conn, account_id)
        wallet = await get_wallet(conn, account_id)
    if card is None:
        return await _refuse(db, gateway, key, NoPaymentMethod(by_card_only=True))
    if wallet.balance_cents + amount_cents > MAX_BALANCE_CENTS:
        return await _refuse(db, gateway, key, WalletFull())
    opening = open_top_up(quote, card, account_id=account_id, origin=origin)
    verdict = await _record(db, opening, key, admit)
    first = None if key is None else await _first_answer(db, gateway, key, verdict)
    return await _charge(db, gateway, opening, key) if first is None else first


async def find_first_top_up(
    db: Database, gateway: StripeGateway, key: RequestKey
) -> StoredAnswer | None:
    """What was answered to the first request with this key; None if the key is free.

    A top-up whose outcome was not known is settled first. Raises 409 or 422 for the key, and
    `TopUpOutcomeUnknown`.
    """
    async with connection(db) as conn:
        verdict = await look_at_key(conn, key)
    return await _first_answer(db, gateway, key, verdict)


async def _first_answer(
    db: Database, gateway: StripeGateway, key: RequestKey, verdict: KeyVerdict
) -> StoredAnswer | None:
    async def settle_first(top_up_id: UUID) -> StoredAnswer:
        return await _retry(db, gateway, top_up_id, key)

    return await first_answer(verdict, settle_first)


async def _refuse(
    db: Database, gateway: StripeGateway, key: RequestKey | None, refusal: ProblemError
) -> StoredAnswer:
    """The first request with this key may have gone through before there was reason to refuse."""
    first = None if key is None else await find_first_top_up(db, gateway, key)
    if first is not None:
        return first
    raise refusal


def open_top_up(quote: TopUpQuote, card: Card, *, account_id: int, origin: TopUpOrigin) -> NewTopUp:
    """The top-up as it is frozen before anything is sent."""
    top_up_id, payment_id = new_id(), new_id()
    currency = quote.exchange.currency.code
    payment = NewPayment(
        id=payment_id,
        subject="top_up",
        subject_id=top_up_id,
        account_id=account_id,
        amount_minor=quote.charge_minor,
        currency=currency,
        amount_cents=quote.amount_cents,
        rate=quote.exchange.rate,
        rate_on=quote.exchange.rate_on or datetime.now(UTC).date(),
        customer=card.customer,
        request=rules.frozen_request(
            amount_minor=quote.charge_minor,
            currency=currency,
            customer=card.customer,
            payment_method=card.payment_method,
            subject="top_up",
            subject_id=top_up_id,
        ),
        processor_key=rules.processor_key(payment_id),
    )
    return NewTopUp(origin=origin, payment=payment)


async def _record(
    db: Database, opening: NewTopUp, key: RequestKey | None, admit: Admit | None
) -> KeyVerdict:
    """Phase one."""

    async def record() -> KeyVerdict:
        async with transaction(db) if admit else connection(db) as conn:
            if admit:
                await admit(conn)
            return await store.open_top_up(conn, opening, key, settle_after=SETTLE_AFTER)

    try:
        return await retry_deadlocks(record)
    except AnswerLost as error:
        # If it is on record, its timer charges the card: it must not be sent as if it were not.
        raise TopUpOutcomeUnknown(opening.payment.subject_id, recorded=False) from error
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "top_up_one_refill":
            raise
        raise RefillUnderway from error


async def _charge(
    db: Database, gateway: StripeGateway, opening: NewTopUp, key: RequestKey | None
) -> PaidTopUp:
    """Phases two and three; whatever goes wrong now, the outcome is looked for later."""
    top_up_id = opening.payment.subject_id
    try:
        ending = await _send_and_settle(db, gateway, top_up_id)
        kept = None if key is None else await _kept_answer(db, key)
    except ProblemError as problem:
        # The database went away in between; the top-up is neither lost nor known.
        raise TopUpOutcomeUnknown(top_up_id) from problem
    if ending is None:
        raise TopUpOutcomeUnknown(top_up_id)
    if ending.paid is None:
        assert ending.refusal is not None, "what is not paid was refused"
        raise ending.refusal
    if kept is None:
        return ending.paid
    # Somebody else may have settled it, and kept what the balance was then.
    return PaidTopUp(charge_id=ending.paid.charge_id, answer=kept.body)


async def _send_and_settle(
    db: Database, gateway: StripeGateway, top_up_id: UUID
) -> TopUpEnding | None:
    async with connection(db) as conn:
        payment = await find_payment_of(conn, top_up_id)
    assert payment is not None, "phase one recorded it"
    outcome = await send(db, gateway, payment)
    if isinstance(outcome, Unknown):
        # It may have been charged before the answer was lost: one look decides most of them.
        return await settle_top_up(db, gateway, top_up_id)
    return await settle_top_up_with(db, payment, outcome, first_try=True)


async def _retry(
    db: Database, gateway: StripeGateway, top_up_id: UUID, key: RequestKey
) -> StoredAnswer:
    """The client asks again for a top-up whose outcome was not known."""
    now = datetime.now(UTC)
    async with connection(db) as conn:
        payment = await find_payment_of(conn, top_up_id)
    if payment is not None and rules.is_leased(payment, now):
        raise in_flight()
    ending = await settle_top_up(db, gateway, top_up_id)
    if ending is None:
        raise TopUpOutcomeUnknown(top_up_id)
    kept = await _kept_answer(db, key)
    if kept is None:
        # The request turned out to have made nothing, which freed the key.
        raise ending.refusal or in_flight()
    return kept


async def _kept_answer(db: Database, key: RequestKey) -> StoredAnswer | None:
    async with connection(db) as conn:
        return await find_kept_answer(conn, key)
