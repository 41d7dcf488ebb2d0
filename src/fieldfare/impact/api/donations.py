"""`GET /api/project-donations`: an account's donations, a portfolio's parts among them."""

from functools import partial
from typing import Any

from litestar import Response

from fieldfare.http.call import Call
from fieldfare.impact.api.paged import Read, answer_list, read_query, showing_of
from fieldfare.impact.schemas import project_donation_row
from fieldfare.impact.service.history import HistoryDesk
from fieldfare.orders.model import LineRow


async def list_project_donations(call: Call[HistoryDesk]) -> Response[Any]:
    """`GET /api/project-donations`: a bare array."""
    asked = read_query(call.query)
    read: Read[LineRow] = partial(call.desk.lines, call.principal, "donation", asked.wanted)
    return await answer_list(
        call, asked, read, partial(project_donation_row, showing=showing_of(call))
    )
