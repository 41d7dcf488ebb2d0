"""The handlers of impact: an account's order lists, the public feed, certificates."""

from fieldfare.impact.api.certificates import (
    get_certificate,
    get_state_of_number,
    list_certificate_keys,
    verify_at_address,
    verify_document,
)
from fieldfare.impact.api.donations import list_project_donations
from fieldfare.impact.api.feed import find_ready_feed, list_public_offset_orders
from fieldfare.impact.api.offsets import list_offset_orders
from fieldfare.impact.api.purchases import list_purchases
from fieldfare.impact.api.trees import list_tree_orders

__all__ = [
    "find_ready_feed",
    "get_certificate",
    "get_state_of_number",
    "list_certificate_keys",
    "list_offset_orders",
    "list_project_donations",
    "list_public_offset_orders",
    "list_purchases",
    "list_tree_orders",
    "verify_at_address",
    "verify_document",
]
