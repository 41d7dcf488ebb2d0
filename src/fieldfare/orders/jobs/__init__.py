"""What the outbox and the clock bring to orders: a payment to settle, an event of the processor.

Each may come twice and at any time: what it does is decided under the purchase's lock, by its
state, in the transaction of the effect.
"""

from fieldfare.orders.jobs.events import work_event
from fieldfare.orders.jobs.reconciling import reconcile
from fieldfare.orders.jobs.refilling import refill_after
from fieldfare.orders.jobs.refunding import settle_unsettled_refund
from fieldfare.orders.jobs.settling import UNSETTLED_TOPIC, settle_unsettled

__all__ = [
    "UNSETTLED_TOPIC",
    "reconcile",
    "refill_after",
    "settle_unsettled",
    "settle_unsettled_refund",
    "work_event",
]
