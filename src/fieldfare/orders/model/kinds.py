"""The words for what an order is, where it stands, and what it tells of itself."""

from typing import Literal

RECEIPT_TOPIC = "receipt_due"
REFILL_TOPIC = "refill_due"

OrderKind = Literal["offset", "tree", "project"]
LineKind = Literal["offset", "tree", "donation"]
PaymentMethod = Literal["stripe", "credits"]
PurchaseState = Literal["pending", "paid", "partly_refunded", "refunded", "disputed", "failed"]
RefundOrigin = Literal["operator", "processor", "dispute"]
RefundState = Literal["pending", "succeeded", "failed"]
