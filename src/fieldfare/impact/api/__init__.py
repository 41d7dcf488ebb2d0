"""The handlers of impact: an account's order lists, and the feed that everybody sees."""

from fieldfare.impact.api.feed import list_public_offset_orders
from fieldfare.impact.api.history import list_offset_orders

__all__ = ["list_offset_orders", "list_public_offset_orders"]
