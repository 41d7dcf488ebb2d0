"""What a top-up becomes once that is known: its part of `payments/service/settling.py`.

What must hold: the credits are in the wallet, and both sides of the movement in the journal, by the
commit that makes it paid. The end of a refill is told once.
"""

from functools import partial
from uuid import UUID

from fieldfare.db.pool import Connection, after_commit
from fieldfare.ledger.service.credits import get_wallet
from fieldfare.ledger.service.posting import add_top_up
from fieldfare.notifications.service.outbox import tell
from fieldfare.payments import rules, store
from fieldfare.payments.errors import TopUpOutcomeUnknown
from fieldfare.payments.model import Payment, TopUp
from fieldfare.payments.service.goods import Goods, Paid
from fieldfare.telemetry.families import MONEY

REFILL_ENDED_TOPIC = "refill_ended"
DESCRIPTION = "Credits bought by card"


async def _write_paid(conn: Connection, top_up: TopUp, payment: Payment, charge_id: str) -> bytes:
    legs = rules.card_legs(
        currency=payment.currency,
        amount_minor=payment.amount_minor,
        amount_cents=top_up.amount_cents,
    )
    entry_id, balance_cents = await add_top_up(
        conn, top_up.account_id, top_up.amount_cents, against=legs, description=DESCRIPTION
    )
    await store.update_top_up_paid(conn, top_up.id, charge_id=charge_id, entry_id=entry_id)
    await _tell_of_end(conn, top_up)
    after_commit(partial(MONEY.add, "top_up", "card", payment.currency, by=payment.amount_minor))
    return _answer(payment, charge_id, balance_cents)


async def _write_failed(conn: Connection, top_up: TopUp) -> None:
    await store.update_top_up_failed(conn, top_up.id)
    await _tell_of_end(conn, top_up)


async def _tell_of_end(conn: Connection, top_up: TopUp) -> None:
    if top_up.origin == "refill":
        await tell(conn, REFILL_ENDED_TOPIC, top_up.id)


async def _find_paid(conn: Connection, payment: Payment) -> Paid:
    """See `Goods`; the balance in its answer is today's."""
    assert payment.charge_id is not None, "a payment that succeeded has its charge"
    wallet = await get_wallet(conn, payment.account_id)
    answer = _answer(payment, payment.charge_id, wallet.balance_cents)
    return Paid(charge_id=payment.charge_id, answer=answer)


def _answer(payment: Payment, charge_id: str, balance_cents: int) -> bytes:
    return rules.top_up_answer(
        charge_minor=payment.amount_minor,
        currency=payment.currency,
        charge_id=charge_id,
        balance_cents=balance_cents,
    )


TOP_UPS = Goods(
    subject="top_up",
    by_card_only=True,
    unknown=TopUpOutcomeUnknown,
    lock_pending=store.lock_pending_top_up,
    write_paid=_write_paid,
    write_failed=_write_failed,
    find_paid=_find_paid,
)


async def find_top_up(conn: Connection, top_up_id: UUID) -> TopUp | None:
    """Credits bought by card, whatever became of them."""
    return await store.find_top_up(conn, top_up_id)
