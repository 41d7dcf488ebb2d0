"""The orders' decisions, all pure.

`quoting` prices an order of each kind (what it costs: `pricing`; what may be charged: `bounds`; who
gets what of it: `splitting`), `answering` says so, `refunding` takes it apart again.
"""

from fieldfare.orders.rules.answering import (
    EMPTY_ID,
    answer_parts,
    answer_with_charge,
    describe,
    freeze,
)
from fieldfare.orders.rules.bounds import MAX_PRICE_CENTS
from fieldfare.orders.rules.pricing import (
    bought_mass_mg,
    largest_amount_cents,
    price_cents,
    smallest_mass_mg,
    smallest_trees,
    tree_price_cents,
)
from fieldfare.orders.rules.quoting import (
    CARD_MINIMUM_CENTS,
    mass_of_project_mg,
    price_of_trees,
    quote_offset,
    quote_project,
    quote_trees,
)
from fieldfare.orders.rules.refunding import (
    asked_minor,
    check_same_request,
    describe_refund,
    refundable_minor,
    split_refund,
    state_of,
    use_of_refund,
)
from fieldfare.orders.rules.splitting import (
    WHOLE_CENTS_FROM,
    billed_micros,
    partner_part_micro,
    split_offset,
    whole_share,
)

__all__ = [
    "CARD_MINIMUM_CENTS",
    "EMPTY_ID",
    "MAX_PRICE_CENTS",
    "WHOLE_CENTS_FROM",
    "answer_parts",
    "answer_with_charge",
    "asked_minor",
    "billed_micros",
    "bought_mass_mg",
    "check_same_request",
    "describe",
    "describe_refund",
    "freeze",
    "largest_amount_cents",
    "mass_of_project_mg",
    "partner_part_micro",
    "price_cents",
    "price_of_trees",
    "quote_offset",
    "quote_project",
    "quote_trees",
    "refundable_minor",
    "smallest_mass_mg",
    "smallest_trees",
    "split_offset",
    "split_refund",
    "state_of",
    "tree_price_cents",
    "use_of_refund",
    "whole_share",
]
