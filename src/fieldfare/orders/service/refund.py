"""Refunding an order: from credits at once, by card in three phases as it was charged.

1. One transaction: the purchase locked and what is left of it looked at, the refund pending with
   its frozen request, and a timer that settles it should nobody else.
2. With no transaction open: the request, under a key of our own.
3. One transaction, guarded by the refund's state: it took effect, or came to nothing
   (`refund_settling`).
"""

from functools import partial
from uuid import UUID

import asyncpg

from fieldfare.db.ids import new_id
from fieldfare.db.pool import (
    Connection,
    Database,
    after_commit,
    connection,
    retry_deadlocks,
    transaction,
)
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import Unknown
from fieldfare.kernel.errors import AnswerLost, Unavailable
from fieldfare.notifications.service.outbox import tell
from fieldfare.orders import store
from fieldfare.orders.model import NewRefund, OrderRefund, Purchase, RefundRequest
from fieldfare.orders.rules import check_same_request, refundable_minor
from fieldfare.orders.service.refund_settling import settle_refund, settle_refund_with
from fieldfare.orders.service.refunding import apply_refund, get_refund, lock_purchase
from fieldfare.payments.errors import (
    NotRefundable,
    RefundMaybeRecorded,
    RefundNotMade,
    RefundOutcomeUnknown,
)
from fieldfare.payments.model import Refund
from fieldfare.payments.service.outcomes import find_payment_of
from fieldfare.payments.service.refunds import LOOK_AFTER, REFUND_TOPIC, open_refund, send_refund
from fieldfare.payments.service.refunds import get_refund as get_sent_refund
from fieldfare.telemetry.families import MONEY


async def refund_order(
    db: Database,
    gateway: StripeGateway | None,
    purchase_id: UUID,
    *,
    amount_minor: int | None,
    reason: str,
    request_key: str | None = None,
) -> OrderRefund:
    """Give `amount_minor` of an order back, in the charge's unit, or all that is left.

    A repeat with the same `request_key` gives the first refund. What comes back is `succeeded`, or
    `pending` if the processor takes its time over it. Raises `OrderNotFound`, `NotRefundable`,
    `RefundNotMade`, and `RefundOutcomeUnknown` if nobody knows yet.
    """
    asked = RefundRequest(amount_minor=amount_minor, reason=reason, request_key=request_key)

    async def begin() -> OrderRefund | Refund:
        async with transaction(db) as conn:
            return await _begin(conn, purchase_id, asked, has_gateway=gateway is not None)

    try:
        begun = await retry_deadlocks(begin)
    except AnswerLost as error:
        raise RefundMaybeRecorded(f"order {purchase_id}") from error
    if isinstance(begun, OrderRefund) and begun.state == "succeeded":
        return begun
    try:
        if isinstance(begun, Refund):
            assert gateway is not None, "without it no refund to a card is begun"
            await _send(db, gateway, begun)
        elif gateway is not None:
            # Asked for before, and not known to have ended then.
            await settle_refund(db, gateway, begun.id)
        return await _ending(db, begun.id)
    except Unavailable as error:
        # The database went away in between; the refund is neither lost nor known.
        raise RefundOutcomeUnknown(begun.id) from error


async def _begin(
    conn: Connection, purchase_id: UUID, asked: RefundRequest, *, has_gateway: bool
) -> OrderRefund | Refund:
    """Phase one: what was asked for before or took effect at once, or what is to be sent."""
    purchase = await lock_purchase(conn, purchase_id)
    if asked.request_key is not None:
        earlier = await store.find_refund_of_key(conn, purchase_id, asked.request_key)
        if earlier is not None:
            check_same_request(earlier, purchase, amount_minor=asked.amount_minor)
            return earlier
    refund = NewRefund(
        id=None,
        origin="operator",
        amount_minor=refundable_minor(
            purchase,
            pending_minor=await store.sum_pending_refunds(conn, purchase_id),
            amount_minor=asked.amount_minor,
        ),
        reason=asked.reason,
        request_key=asked.request_key,
    )
    if purchase.payment_method == "credits":
        return await _give_credits_back(conn, purchase, refund)
    if not has_gateway:
        raise NotRefundable(
            "This order was paid by card, and no key of the card processor is set. Set "
            "FIELDFARE_STRIPE_KEY, or refund the charge in the processor's dashboard."
        )
    return await _open(conn, purchase, refund)


async def _give_credits_back(
    conn: Connection, purchase: Purchase, refund: NewRefund
) -> OrderRefund:
    try:
        after_commit(partial(MONEY.add, "refund", "credits", "USD", by=refund.amount_minor))
        return await apply_refund(conn, purchase, refund)
    except asyncpg.CheckViolationError as error:
        raise NotRefundable(
            "The wallet cannot hold that much more. Refund a smaller part, or let the account "
            "spend some first."
        ) from error


async def _open(conn: Connection, purchase: Purchase, refund: NewRefund) -> Refund:
    payment = await find_payment_of(conn, purchase.id)
    assert payment is not None, "an order paid by card has its payment"
    opened = await open_refund(
        conn,
        payment,
        refund_id=new_id(),
        amount_minor=refund.amount_minor,
        reason=refund.reason,
    )
    await store.insert_refund(conn, opened.id, purchase, refund)
    await tell(conn, REFUND_TOPIC, opened.id, LOOK_AFTER)
    return opened


async def _send(db: Database, gateway: StripeGateway, refund: Refund) -> None:
    """Phases two and three; what stays unknown has its timer."""
    outcome = await send_refund(db, gateway, refund)
    if isinstance(outcome, Unknown):
        # It may have been made before the answer was lost: one look decides most of them.
        await settle_refund(db, gateway, refund.id)
    else:
        await settle_refund_with(db, refund.id, outcome, first_try=True)


async def _ending(db: Database, refund_id: UUID) -> OrderRefund:
    """How a refund stands; raises `NotRefundable`, `RefundNotMade` or `RefundOutcomeUnknown`."""
    async with connection(db) as conn:
        refund = await get_refund(conn, refund_id)
        sent = await get_sent_refund(conn, refund_id)
    if refund.state == "pending" and sent.refund_id is None:
        raise RefundOutcomeUnknown(refund_id)
    if refund.state == "failed" and sent.state == "succeeded":
        raise NotRefundable(
            "The card got this refund, but nothing of the order was left to go with it: its money "
            "had gone back otherwise. Do not ask again; `fieldfare exceptions list` shows it."
        )
    if refund.state == "failed":
        raise RefundNotMade(
            f"The card processor did not give the money back ({refund.failure_code}). Nothing was "
            "refunded. See to what it says, then ask again; with a key of yours, under another key."
        )
    return refund
