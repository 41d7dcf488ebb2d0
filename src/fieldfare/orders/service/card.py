"""An order paid by card, in three phases, so that a crash at any line loses nothing.

1. One statement: the purchase (pending, its quote frozen), the payment with its frozen request, the
   client's key pointing at it, and a timer that settles it should nobody else.
2. With no transaction open: the charge, under a key of our own.
3. One transaction, guarded by the purchase's state: paid or failed (`settle`).

The answer, the timer, the processor's event and the client's retry all end in the same `settle`.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from fieldfare.accounts.service import find_card
from fieldfare.db.ids import new_id
from fieldfare.db.pool import Database, connection, retry_deadlocks
from fieldfare.http.idempotency import (
    KeyVerdict,
    RequestKey,
    StoredAnswer,
    first_answer,
    in_flight,
    look_at_key,
)
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import Card, Unknown
from fieldfare.kernel.errors import AnswerLost, ProblemError
from fieldfare.orders import store
from fieldfare.orders.model import CardOrder, Order
from fieldfare.orders.rules import answer_with_charge, freeze
from fieldfare.orders.service.settle import settle, settle_with
from fieldfare.payments import rules as payment_rules
from fieldfare.payments.errors import NoPaymentMethod, PaymentOutcomeUnknown
from fieldfare.payments.model import NewPayment
from fieldfare.payments.service.outcomes import find_payment_of, send

SETTLE_AFTER = timedelta(minutes=1)


async def place_card_order(
    db: Database, gateway: StripeGateway, order: Order, answer: bytes, key: RequestKey | None
) -> bytes | StoredAnswer:
    """Charge a quoted order to the account's card; gives the answer, or the first answer.

    `answer` is what is to be said, with an empty id. Raises `NoPaymentMethod`, `CardDeclined`,
    `PaymentOutcomeUnknown`, and 409 or 422 for the key.
    """
    async with connection(db) as conn:
        card = await find_card(conn, order.account_id)
    if card is None:
        return await _without_card(db, gateway, key)
    opening = open_order(order, answer, card)
    verdict = await _record(db, opening, key)
    first = None if key is None else await _first_answer(db, gateway, key, verdict)
    return await _charge(db, gateway, opening) if first is None else first


async def _record(db: Database, opening: CardOrder, key: RequestKey | None) -> KeyVerdict:
    """Phase one."""

    async def record() -> KeyVerdict:
        async with connection(db) as conn:
            return await store.open_card_order(conn, opening, key, settle_after=SETTLE_AFTER)

    try:
        return await retry_deadlocks(record)
    except AnswerLost as error:
        # If it is on record, its timer charges the card: it must not be sent as if it were not.
        raise PaymentOutcomeUnknown(opening.order.id, recorded=False) from error


async def find_first_answer(
    db: Database, gateway: StripeGateway, key: RequestKey
) -> StoredAnswer | None:
    """What was answered to the first request with this key; None if the key is free.

    An order whose outcome was not known is settled first. Raises 409 or 422 for the key, and
    `PaymentOutcomeUnknown`.
    """
    async with connection(db) as conn:
        verdict = await look_at_key(conn, key)
    return await _first_answer(db, gateway, key, verdict)


async def _first_answer(
    db: Database, gateway: StripeGateway, key: RequestKey, verdict: KeyVerdict
) -> StoredAnswer | None:
    async def settle_first(purchase_id: UUID) -> StoredAnswer:
        return await _retry_card_order(db, gateway, purchase_id, key)

    return await first_answer(verdict, settle_first)


async def _without_card(
    db: Database, gateway: StripeGateway, key: RequestKey | None
) -> StoredAnswer:
    """The card may have been taken away since the first request with this key."""
    first = None if key is None else await find_first_answer(db, gateway, key)
    if first is not None:
        return first
    raise NoPaymentMethod


def open_order(order: Order, answer: bytes, card: Card) -> CardOrder:
    """The order as it is frozen before anything is sent."""
    quote = order.quote
    payment_id = new_id()
    request = payment_rules.frozen_request(
        amount_minor=quote.charge_minor,
        currency=quote.exchange.currency.code,
        customer=card.customer,
        payment_method=card.payment_method,
        subject="purchase",
        subject_id=order.id,
    )
    payment = NewPayment(
        id=payment_id,
        subject="purchase",
        subject_id=order.id,
        account_id=order.account_id,
        amount_minor=quote.charge_minor,
        currency=quote.exchange.currency.code,
        amount_cents=quote.amount_cents,
        rate=quote.exchange.rate,
        rate_on=quote.exchange.rate_on or datetime.now(UTC).date(),
        customer=card.customer,
        request=request,
        processor_key=payment_rules.processor_key(payment_id),
    )
    return CardOrder(order=order, payment=payment, quote=freeze(quote, answer))


async def _charge(db: Database, gateway: StripeGateway, opening: CardOrder) -> bytes:
    """Phases two and three; whatever goes wrong now, the outcome is looked for later."""
    purchase_id = opening.order.id
    try:
        async with connection(db) as conn:
            payment = await find_payment_of(conn, purchase_id)
        assert payment is not None, "phase one recorded it"
        outcome = await send(db, gateway, payment)
        if isinstance(outcome, Unknown):
            # It may have been charged before the answer was lost: one look decides most of them.
            settled = await settle(db, gateway, purchase_id)
        else:
            settled = await settle_with(db, payment, outcome, first_try=True)
    except ProblemError as problem:
        # The database went away in between; the order is neither lost nor known.
        raise PaymentOutcomeUnknown(purchase_id) from problem
    if settled is None:
        raise PaymentOutcomeUnknown(purchase_id)
    if settled.refusal is not None:
        raise settled.refusal
    assert settled.charge_id is not None, "a paid order has its charge"
    return answer_with_charge(opening.quote.answer, settled.charge_id)


async def _retry_card_order(
    db: Database, gateway: StripeGateway, purchase_id: UUID, key: RequestKey
) -> StoredAnswer:
    """The client asks again for an order whose outcome was not known."""
    now = datetime.now(UTC)
    async with connection(db) as conn:
        payment = await find_payment_of(conn, purchase_id)
    if payment is not None and payment_rules.is_leased(payment, now):
        raise in_flight()
    settled = await settle(db, gateway, purchase_id)
    if settled is None:
        raise PaymentOutcomeUnknown(purchase_id)
    async with connection(db) as conn:
        now_said = await look_at_key(conn, key)
    if now_said.answer is None or now_said.status is None:
        # The request turned out to have made nothing, which freed the key.
        raise settled.refusal or in_flight()
    return StoredAnswer(status=now_said.status, body=now_said.answer)
