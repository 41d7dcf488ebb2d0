"""`GET /api/purchases`: an account's order groups of every kind."""

from functools import partial
from typing import Any

from litestar import Response

from fieldfare.http.call import Call
from fieldfare.impact.api.paged import Read, answer_list, read_query, showing_of
from fieldfare.impact.schemas import PurchaseList, purchase_list_row
from fieldfare.impact.service.history import HistoryDesk
from fieldfare.orders.model import PurchaseRow


async def list_purchases(call: Call[HistoryDesk]) -> Response[Any]:
    """`GET /api/purchases`."""
    asked = read_query(call.query)
    read: Read[PurchaseRow] = partial(call.desk.purchases, call.principal, asked.wanted)
    show = partial(purchase_list_row, showing=showing_of(call))
    return await answer_list(call, asked, read, show, body=PurchaseList)
