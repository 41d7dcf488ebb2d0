"""A dispute about an order: while it is open the order is disputed; lost, it counts as refunded.

What was lost takes effect like a refund, of the same lines, totals and dues, only that the money
went out of the book `disputes`. What must hold: a wholly refunded order stays so, because nothing
is left that a dispute could take.
"""

from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.integrations.stripe.model import SeenDispute
from fieldfare.orders.model import NewRefund, Purchase
from fieldfare.orders.service.refunding import apply_refund, lock_purchase, set_disputed
from fieldfare.payments.model import Payment
from fieldfare.payments.rules import Step, dispute_refund
from fieldfare.payments.service.disputes import has_open_dispute, record_dispute, record_excess


async def follow_dispute_of_order(
    conn: Connection, purchase_id: UUID, payment: Payment, seen: SeenDispute
) -> tuple[Step, ...]:
    """Bring a dispute about a paid order to what the processor says; gives the steps taken now.

    In the caller's transaction, before it has locked anything of the payments or the ledger.
    """
    purchase = await lock_purchase(conn, purchase_id)
    steps = await record_dispute(conn, payment, seen)
    if "lose" in steps:
        await _lose(conn, purchase, seen)
    if steps:
        await _show(conn, purchase_id, payment)
    return steps


async def _lose(conn: Connection, purchase: Purchase, seen: SeenDispute) -> None:
    lost_minor = min(seen.amount_minor, purchase.charge_minor - purchase.refunded_minor)
    if lost_minor:
        lost = NewRefund(
            id=dispute_refund(seen.dispute_id),
            origin="dispute",
            amount_minor=lost_minor,
            reason=f"Lost dispute {seen.dispute_id} ({seen.reason})",
        )
        await apply_refund(conn, purchase, lost, book="disputes")
    await record_excess(conn, seen, lost_minor)


async def _show(conn: Connection, purchase_id: UUID, payment: Payment) -> None:
    """The order's state says whether it is disputed."""
    purchase = await lock_purchase(conn, purchase_id)
    if purchase.state != "refunded":
        disputed = await has_open_dispute(conn, payment)
        await set_disputed(conn, purchase, disputed=disputed)
