"""Settling refunds to a card: where what the processor did takes effect on an order.

The answer, the timer, an event, a retry and the hourly look at the processor's lists all end in
`record_outcome`: it locks the purchase, then the refund, and finds it pending or finds that another
one was faster. What somebody did in the processor's own dashboard is recorded and takes effect too.

An order stays refunded if the money comes back to us later. What is given back in its place takes
nothing more of the order, and neither does what goes back beyond the charge: a person is told.
"""

from datetime import UTC, datetime
from uuid import UUID

from fieldfare.db.pool import Connection, Database, connection, retry_deadlocks, transaction
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import (
    Refunded,
    RefundOutcome,
    RefundPending,
    RefundRefused,
    SeenRefund,
)
from fieldfare.kernel.currency import get_currency, micro_from_minor
from fieldfare.ledger.model import Leg
from fieldfare.ledger.service.posting import post
from fieldfare.notifications.service.outbox import tell
from fieldfare.orders import store
from fieldfare.orders.model import NewRefund, Purchase, RefundUse
from fieldfare.orders.rules import use_of_refund
from fieldfare.orders.service.refunding import apply_refund, lock_purchase
from fieldfare.payments.model import Payment, Refund
from fieldfare.payments.service import refunds

NOTHING_LEFT = "nothing of the order was left"


async def settle_refund(db: Database, gateway: StripeGateway, refund_id: UUID) -> bool:
    """Find out what became of a pending refund and record it; False while nothing ends it."""
    async with connection(db) as conn:
        refund = await refunds.get_refund(conn, refund_id)
        payment = await refunds.get_payment_of_refund(conn, refund)
    if refund.state != "pending":
        return True
    outcome = await refunds.find_out_refund(db, gateway, payment, refund, datetime.now(UTC))
    return await settle_refund_with(db, refund_id, outcome)


async def settle_refund_with(
    db: Database, refund_id: UUID, outcome: RefundOutcome, *, first_try: bool = False
) -> bool:
    """Record what an answer proves about a refund; False if that does not end it.

    `first_try` says that nothing was sent before, and that whoever asked is told the outcome.
    """

    async def record() -> bool:
        async with transaction(db) as conn:
            refund = await refunds.get_refund(conn, refund_id)
            payment = await refunds.get_payment_of_refund(conn, refund)
            await record_outcome(conn, payment, refund_id, outcome, first_try=first_try)
            return (await refunds.get_refund(conn, refund_id)).state != "pending"

    return await retry_deadlocks(record)


async def follow_refund_of_order(conn: Connection, payment: Payment, seen: SeenRefund) -> None:
    """Bring a refund of a paid order to what the processor's list shows, whoever made it.

    In the caller's transaction, before it has locked anything of the payments or the wallet.
    """
    purchase = await lock_purchase(conn, payment.subject_id)
    known = refunds.match_refund(await refunds.list_refunds_of(conn, payment), seen)
    if known is None and not isinstance(seen, RefundRefused):
        known = await refunds.keep_foreign_refund(conn, payment, seen)
        if known is not None and isinstance(seen, RefundPending):
            await _await_foreign(conn, purchase, payment, known)
    if known is not None:
        await record_outcome(conn, payment, known.id, seen)


async def _await_foreign(
    conn: Connection, purchase: Purchase, payment: Payment, refund: Refund
) -> None:
    """What the processor takes its time over counts as on its way, as ours does."""
    use = await _use_of(conn, purchase, payment, refund)
    if use.applied_minor > 0:
        await store.insert_refund(
            conn, refund.id, purchase, _new_refund(refund, amount_minor=use.applied_minor)
        )
    await tell(conn, refunds.REFUND_TOPIC, refund.id, refunds.LOOK_AFTER)


async def record_outcome(
    conn: Connection,
    payment: Payment,
    refund_id: UUID,
    outcome: RefundOutcome,
    *,
    first_try: bool = False,
) -> None:
    """In the caller's transaction: what an outcome proves takes effect, once."""
    purchase = await lock_purchase(conn, payment.subject_id)
    refund = await refunds.lock_refund(conn, refund_id)
    refused = refunds.refusal_of(refund, outcome, first_try=first_try)
    match outcome:
        case Refunded() if refund.state != "succeeded":
            if await refunds.is_as_asked(conn, payment, refund, outcome):
                use = await _use_of(conn, purchase, payment, refund)
                await refunds.record_refunded(conn, refund, outcome)
                made = await refunds.get_refund(conn, refund.id)
                await _take_effect(conn, purchase, made, use)
        case RefundPending() if refund.state == "pending":
            if await refunds.is_as_asked(conn, payment, refund, outcome):
                await refunds.record_refund_pending(conn, refund, outcome)
        case RefundRefused() if refund.state == "succeeded":
            await refunds.record_refund_returned(conn, refund, outcome)
        case _ if refused is not None and refund.state == "pending":
            await refunds.record_refund_failed(conn, refund, refused, told=first_try)
            await store.update_refund_failed(conn, refund.id, refused.code)


async def _use_of(
    conn: Connection, purchase: Purchase, payment: Payment, refund: Refund
) -> RefundUse:
    """What a refund that is not carried out yet is for.

    What the order gave up and is not gone came back to us, and is owed to whoever paid.
    """
    gone_minor = await refunds.find_gone_minor(conn, payment)
    return use_of_refund(
        refund.amount_minor,
        origin=refund.origin,
        remaining_minor=purchase.charge_minor - purchase.refunded_minor,
        owed_minor=max(purchase.refunded_minor - gone_minor, 0),
    )


async def _take_effect(
    conn: Connection, purchase: Purchase, refund: Refund, use: RefundUse
) -> None:
    if use.applied_minor > 0:
        await apply_refund(conn, purchase, _new_refund(refund, amount_minor=use.applied_minor))
    else:
        await store.update_refund_failed(conn, refund.id, NOTHING_LEFT)
    if refund.amount_minor > use.applied_minor:
        await _pay_beside(conn, refund, refund.amount_minor - use.applied_minor)
    if use.beyond_minor > 0:
        await refunds.say_too_much(conn, refund, use.beyond_minor)


async def _pay_beside(conn: Connection, refund: Refund, amount_minor: int) -> None:
    """Money that the order does not give up: what came back to us lies in `suspense` already."""
    paid_micro = micro_from_minor(amount_minor, get_currency(refund.currency))
    legs = [
        Leg(book="processor", currency=refund.currency, amount_micro=paid_micro),
        Leg(book="suspense", currency=refund.currency, amount_micro=-paid_micro),
    ]
    await post(conn, refund.id, "refund", legs, "beside what was left of the order")


def _new_refund(refund: Refund, *, amount_minor: int) -> NewRefund:
    return NewRefund(
        id=refund.id, origin=refund.origin, amount_minor=amount_minor, reason=refund.reason
    )
