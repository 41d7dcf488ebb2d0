"""What the outbox and the clock bring to payments: rates, top-ups to settle, refills.

Each may come twice and at any time: what it does is decided under a lock, by the row's state.
"""

from fieldfare.payments.jobs.refilling import end_refill
from fieldfare.payments.jobs.refreshing import refresh_rates_once
from fieldfare.payments.jobs.refunding import settle_unsettled_top_up_refund
from fieldfare.payments.jobs.settling import UNSETTLED_TOP_UP_TOPIC, settle_unsettled_top_up

__all__ = [
    "UNSETTLED_TOP_UP_TOPIC",
    "end_refill",
    "refresh_rates_once",
    "settle_unsettled_top_up",
    "settle_unsettled_top_up_refund",
]
