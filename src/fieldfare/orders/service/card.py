"""An order paid by card: frozen as it was quoted, then charged (`payments/service/charging.py`).

What must hold: the purchase (pending, its quote frozen), its payment, the client's key and the
timer are recorded by one statement before anything is sent. What becomes of it is in `settle`.
"""

from fieldfare.accounts.service import find_card
from fieldfare.db.pool import Database, connection
from fieldfare.http.idempotency import KeyVerdict, RequestKey, StoredAnswer
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import Card
from fieldfare.orders import store
from fieldfare.orders.model import CardOrder, Order
from fieldfare.orders.rules import answer_with_charge, freeze
from fieldfare.orders.service.settle import ORDERS
from fieldfare.payments.errors import NoPaymentMethod
from fieldfare.payments.service.charging import (
    SETTLE_AFTER,
    answer_or_refuse,
    charge,
    new_payment,
)


async def place_card_order(
    db: Database, gateway: StripeGateway, order: Order, answer: bytes, key: RequestKey | None
) -> bytes | StoredAnswer:
    """Charge a quoted order to the account's card; gives the answer, or the first answer.

    `answer` is what is to be said, with an empty id. Raises `NoPaymentMethod`, `CardDeclined`,
    `ProcessorRefused`, `ProcessorBusy`, `PaymentOutcomeUnknown`, and 409 or 422 for the key.
    """
    async with connection(db) as conn:
        card = await find_card(conn, order.account_id)
    if card is None:
        # It may have been taken away since the first request with this key.
        return await answer_or_refuse(db, gateway, ORDERS, key, NoPaymentMethod())
    opening = open_order(order, answer, card)

    async def record() -> KeyVerdict:
        async with connection(db) as conn:
            return await store.open_card_order(conn, opening, key, settle_after=SETTLE_AFTER)

    paid = await charge(db, gateway, ORDERS, order.id, key, record)
    if isinstance(paid, StoredAnswer):
        return paid
    return answer_with_charge(opening.quote.answer, paid.charge_id)


def open_order(order: Order, answer: bytes, card: Card) -> CardOrder:
    """The order as it is frozen before anything is sent."""
    quote = order.quote
    payment = new_payment(
        ORDERS,
        card,
        subject_id=order.id,
        account_id=order.account_id,
        amount_cents=quote.amount_cents,
        charge_minor=quote.charge_minor,
        exchange=quote.exchange,
    )
    return CardOrder(order=order, payment=payment, quote=freeze(quote, answer))
