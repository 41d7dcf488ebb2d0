"""The handlers of orders: `placing` one of any kind, `looking` at prices and at what was placed."""

from fieldfare.orders.api.looking import get_order, preview_tree_order
from fieldfare.orders.api.placing import (
    place_offset_order,
    place_project_order,
    place_tree_order,
)

__all__ = [
    "get_order",
    "place_offset_order",
    "place_project_order",
    "place_tree_order",
    "preview_tree_order",
]
