"""Finding out what became of a payment, without ever charging twice.

An answer that never came proves nothing, and neither does a search that misses. So the customer's
exact list is read; if it does not show the payment, the frozen request is sent again under its key
while the processor still knows the key; after that only the list is asked, until no request can be
under way any more.
"""

from datetime import datetime
from uuid import UUID

from fieldfare.db.pool import Connection, Database, connection, transaction
from fieldfare.integrations.stripe.gateway import (
    StripeGateway,
    cancel_intent,
    create_intent,
    find_intent,
    turn,
)
from fieldfare.integrations.stripe.model import (
    Charged,
    Declined,
    NeedsAuthentication,
    NotExecuted,
    Outcome,
    Unknown,
)
from fieldfare.payments import rules, store
from fieldfare.payments.model import Payment
from fieldfare.payments.service.exceptions import open_exception


async def send(db: Database, gateway: StripeGateway, payment: Payment) -> Outcome:
    """Send the frozen request of a payment that the caller has leased; gives what is proven."""
    outcome = await create_intent(gateway, payment.request, payment.processor_key)
    outcome = await _closed(gateway, outcome)
    if isinstance(outcome, Unknown):
        async with connection(db) as conn:
            await release(conn, payment)
    return outcome


async def find_out(
    db: Database, gateway: StripeGateway, payment: Payment, now: datetime
) -> Outcome:
    """What became of a payment that was sent before; `Unknown` as long as nothing proves it."""
    found = await find_intent(
        gateway,
        customer=payment.customer,
        created_from=payment.first_sent_at - rules.LIST_SLACK,
        subject_id=str(payment.subject_id),
    )
    if found is not None:
        return await _closed(gateway, found)
    if rules.may_send_again(payment, now):
        return await _send_again(db, gateway, payment)
    if rules.is_lost(payment, now):
        return Declined(code="never_carried_out", intent_id=None)
    return Unknown(reason="no list shows it, and its key is too old to send it again")


async def _send_again(db: Database, gateway: StripeGateway, payment: Payment) -> Outcome:
    # The lease, and the instant that it was sent at, count from when it goes out.
    async with turn(gateway, is_begun=True):
        async with transaction(db) as conn:
            leased = await store.lease_payment(
                conn, payment.id, lease=rules.REQUEST_LEASE, resend_within=rules.RESEND_WITHIN
            )
        if not leased:
            return Unknown(reason="somebody else settled it, or waits for its answer")
        outcome = await send(db, gateway, payment)
    if not isinstance(outcome, NotExecuted):
        return outcome
    # This try did not begin; that says nothing of the earlier ones.
    async with connection(db) as conn:
        await release(conn, payment)
    return Unknown(reason=f"not sent again: {outcome.reason}")


async def _closed(gateway: StripeGateway, outcome: Outcome) -> Outcome:
    """The outcome once nobody can turn it round: an intent left open is cancelled first."""
    match outcome:
        case NeedsAuthentication(intent_id=intent_id):
            code = "authentication_required"
        case Declined(code=code, intent_id=str() as intent_id):
            pass
        case _:
            return outcome
    if await cancel_intent(gateway, intent_id):
        return Declined(code=code, intent_id=None)
    return Unknown(reason=f"{code}, but its intent is not closed yet")


async def find_payment_of(conn: Connection, subject_id: UUID) -> Payment | None:
    """The payment for a purchase or a top-up."""
    return await store.find_payment_of(conn, subject_id)


async def release(conn: Connection, payment: Payment) -> None:
    """Nobody waits for its answer any longer; a retry may look for it."""
    await store.update_payment_released(conn, payment.id)


async def lock_sent_again(conn: Connection, payment: Payment) -> bool:
    """Whether the request went out more than once; until the transaction ends it cannot again."""
    return await store.lock_sent_again(conn, payment.id)


async def is_what_was_asked(conn: Connection, payment: Payment, charged: Charged) -> bool:
    """In the caller's transaction: whether a charge may settle a payment.

    One that differs goes on the list of exceptions, and nobody waits for its answer any longer.
    """
    differences = rules.mismatches(
        payment,
        amount_minor=charged.amount_minor,
        currency=charged.currency,
        customer=charged.customer,
        subject_id=charged.subject_id,
    )
    if differences:
        detail = f"charge {charged.charge_id}: {'; '.join(differences)}"
        await open_exception(conn, "mismatch", str(payment.subject_id), detail)
        await release(conn, payment)
    return not differences


async def open_unknown(conn: Connection, subject_id: UUID) -> None:
    """Put a purchase or a top-up whose outcome is still unknown on the list of exceptions."""
    await open_exception(
        conn,
        "outcome_unknown",
        str(subject_id),
        "the processor's answer was lost and nothing proves yet whether the card was charged",
    )


async def record_charged(conn: Connection, payment: Payment, charged: Charged) -> None:
    """In the caller's transaction: it was charged, and whatever was open about it is settled."""
    await store.update_payment_succeeded(
        conn, payment.id, intent_id=charged.intent_id, charge_id=charged.charge_id
    )
    await store.resolve_exceptions(conn, str(payment.subject_id), "charged")


async def record_failed(conn: Connection, payment: Payment, code: str) -> None:
    """In the caller's transaction: it was certainly not charged."""
    await store.update_payment_failed(conn, payment.id, code)
    await store.resolve_exceptions(conn, str(payment.subject_id), f"not charged: {code}")
