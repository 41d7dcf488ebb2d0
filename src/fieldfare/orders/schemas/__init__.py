"""Orders on the wire: `reading` what a client sends, `answers` what it is answered."""

from fieldfare.orders.schemas.answers import (
    order_answer,
    purchase_body,
    tree_preview_body,
)
from fieldfare.orders.schemas.reading import (
    read_offset_order,
    read_project_order,
    read_tree_order,
    read_trees,
)

__all__ = [
    "order_answer",
    "purchase_body",
    "read_offset_order",
    "read_project_order",
    "read_tree_order",
    "read_trees",
    "tree_preview_body",
]
