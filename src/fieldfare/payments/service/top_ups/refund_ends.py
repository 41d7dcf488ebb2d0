"""How a refund of a top-up ends: its credits are gone, or they come back.

The answer, the timer, the processor's events and its list all end here, by the rule of
`payments.service.refunds`: it is never called failed while that is unknown. What must hold: the
top-up is locked before its refund, and the refund's state says what was done already.

A refund that somebody made in the processor's dashboard takes its credits when we learn of it; what
is spent by then is owed. One that succeeded and fails later gives its credits back, and a person is
told, because somebody wanted the money to reach the card.
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
from fieldfare.notifications.service.outbox import tell
from fieldfare.payments import store
from fieldfare.payments.model import Payment, Refund, TopUp
from fieldfare.payments.service.refunds import (
    LOOK_AFTER,
    find_out_refund,
    get_payment_of_refund,
    get_refund,
    is_as_asked,
    keep_foreign_refund,
    list_refunds_of,
    lock_refund,
    match_refund,
    record_refund_failed,
    record_refund_pending,
    record_refunded,
    refusal_of,
)
from fieldfare.payments.service.top_ups.returning import bring_back, let_go, release_credits

UNSETTLED_TOP_UP_REFUND_TOPIC = "top_up_refund_unsettled"


async def settle_top_up_refund(db: Database, gateway: StripeGateway, refund_id: UUID) -> bool:
    """Find out what became of a refund and record it; False while it is not ended."""
    async with connection(db) as conn:
        refund = await get_refund(conn, refund_id)
        payment = await get_payment_of_refund(conn, refund)
    if refund.state != "pending":
        return True
    outcome = await find_out_refund(db, gateway, payment, refund, datetime.now(UTC))
    return await settle_top_up_refund_with(db, refund, outcome)


async def settle_top_up_refund_with(
    db: Database, refund: Refund, outcome: RefundOutcome, *, first_try: bool = False
) -> bool:
    """Record what an answer proves about a refund; False while it is not ended.

    `first_try` says that nothing was sent before, so that a request which was not begun is known to
    have made nothing, unless somebody else sent it again meanwhile.
    """

    async def record() -> bool:
        async with transaction(db) as conn:
            payment = await get_payment_of_refund(conn, refund)
            top_up = await _lock_top_up(conn, payment)
            locked = await lock_refund(conn, refund.id)
            return await _follow(conn, top_up, payment, locked, outcome, first_try=first_try)

    return await retry_deadlocks(record)


async def follow_refund_of_top_up(conn: Connection, payment: Payment, seen: SeenRefund) -> None:
    """Bring a refund of a paid top-up to what the processor's list shows, whoever made it.

    In the caller's transaction, before it has locked anything of the payments or the wallet.
    """
    top_up = await _lock_top_up(conn, payment)
    refund = match_refund(await list_refunds_of(conn, payment), seen)
    if refund is not None:
        refund = await lock_refund(conn, refund.id)
    elif not isinstance(seen, RefundRefused):
        refund = await keep_foreign_refund(conn, payment, seen)
        if refund is not None and isinstance(seen, RefundPending):
            await tell(conn, UNSETTLED_TOP_UP_REFUND_TOPIC, refund.id, LOOK_AFTER)
    if refund is not None:
        await _follow(conn, top_up, payment, refund, seen)


async def _lock_top_up(conn: Connection, payment: Payment) -> TopUp:
    top_up = await store.lock_top_up(conn, payment.subject_id)
    assert top_up is not None, "the payment is for it"
    return top_up


async def _follow(
    conn: Connection,
    top_up: TopUp,
    payment: Payment,
    refund: Refund,
    outcome: RefundOutcome,
    *,
    first_try: bool = False,
) -> bool:
    match outcome:
        case Refunded() if refund.state != "succeeded":
            return await _succeed(conn, top_up, payment, refund, outcome)
        case RefundRefused() if refund.state == "succeeded":
            await bring_back(conn, top_up, payment, refund, outcome)
        case RefundPending() if refund.state == "pending":
            if await is_as_asked(conn, payment, refund, outcome):
                await record_refund_pending(conn, refund, outcome)
            return False
    if refund.state != "pending":
        return True
    refused = refusal_of(refund, outcome, first_try=first_try)
    if refused is not None:
        await record_refund_failed(conn, refund, refused, told=first_try)
        await release_credits(conn, top_up, refund)
    return refused is not None


async def _succeed(
    conn: Connection, top_up: TopUp, payment: Payment, refund: Refund, seen: Refunded
) -> bool:
    if not await is_as_asked(conn, payment, refund, seen):
        return False
    returned = await store.find_returned(conn, payment.id)
    await record_refunded(conn, refund, seen)
    await let_go(conn, top_up, payment, refund, returned)
    return True
