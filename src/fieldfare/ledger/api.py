"""`/api/credits`: what an account holds, and how it came to be."""

from litestar import Response

from fieldfare.http.answers import json_answer
from fieldfare.http.call import Call
from fieldfare.http.paging import whole_parameter
from fieldfare.kernel import limits
from fieldfare.ledger.schemas import balance_body, entries_body
from fieldfare.ledger.service.credits import CreditDesk

MAX_OFFSET = 999_999_999


async def get_balance(call: Call[CreditDesk]) -> Response[bytes]:
    """`GET /api/credits/balance`."""
    wallet = await call.desk.wallet(call.principal)
    return json_answer(balance_body(wallet, test=call.principal.is_test))


async def list_ledger(call: Call[CreditDesk]) -> Response[bytes]:
    """`GET /api/credits/ledger?limit=50&offset=0`."""
    limit = whole_parameter(
        call.query,
        "limit",
        low=1,
        high=limits.LEDGER_PAGE_ROWS,
        default=limits.LEDGER_PAGE_DEFAULT_ROWS,
    )
    offset = whole_parameter(call.query, "offset", low=0, high=MAX_OFFSET, default=0)
    page = await call.desk.entries(call.principal, limit=limit, offset=offset)
    return json_answer(entries_body(page, test=call.principal.is_test))
