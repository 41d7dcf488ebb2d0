"""Giving money back to a card, by the same rule as charging it.

What must hold: money never goes back twice, and a refund is never called failed while that is
unknown. Its request is frozen before it is sent. If the answer is lost, the charge's exact list of
refunds is read and our metadata looked for; what it does not show is sent again under the same key
while the processor knows that; later only the list is asked. What a refund means for an order or a
top-up is decided above, in the transaction in which it is recorded here.

A refund that succeeded can fail later, for instance because the card's account was closed. Then the
money is with us again and the customer still has to get it: it stays `succeeded`, gets a
`failure_code`, and a person is told.
"""

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection, Database, after_commit, connection, transaction
from fieldfare.integrations.stripe.errors import ProcessorAway
from fieldfare.integrations.stripe.gateway import StripeGateway, turn
from fieldfare.integrations.stripe.model import (
    NotExecuted,
    Refunded,
    RefundOutcome,
    RefundPending,
    RefundRefused,
    SeenRefund,
    Unknown,
)
from fieldfare.integrations.stripe.refunds import create_refund, list_refunds, look_up_refund
from fieldfare.payments import rules, store
from fieldfare.payments.errors import RefundNotFound
from fieldfare.payments.model import Payment, Refund
from fieldfare.payments.service.exceptions import open_exception
from fieldfare.telemetry.families import MONEY

REFUND_TOPIC = "refund_unsettled"
LOOK_AFTER = timedelta(minutes=1)
NEVER_CARRIED_OUT = "never_carried_out"
FOREIGN_REASON = "Made at the processor"
UNHEARD = 500
"""More than ever fail at once; what is left comes with the next look."""


async def open_refund(
    conn: Connection, payment: Payment, *, refund_id: UUID, amount_minor: int, reason: str
) -> Refund:
    """Record a refund that is about to be sent; it counts as sent from now on.

    `amount_minor` is in the charge's unit. The caller holds the lock of what was paid for, has
    checked that so much is left, and tells a timer in the same transaction.
    """
    return await store.insert_refund(
        conn,
        refund_id,
        payment,
        amount_minor=amount_minor,
        reason=reason,
        request=rules.frozen_refund(payment, refund_id=refund_id, amount_minor=amount_minor),
        processor_key=rules.processor_key(refund_id),
        lease=rules.REQUEST_LEASE,
    )


async def send_refund(db: Database, gateway: StripeGateway, refund: Refund) -> RefundOutcome:
    """Send the frozen request of a refund that the caller has leased; gives what is proven."""
    assert refund.request is not None, "what was made at the processor is never sent"
    assert refund.processor_key is not None
    outcome = await create_refund(gateway, refund.request, refund.processor_key)
    if isinstance(outcome, Unknown):
        async with connection(db) as conn:
            await store.update_refund_released(conn, refund.id)
    return outcome


async def find_out_refund(
    db: Database, gateway: StripeGateway, payment: Payment, refund: Refund, now: datetime
) -> RefundOutcome:
    """What became of a refund; `Unknown` as long as nothing proves it."""
    if refund.refund_id is not None:
        return await look_up_refund(gateway, refund.refund_id)
    assert payment.charge_id is not None, "only what was paid is refunded"
    try:
        listed = await list_refunds(gateway, payment.charge_id)
    except ProcessorAway as away:
        return Unknown(reason=away.message)
    found = next((seen for seen in listed if seen.our_id == str(refund.id)), None)
    if found is not None:
        return found
    if rules.may_send_refund_again(refund, now):
        return await _send_again(db, gateway, refund)
    if rules.is_refund_lost(refund, now):
        return RefundRefused(code=NEVER_CARRIED_OUT)
    return Unknown(reason="no list shows it, and its key is too old to send it again")


async def _send_again(db: Database, gateway: StripeGateway, refund: Refund) -> RefundOutcome:
    # The lease, and the instant that it was sent at, count from when it goes out.
    async with turn(gateway, is_begun=True):
        async with transaction(db) as conn:
            leased = await store.lease_refund(
                conn, refund.id, lease=rules.REQUEST_LEASE, resend_within=rules.RESEND_WITHIN
            )
        if not leased:
            return Unknown(reason="somebody else settled it, or waits for its answer")
        outcome = await send_refund(db, gateway, refund)
    if not isinstance(outcome, NotExecuted):
        return outcome
    # This try did not begin; that says nothing of the earlier ones.
    async with connection(db) as conn:
        await store.update_refund_released(conn, refund.id)
    return Unknown(reason=f"not sent again: {outcome.reason}")


def refusal_of(refund: Refund, outcome: RefundOutcome, *, first_try: bool) -> RefundRefused | None:
    """Why a locked refund came to nothing, if an outcome proves that it did.

    `first_try` says that nothing was sent before `outcome`: then a request that was not begun has
    made nothing, unless somebody else sent it again meanwhile.
    """
    if isinstance(outcome, RefundRefused):
        return outcome
    if not isinstance(outcome, NotExecuted) or not first_try:
        return None
    if refund.last_sent_at != refund.first_sent_at:
        return None
    return RefundRefused(code=f"{outcome.reason}: {outcome.message or outcome.code}")


async def get_payment_of_refund(conn: Connection, refund: Refund) -> Payment:
    """The payment whose money goes back."""
    payment = await store.find_payment(conn, refund.payment_id)
    assert payment is not None, "a refund is of a payment"
    return payment


async def get_refund(conn: Connection, identifier: UUID) -> Refund:
    """A refund by our own id; raises `RefundNotFound`."""
    refund = await store.find_refund(conn, identifier)
    if refund is None:
        raise RefundNotFound(f"There is no refund {identifier}. Look for it by its order.")
    return refund


async def lock_refund(conn: Connection, identifier: UUID) -> Refund:
    """A refund, locked until the transaction ends; what was paid for is locked before it."""
    refund = await store.lock_refund(conn, identifier)
    if refund is None:
        raise RefundNotFound(f"There is no refund {identifier}. Look for it by its order.")
    return refund


async def list_refunds_of(conn: Connection, payment: Payment) -> list[Refund]:
    """Every refund of a payment that is on record, oldest first."""
    return await store.list_refunds_of_payment(conn, payment.id)


async def list_returned_unheard(conn: Connection) -> list[str]:
    """Charges of refunds whose money is with us again, as an import of the balance has shown.

    A refund can fail weeks after it was made. If the event is lost, nothing else tells of it.
    """
    return await store.list_returned_unheard(conn, UNHEARD)


async def find_gone_minor(conn: Connection, payment: Payment) -> int:
    """Of a payment, what is gone for good: refunds that did not come back, and lost disputes."""
    return (await store.find_returned(conn, payment.id)).gone_minor


async def is_as_asked(
    conn: Connection, payment: Payment, refund: Refund, seen: Refunded | RefundPending
) -> bool:
    """Whether the processor did what was asked; if not, it goes on the list of exceptions."""
    differences = rules.refund_mismatches(
        refund,
        payment,
        amount_minor=seen.amount_minor,
        currency=seen.currency,
        charge_id=seen.charge_id,
    )
    if differences:
        detail = f"refund {seen.refund_id}: {'; '.join(differences)}"
        await open_exception(conn, "mismatch", str(refund.id), detail)
        await store.update_refund_released(conn, refund.id)
    return not differences


async def record_refund_pending(conn: Connection, refund: Refund, seen: RefundPending) -> None:
    """In the caller's transaction: the processor has it and has not ended it."""
    await store.update_refund_known(conn, refund.id, seen.refund_id)


async def record_refunded(conn: Connection, refund: Refund, seen: Refunded) -> None:
    """In the caller's transaction: the money was given back; what was open about it is settled."""
    await store.update_refund_succeeded(conn, refund.id, seen.refund_id)
    await store.resolve_exceptions(conn, str(refund.id), "refunded")
    _count("refund", refund)


async def record_refund_failed(
    conn: Connection, refund: Refund, refused: RefundRefused, *, told: bool
) -> None:
    """In the caller's transaction: it certainly came to nothing.

    Unless whoever asked for it is `told`, a person finds it on the list of exceptions.
    """
    await store.update_refund_failed(conn, refund.id, refused.code, refused.refund_id)
    await store.resolve_exceptions(conn, str(refund.id), f"not refunded: {refused.code}")
    if not told:
        detail = f"{_said(refund)} came to nothing ({refused.code}): it never took effect"
        await open_exception(conn, "refund_failed", str(refund.id), detail)


async def record_refund_returned(conn: Connection, refund: Refund, refused: RefundRefused) -> None:
    """In the caller's transaction: it had succeeded, and its money is with us again."""
    if await store.update_refund_returned(conn, refund.id, refused.code):
        detail = f"{_said(refund)} had succeeded and failed later ({refused.code})"
        await open_exception(conn, "refund_failed", str(refund.id), detail)
        _count("refund_returned", refund)


def _count(kind: str, refund: Refund) -> None:
    after_commit(partial(MONEY.add, kind, "card", refund.currency, by=refund.amount_minor))


async def say_too_much(conn: Connection, refund: Refund, beyond_minor: int) -> None:
    """In the caller's transaction: more went back than there was, which a person has to look at."""
    detail = (
        f"{_said(refund)}: {beyond_minor} {refund.currency} more has gone back than the card was "
        "charged"
    )
    await open_exception(conn, "mismatch", str(refund.id), detail)


def _said(refund: Refund) -> str:
    known = refund.refund_id or "that the processor never showed"
    return f"a refund of {refund.amount_minor} {refund.currency} ({known})"


def match_refund(refunds: list[Refund], seen: SeenRefund) -> Refund | None:
    """Which of the refunds on record the processor's is: by its id there, else by our metadata."""
    known = (
        one for one in refunds if one.refund_id is not None and one.refund_id == seen.refund_id
    )
    ours = (one for one in refunds if str(one.id) == seen.our_id)
    return next(known, None) or next(ours, None)


async def keep_foreign_refund(
    conn: Connection, payment: Payment, seen: Refunded | RefundPending
) -> Refund | None:
    """Record a refund that somebody made at the processor, as pending; None if it is on record.

    The caller, who holds the lock of what was paid for, settles it in the same transaction.
    """
    return await store.insert_foreign_refund(
        conn,
        new_id(),
        payment,
        refund_id=seen.refund_id,
        amount_minor=seen.amount_minor,
        currency=seen.currency,
        reason=FOREIGN_REASON,
    )


async def watch_refund(db: Database, refund: Refund, now: datetime) -> None:
    """A refund whose outcome is still unknown: past an hour it goes on the list of exceptions."""
    if now - refund.created_at < rules.EXCEPTION_AFTER:
        return
    async with transaction(db) as conn:
        locked = await store.lock_refund(conn, refund.id)
        if locked is None or locked.state != "pending" or locked.refund_id is not None:
            # Settled since, or known to the processor, which takes days over some.
            return
        await open_exception(
            conn,
            "refund_unknown",
            str(refund.id),
            f"the processor's answer was lost and nothing proves yet whether {_said(refund)} "
            "was carried out",
        )
