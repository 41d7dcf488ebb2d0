"""Giving a top-up back to its card, whole or in part, without its credits being spent meanwhile.

1. One transaction: the credits leave the wallet for the book `suspense`, the refund is recorded
   with its frozen request, and a timer is set. A wallet that does not hold them is refused.
2. With no transaction open: the refund, under a key of our own.
3. One transaction, guarded by the refund's state: the money is gone, or the credits come back
   (`refund_ends`).
"""

from uuid import UUID

import msgspec

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection, Database, connection, retry_deadlocks, transaction
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import Unknown
from fieldfare.kernel.currency import Currency, get_currency, minor_to_major
from fieldfare.kernel.errors import AnswerLost, Unavailable
from fieldfare.kernel.ids import parse_id
from fieldfare.kernel.money import dollars_from_cents, micro_from_cents
from fieldfare.ledger.model import Leg
from fieldfare.ledger.service.posting import change_credits, lock_wallet
from fieldfare.notifications.service.outbox import tell
from fieldfare.payments import rules, store
from fieldfare.payments.errors import (
    NotRefundable,
    RefundMaybeRecorded,
    RefundNotMade,
    RefundOutcomeUnknown,
)
from fieldfare.payments.model import Payment, Refund, Remains, Returned, TopUp
from fieldfare.payments.service.outcomes import find_payment_of
from fieldfare.payments.service.refunds import LOOK_AFTER, get_refund, open_refund, send_refund
from fieldfare.payments.service.top_ups.refund_ends import (
    UNSETTLED_TOP_UP_REFUND_TOPIC,
    settle_top_up_refund,
    settle_top_up_refund_with,
)
from fieldfare.payments.service.top_ups.returning import remains_of


class TopUpRefund(msgspec.Struct, frozen=True, kw_only=True):
    """A refund of a top-up, as it stands: `pending` only if the processor takes its time."""

    refund: Refund
    credits_cents: int
    """What left the wallet with it."""


async def find_top_up_id(conn: Connection, either_id: str) -> UUID | None:
    """The top-up that an id names: its own, or that of the processor's charge that paid for it."""
    top_up_id = parse_id(either_id)
    if top_up_id is None:
        return await store.find_top_up_of_charge(conn, either_id)
    return None if await store.find_top_up(conn, top_up_id) is None else top_up_id


async def refund_top_up(
    db: Database,
    gateway: StripeGateway,
    top_up_id: UUID,
    *,
    amount_minor: int | None,
    reason: str,
    refund_id: UUID | None = None,
) -> TopUpRefund:
    """Give `amount_minor` of the charge back, in its unit, or all that is left of it.

    The same `refund_id` again settles the first refund and tells of it. Raises `NotRefundable`,
    `RefundNotMade` if the credits are back, and `RefundOutcomeUnknown`.
    """
    refund_id = refund_id or new_id()

    async def begin() -> Refund | None:
        async with transaction(db) as conn:
            return await _open_once(conn, top_up_id, refund_id, amount_minor, reason)

    try:
        opened = await retry_deadlocks(begin)
    except AnswerLost as error:
        raise RefundMaybeRecorded(f"top-up {top_up_id}") from error
    try:
        if opened is None:
            await settle_top_up_refund(db, gateway, refund_id)
        else:
            await _send(db, gateway, opened)
        return await _ending_of(db, refund_id)
    except Unavailable as error:
        # The database went away in between; the refund is neither lost nor known.
        raise RefundOutcomeUnknown(refund_id) from error


async def _send(db: Database, gateway: StripeGateway, refund: Refund) -> None:
    """Phases two and three; whatever goes wrong now, the outcome is looked for later."""
    outcome = await send_refund(db, gateway, refund)
    if isinstance(outcome, Unknown):
        # It may have been carried out before the answer was lost: one look decides most of them.
        await settle_top_up_refund(db, gateway, refund.id)
    else:
        await settle_top_up_refund_with(db, refund, outcome, first_try=True)


async def _ending_of(db: Database, refund_id: UUID) -> TopUpRefund:
    async with connection(db) as conn:
        refund = await get_refund(conn, refund_id)
        credits_cents = await store.find_refund_credits(conn, refund_id)
    if refund.state == "failed":
        raise RefundNotMade(
            f"The card processor did not give the money back ({refund.failure_code}); the credits "
            "are in the wallet again. See to the reason, then refund again; with a key of yours, "
            "under another key."
        )
    if refund.state == "pending" and refund.refund_id is None:
        raise RefundOutcomeUnknown(refund_id)
    return TopUpRefund(refund=refund, credits_cents=credits_cents or 0)


async def _open_once(
    conn: Connection, top_up_id: UUID, refund_id: UUID, amount_minor: int | None, reason: str
) -> Refund | None:
    """Phase one; None if this very refund is on record."""
    top_up = await store.lock_top_up(conn, top_up_id)
    payment = await find_payment_of(conn, top_up_id)
    if top_up is None or payment is None or top_up.state != "paid":
        raise NotRefundable(
            "No card was charged for this top-up, so there is nothing to give back. Look at "
            "`fieldfare exceptions list` if its outcome is not known yet."
        )
    earlier = await store.find_refund(conn, refund_id)
    if earlier is not None:
        _check_same(earlier, amount_minor)
        return None
    returned = await store.find_returned(conn, payment.id)
    part = _part_asked(remains_of(top_up, payment, returned), returned, payment, amount_minor)
    await _hold_credits(conn, top_up, payment, part)
    refund = await open_refund(
        conn, payment, refund_id=refund_id, amount_minor=part.minor, reason=reason
    )
    await store.update_refund_credits(conn, refund.id, part.cents)
    await tell(conn, UNSETTLED_TOP_UP_REFUND_TOPIC, refund.id, LOOK_AFTER)
    return refund


def _check_same(earlier: Refund, amount_minor: int | None) -> None:
    """A repeat asks for what its key stands for; raises `NotRefundable`."""
    if amount_minor not in (None, earlier.amount_minor):
        currency = get_currency(earlier.currency)
        raise NotRefundable(
            f"This key stands for a refund of {_shown(earlier.amount_minor, currency)} already, "
            f"and {_shown(amount_minor, currency)} was asked for. Use another key for another "
            "refund."
        )


def _part_asked(
    remains: Remains, returned: Returned, payment: Payment, amount_minor: int | None
) -> Remains:
    """What is to go back; raises `NotRefundable`."""
    currency = get_currency(payment.currency)
    if returned.open_disputes:
        raise NotRefundable(
            "The card's owner disputes this charge, so it cannot be refunded. Answer or accept "
            "the dispute in the processor's dashboard; its end takes effect here by itself."
        )
    if returned.pending_refunds:
        raise NotRefundable(
            "A refund of this top-up is under way. Refund again once it has ended: a minute, as a "
            "rule, or as long as `fieldfare exceptions list` shows it."
        )
    if remains.minor == 0:
        raise NotRefundable("All of this top-up has gone back already; nothing is left to refund.")
    wanted = remains.minor if amount_minor is None else amount_minor
    if not 0 < wanted <= remains.minor:
        raise NotRefundable(
            f"{_shown(wanted, currency)} cannot go back: {_shown(remains.minor, currency)} are "
            "left of this top-up. Refund at most that."
        )
    if wanted % currency.step:
        raise NotRefundable(
            f"{_shown(wanted, currency)} cannot go back: amounts in {currency.code} are multiples "
            f"of {_shown(currency.step, currency)}."
        )
    return rules.part_of(wanted, remains)


async def _hold_credits(conn: Connection, top_up: TopUp, payment: Payment, part: Remains) -> None:
    wallet = await lock_wallet(conn, top_up.account_id)
    if wallet.balance_cents < part.cents:
        raise NotRefundable(
            f"This takes ${dollars_from_cents(part.cents):.2f} of credits back, and the wallet "
            f"holds ${dollars_from_cents(wallet.balance_cents):.2f}: the rest is spent. Refund a "
            "part with --amount, or refund orders that were paid with these credits first."
        )
    if part.cents:
        held = Leg(book="suspense", currency="USD", amount_micro=micro_from_cents(part.cents))
        await change_credits(
            conn,
            top_up.account_id,
            -part.cents,
            entry="refund",
            movement="refund",
            against=[held],
            group_id=None,
            description="Refunded to the card",
        )


def _shown(amount_minor: int, currency: Currency) -> str:
    return f"{minor_to_major(amount_minor, currency):.{currency.decimals}f} {currency.code}"
