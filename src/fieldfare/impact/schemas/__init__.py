"""Impact on the wire: a module for each list, `showing` for what they share, `feed` for all."""

from fieldfare.impact.schemas.donations import ProjectDonationRow, project_donation_row
from fieldfare.impact.schemas.feed import FeedRow, feed_row
from fieldfare.impact.schemas.offsets import (
    OffsetOrderList,
    OffsetOrderRow,
    StatsBody,
    offset_order_row,
    stats_body,
)
from fieldfare.impact.schemas.purchases import PurchaseList, PurchaseListRow, purchase_list_row
from fieldfare.impact.schemas.showing import Showing
from fieldfare.impact.schemas.trees import TreeOrderList, TreeOrderRow, tree_order_row

__all__ = [
    "FeedRow",
    "OffsetOrderList",
    "OffsetOrderRow",
    "ProjectDonationRow",
    "PurchaseList",
    "PurchaseListRow",
    "Showing",
    "StatsBody",
    "TreeOrderList",
    "TreeOrderRow",
    "feed_row",
    "offset_order_row",
    "project_donation_row",
    "purchase_list_row",
    "stats_body",
    "tree_order_row",
]
