"""Credits bought by card, for a request or as a refill: charged once and credited once."""

from fieldfare.payments.service.top_ups.charging import charge_top_up, find_first_top_up
from fieldfare.payments.service.top_ups.desk import LiveTopUpDesk, TopUpDesk
from fieldfare.payments.service.top_ups.settling import (
    REFILL_ENDED_TOPIC,
    find_top_up,
    settle_top_up,
    watch_top_up,
)

__all__ = [
    "REFILL_ENDED_TOPIC",
    "LiveTopUpDesk",
    "TopUpDesk",
    "charge_top_up",
    "find_first_top_up",
    "find_top_up",
    "settle_top_up",
    "watch_top_up",
]
