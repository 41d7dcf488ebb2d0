"""An order on its way from what was asked to what is recorded."""

from fieldfare.orders.model.asking import (
    OffsetRequest,
    OrderRequest,
    Party,
    ProjectRequest,
    TreeRequest,
)
from fieldfare.orders.model.charging import CardOrder, FrozenLine, FrozenQuote, PendingPurchase
from fieldfare.orders.model.kinds import (
    RECEIPT_TOPIC,
    REFILL_TOPIC,
    LineKind,
    OrderKind,
    PaymentMethod,
    PurchaseState,
    RefundOrigin,
    RefundState,
)
from fieldfare.orders.model.listing import (
    EARLIEST,
    ID_SLACK,
    LATEST,
    LineRow,
    PurchaseRow,
    RecentPurchase,
    RowsWanted,
)
from fieldfare.orders.model.quoting import AnswerParts, Order, Quote, Share
from fieldfare.orders.model.recorded import BilledLine, ErasedParties, Purchase, ReceiptFacts
from fieldfare.orders.model.refunding import (
    LinePart,
    NewRefund,
    OrderRefund,
    RefundRequest,
    RefundSplit,
    RefundUse,
    StandingLine,
)

__all__ = [
    "EARLIEST",
    "ID_SLACK",
    "LATEST",
    "RECEIPT_TOPIC",
    "REFILL_TOPIC",
    "AnswerParts",
    "BilledLine",
    "CardOrder",
    "ErasedParties",
    "FrozenLine",
    "FrozenQuote",
    "LineKind",
    "LinePart",
    "LineRow",
    "NewRefund",
    "OffsetRequest",
    "Order",
    "OrderKind",
    "OrderRefund",
    "OrderRequest",
    "Party",
    "PaymentMethod",
    "PendingPurchase",
    "ProjectRequest",
    "Purchase",
    "PurchaseRow",
    "PurchaseState",
    "Quote",
    "ReceiptFacts",
    "RecentPurchase",
    "RefundOrigin",
    "RefundRequest",
    "RefundSplit",
    "RefundState",
    "RefundUse",
    "RowsWanted",
    "Share",
    "StandingLine",
    "TreeRequest",
]
