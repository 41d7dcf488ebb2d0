"""The catalogue's decisions, all pure.

`pricing` what a tonne costs and whose share it is; `changes` what a change may be and does;
`proof` the rows held against the changes that were asked for.
"""

from fieldfare.catalog.rules.changes import (
    apply_change,
    change_to,
    check_new_price,
    check_rows,
    refused_prices,
)
from fieldfare.catalog.rules.pricing import (
    build_catalogue,
    check_weights,
    cost_per_ton_cents,
    mass_weights,
    next_change,
    price_at,
)
from fieldfare.catalog.rules.proof import list_disagreements

__all__ = [
    "apply_change",
    "build_catalogue",
    "change_to",
    "check_new_price",
    "check_rows",
    "check_weights",
    "cost_per_ton_cents",
    "list_disagreements",
    "mass_weights",
    "next_change",
    "price_at",
    "refused_prices",
]
