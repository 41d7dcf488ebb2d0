"""`POST /api/offset-orders`, `/api/tree-orders` and `/api/project-orders`: one path for every kind.

A kind has a reader of its body and a pure quote; decoding, trying, placing, replaying and what is
answered are the same for all of them, live and in test mode.
"""

from collections.abc import Callable
from typing import TypeVar

from litestar import Response

from fieldfare.catalog.model import Catalogue
from fieldfare.catalog.service import get_portfolio, get_project, get_tree_provider
from fieldfare.http.answers import bytes_answer, replay
from fieldfare.http.body import Fields
from fieldfare.http.call import Call
from fieldfare.http.idempotency import RequestKey, StoredAnswer
from fieldfare.kernel.errors import ProblemError
from fieldfare.ledger.errors import InsufficientCredits
from fieldfare.orders.model import (
    OffsetRequest,
    OrderRequest,
    ProjectRequest,
    Quote,
    TreeRequest,
)
from fieldfare.orders.rules import quote_offset, quote_project, quote_trees
from fieldfare.orders.schemas import (
    order_answer,
    read_offset_order,
    read_project_order,
    read_tree_order,
)
from fieldfare.orders.service.desk import OrderDesk, OrderNames
from fieldfare.payments.model import Exchange
from fieldfare.payments.rules import IN_DOLLARS

DRY_RUN = OrderNames(group_id=None, purchase_id=None, certificate_url=None)

RequestT = TypeVar("RequestT", bound=OrderRequest)
Read = Callable[[Fields], RequestT]
Price = Callable[[RequestT, Catalogue, int, Exchange], Quote]
"""From what is asked, what is sold, to which account, and what it is charged in."""


async def place_offset_order(call: Call[OrderDesk]) -> Response[bytes]:
    """`POST /api/offset-orders`."""
    return await _order(call, read_offset_order, _price_offset)


async def place_tree_order(call: Call[OrderDesk]) -> Response[bytes]:
    """`POST /api/tree-orders`."""
    return await _order(call, read_tree_order, _price_trees)


async def place_project_order(call: Call[OrderDesk]) -> Response[bytes]:
    """`POST /api/project-orders`."""
    return await _order(call, read_project_order, _price_project)


def _price_offset(
    asked: OffsetRequest, catalogue: Catalogue, account_id: int, exchange: Exchange
) -> Quote:
    portfolio = get_portfolio(catalogue, asked.portfolio_id, account_id)
    return quote_offset(asked, portfolio, exchange, price_revision=catalogue.revision)


def _price_trees(
    asked: TreeRequest, catalogue: Catalogue, account_id: int, exchange: Exchange
) -> Quote:
    provider = get_tree_provider(catalogue)
    return quote_trees(asked, provider, exchange, price_revision=catalogue.revision)


def _price_project(
    asked: ProjectRequest, catalogue: Catalogue, account_id: int, exchange: Exchange
) -> Quote:
    project = get_project(catalogue, asked.project_id)
    return quote_project(asked, project, exchange, price_revision=catalogue.revision)


async def _order(
    call: Call[OrderDesk], read: Read[RequestT], price: Price[RequestT]
) -> Response[bytes]:
    call.require_writer()
    asked = read(await call.fields())
    if asked.dry_run:
        return await _try(call, await _quote(call, asked, price))
    key = None if call.principal.is_test else call.key(asked)
    quote = await _quote_or_find(call, asked, price, key)
    if isinstance(quote, StoredAnswer):
        return replay(quote)
    if quote.payment_method == "stripe":
        return await _place_in_turn(call, asked, price, key)
    return await _place(call, asked, quote, key)


async def _place_in_turn(
    call: Call[OrderDesk], asked: RequestT, price: Price[RequestT], key: RequestKey | None
) -> Response[bytes]:
    """By card: it may wait for minutes until the processor can be asked, and is priced only then.

    What it would be refused for was said before; so is what was answered to it.
    """
    stored = await call.desk.find_answer(key) if key else None
    if stored is not None:
        return replay(stored)
    async with call.desk.turn(call.principal, call.leaving):
        quote = await _quote_or_find(call, asked, price, key)
        if isinstance(quote, StoredAnswer):
            return replay(quote)
        return await _place(call, asked, quote, key)


async def _quote_or_find(
    call: Call[OrderDesk], asked: RequestT, price: Price[RequestT], key: RequestKey | None
) -> Quote | StoredAnswer:
    try:
        return await _quote(call, asked, price)
    except ProblemError:
        # It would be refused now, but the first request with this key may have gone through.
        stored = await call.desk.find_answer(key) if key else None
        if stored is None:
            raise
        return stored


async def _quote(call: Call[OrderDesk], asked: RequestT, price: Price[RequestT]) -> Quote:
    catalogue = await call.desk.catalogue()
    on_credit = asked.payment_method == "credits"
    exchange = IN_DOLLARS if on_credit else await call.desk.exchange(call.principal)
    return price(asked, catalogue, call.principal.account_id, exchange)


async def _place(
    call: Call[OrderDesk], asked: OrderRequest, quote: Quote, key: RequestKey | None
) -> Response[bytes]:
    order = call.desk.draw(call.principal, quote, asked.party, receipt=asked.send_receipt)
    answer = _answer(call, quote, call.desk.names(order), credits_remaining=0)
    placed = await call.desk.place(call.principal, order, answer, key)
    return replay(placed) if isinstance(placed, StoredAnswer) else bytes_answer(placed)


async def _try(call: Call[OrderDesk], quote: Quote) -> Response[bytes]:
    """Every check but the card's, and what would be charged and remain."""
    remaining = 0
    if quote.payment_method == "credits":
        balance = (await call.desk.wallet(call.principal)).balance_cents
        remaining = balance - quote.amount_cents
        if remaining < 0:
            raise InsufficientCredits(needed_cents=quote.amount_cents, balance_cents=balance)
    return bytes_answer(_answer(call, quote, DRY_RUN, credits_remaining=remaining))


def _answer(
    call: Call[OrderDesk], quote: Quote, names: OrderNames, *, credits_remaining: int
) -> bytes:
    return order_answer(
        quote,
        names,
        public_url=call.desk.public_url,
        credits_remaining=credits_remaining,
        test=call.principal.is_test,
    )
