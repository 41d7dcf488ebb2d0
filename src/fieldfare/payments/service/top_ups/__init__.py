"""Credits bought by card, for a request or as a refill: charged once and credited once."""

from fieldfare.payments.service.top_ups.charging import charge_top_up
from fieldfare.payments.service.top_ups.desk import LiveTopUpDesk, TopUpDesk
from fieldfare.payments.service.top_ups.settling import (
    REFILL_ENDED_TOPIC,
    TOP_UPS,
    find_top_up,
)

__all__ = [
    "REFILL_ENDED_TOPIC",
    "TOP_UPS",
    "LiveTopUpDesk",
    "TopUpDesk",
    "charge_top_up",
    "find_top_up",
]
