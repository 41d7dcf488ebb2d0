"""The orders' decisions, all pure: `quoting` prices and splits, `answering` says so."""

from fieldfare.orders.rules.answering import (
    EMPTY_ID,
    answer_parts,
    answer_with_charge,
    describe,
    freeze,
)
from fieldfare.orders.rules.quoting import (
    CARD_MINIMUM_CENTS,
    WHOLE_CENTS_FROM,
    billed_micros,
    partner_part_micro,
    price_cents,
    quote_offset,
    smallest_mass_mg,
    split_offset,
)

__all__ = [
    "CARD_MINIMUM_CENTS",
    "EMPTY_ID",
    "WHOLE_CENTS_FROM",
    "answer_parts",
    "answer_with_charge",
    "billed_micros",
    "describe",
    "freeze",
    "partner_part_micro",
    "price_cents",
    "quote_offset",
    "smallest_mass_mg",
    "split_offset",
]
