"""`GET /api/tree-orders`: an account's tree orders."""

from functools import partial
from typing import Any

from litestar import Response

from fieldfare.http.call import Call
from fieldfare.impact.api.paged import Read, answer_list, read_query, showing_of
from fieldfare.impact.schemas import TreeOrderList, tree_order_row
from fieldfare.impact.service.history import HistoryDesk
from fieldfare.orders.model import LineRow


async def list_tree_orders(call: Call[HistoryDesk]) -> Response[Any]:
    """`GET /api/tree-orders`."""
    asked = read_query(call.query)
    catalogue = await call.desk.catalogue()
    read: Read[LineRow] = partial(call.desk.lines, call.principal, "tree", asked.wanted)
    show = partial(tree_order_row, catalogue=catalogue, showing=showing_of(call))
    return await answer_list(call, asked, read, show, body=TreeOrderList)
