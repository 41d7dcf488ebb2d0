"""`/api/offset-orders` (placing) and `/api/orders/{purchaseId}`."""

from litestar import Response

from fieldfare.catalog.service import get_portfolio
from fieldfare.http.answers import bytes_answer, json_answer
from fieldfare.http.call import Call
from fieldfare.http.idempotency import RequestKey, StoredAnswer, replay
from fieldfare.kernel.errors import ProblemError
from fieldfare.ledger.errors import InsufficientCredits
from fieldfare.orders.model import OffsetRequest, Quote
from fieldfare.orders.rules import quote_offset
from fieldfare.orders.schemas import offset_order_answer, purchase_body, read_offset_order
from fieldfare.orders.service.desk import OrderDesk, OrderNames
from fieldfare.payments.rules import IN_DOLLARS

DRY_RUN = OrderNames(group_id=None, purchase_id=None, certificate_url=None)


async def place_offset_order(call: Call[OrderDesk]) -> Response[bytes]:
    """`POST /api/offset-orders`."""
    call.require_writer()
    asked = read_offset_order(await call.fields())
    if asked.dry_run:
        return await _try_offset_order(call, asked)
    key = None if call.principal.is_test else call.key(asked)
    try:
        quote = await _quote_offset(call, asked)
    except ProblemError:
        # It would be refused now, but the first request with this key may have gone through.
        stored = await call.desk.find_answer(key) if key else None
        if stored is None:
            raise
        return replay(stored)
    return await _place_offset_order(call, asked, quote, key)


async def _place_offset_order(
    call: Call[OrderDesk], asked: OffsetRequest, quote: Quote, key: RequestKey | None
) -> Response[bytes]:
    order = call.desk.draw(call.principal, quote, asked.party, receipt=asked.send_receipt)
    answer = offset_order_answer(
        quote,
        call.desk.names(order),
        public_url=call.desk.public_url,
        credits_remaining=0,
        test=call.principal.is_test,
    )
    placed = await call.desk.place(call.principal, order, answer, key)
    return replay(placed) if isinstance(placed, StoredAnswer) else bytes_answer(placed)


async def _try_offset_order(call: Call[OrderDesk], asked: OffsetRequest) -> Response[bytes]:
    """Every check but the card's, and what would be charged and remain."""
    quote = await _quote_offset(call, asked)
    remaining = 0
    if quote.payment_method == "credits":
        balance = (await call.desk.wallet(call.principal)).balance_cents
        remaining = balance - quote.amount_cents
        if remaining < 0:
            raise InsufficientCredits(needed_cents=quote.amount_cents, balance_cents=balance)
    answer = offset_order_answer(
        quote,
        DRY_RUN,
        public_url=call.desk.public_url,
        credits_remaining=remaining,
        test=call.principal.is_test,
    )
    return bytes_answer(answer)


async def _quote_offset(call: Call[OrderDesk], asked: OffsetRequest) -> Quote:
    catalogue = await call.desk.catalogue()
    portfolio = get_portfolio(catalogue, asked.portfolio_id, call.principal.account_id)
    on_credit = asked.payment_method == "credits"
    exchange = IN_DOLLARS if on_credit else await call.desk.exchange(call.principal)
    return quote_offset(asked, portfolio, exchange, price_revision=catalogue.revision)


async def get_order(call: Call[OrderDesk]) -> Response[bytes]:
    """`GET /api/orders/{purchaseId}`."""
    purchase_id = call.request.path_params["purchase_id"]
    purchase = await call.desk.purchase(call.principal, purchase_id)
    names = call.desk.purchase_names(purchase)
    return json_answer(purchase_body(purchase, names, test=call.principal.is_test))
