"""A top-up by card: quoted, then charged and credited (`payments/service/charging.py`).

What must hold: the top-up (pending), its payment, the client's key and the timer are recorded by
one statement before anything is sent; a refill only if it is admitted in that transaction.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg

from fieldfare.accounts.service import find_card
from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection, Database, connection, transaction
from fieldfare.http.idempotency import KeyVerdict, RequestKey, StoredAnswer, find_kept_answer
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import Card
from fieldfare.kernel.errors import ProblemError
from fieldfare.ledger.model import MAX_BALANCE_CENTS
from fieldfare.ledger.service.credits import get_wallet
from fieldfare.payments import rules, store
from fieldfare.payments.errors import (
    NoPaymentMethod,
    RefillUnderway,
    TopUpOutcomeUnknown,
    WalletFull,
)
from fieldfare.payments.model import Exchange, NewTopUp, TopUpOrigin, TopUpQuote
from fieldfare.payments.service.charging import (
    SETTLE_AFTER,
    answer_or_refuse,
    charge,
    new_payment,
)
from fieldfare.payments.service.goods import Paid
from fieldfare.payments.service.top_ups.settling import TOP_UPS

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
) -> bytes | StoredAnswer:
    """Charge `amount_cents` of credits to the account's card, in the currency of `exchange`.

    `admit` has the last word: it raises in the transaction that records the top-up, before that.
    Gives the answer, or the first answer to the client's key. Raises `BelowMinimum`,
    `AboveMaximum`, `NoPaymentMethod`, `CardDeclined`, `ProcessorRefused`, `ProcessorBusy`,
    `TopUpOutcomeUnknown`, `RefillUnderway` for a refill, and 409 or 422 for the key.
    """
    quote = rules.quote_top_up(amount_cents, exchange)
    async with connection(db) as conn:
        card = await find_card(conn, account_id)
        wallet = await get_wallet(conn, account_id)
    if card is None:
        refusal = NoPaymentMethod(by_card_only=True)
        return await answer_or_refuse(db, gateway, TOP_UPS, key, refusal)
    if wallet.balance_cents + amount_cents > MAX_BALANCE_CENTS:
        return await answer_or_refuse(db, gateway, TOP_UPS, key, WalletFull())
    opening = open_top_up(quote, card, account_id=account_id, origin=origin)

    async def record() -> KeyVerdict:
        return await _record(db, opening, key, admit)

    paid = await charge(db, gateway, TOP_UPS, opening.payment.subject_id, key, record)
    return paid if isinstance(paid, StoredAnswer) else await _answer(db, opening, paid, key)


def open_top_up(quote: TopUpQuote, card: Card, *, account_id: int, origin: TopUpOrigin) -> NewTopUp:
    """The top-up as it is frozen before anything is sent."""
    payment = new_payment(
        TOP_UPS,
        card,
        subject_id=new_id(),
        account_id=account_id,
        amount_cents=quote.amount_cents,
        charge_minor=quote.charge_minor,
        exchange=quote.exchange,
    )
    return NewTopUp(origin=origin, payment=payment)


async def _record(
    db: Database, opening: NewTopUp, key: RequestKey | None, admit: Admit | None
) -> KeyVerdict:
    """Phase one."""
    try:
        async with transaction(db) if admit else connection(db) as conn:
            if admit:
                await admit(conn)
            return await store.open_top_up(conn, opening, key, settle_after=SETTLE_AFTER)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "top_up_one_refill":
            raise
        raise RefillUnderway from error


async def _answer(db: Database, opening: NewTopUp, paid: Paid, key: RequestKey | None) -> bytes:
    """What is kept under the key: somebody else may have settled it, at another balance."""
    assert paid.answer is not None, "a top-up's answer can always be told"
    if key is None:
        return paid.answer
    try:
        async with connection(db) as conn:
            kept = await find_kept_answer(conn, key)
    except ProblemError as problem:
        # It is paid, but not known any more what was said of it: a retry finds that.
        raise TopUpOutcomeUnknown(opening.payment.subject_id) from problem
    return paid.answer if kept is None else kept.body
