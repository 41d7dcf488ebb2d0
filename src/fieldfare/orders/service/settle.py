"""What an order by card becomes once that is known: its part of `payments/service/settling.py`.

Nothing is priced again: lines and answer were frozen when the order was opened.
"""

from datetime import UTC, datetime
from functools import partial

from fieldfare.db.pool import Connection, after_commit
from fieldfare.notifications.service.outbox import tell
from fieldfare.orders import store
from fieldfare.orders.model import RECEIPT_TOPIC, PendingPurchase
from fieldfare.orders.rules import answer_with_charge
from fieldfare.payments.errors import PaymentOutcomeUnknown
from fieldfare.payments.model import Payment
from fieldfare.payments.service.goods import Goods, Paid
from fieldfare.telemetry.families import MONEY, ORDER_OUTCOMES


async def _write_paid(
    conn: Connection, pending: PendingPurchase, payment: Payment, charge_id: str
) -> bytes:
    await store.write_paid(conn, pending, charge_id=charge_id, paid_at=datetime.now(UTC))
    if pending.send_receipt:
        await tell(conn, RECEIPT_TOPIC, pending.id)
    after_commit(partial(ORDER_OUTCOMES.add, pending.kind, "card", "paid"))
    after_commit(partial(MONEY.add, "order", "card", payment.currency, by=payment.amount_minor))
    return answer_with_charge(pending.quote.answer, charge_id)


async def _write_failed(conn: Connection, pending: PendingPurchase) -> None:
    await store.write_failed(conn, pending.id)
    after_commit(partial(ORDER_OUTCOMES.add, pending.kind, "card", "failed"))


async def _find_paid(_: Connection, payment: Payment) -> Paid:
    assert payment.charge_id is not None, "a payment that succeeded has its charge"
    return Paid(charge_id=payment.charge_id, answer=None)


ORDERS = Goods(
    subject="purchase",
    by_card_only=False,
    unknown=PaymentOutcomeUnknown,
    lock_pending=store.lock_pending,
    write_paid=_write_paid,
    write_failed=_write_failed,
    find_paid=_find_paid,
)
