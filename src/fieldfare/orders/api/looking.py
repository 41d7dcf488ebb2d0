"""`POST /api/tree-orders/preview` and `GET /api/orders/{purchaseId}`: they change nothing."""

from litestar import Response

from fieldfare.catalog.service import get_tree_provider
from fieldfare.http.answers import json_answer
from fieldfare.http.call import Call
from fieldfare.kernel.currency import charge_minor
from fieldfare.orders.rules import price_of_trees
from fieldfare.orders.schemas import purchase_body, read_trees, tree_preview_body
from fieldfare.orders.service.desk import OrderDesk


async def preview_tree_order(call: Call[OrderDesk]) -> Response[bytes]:
    """`POST /api/tree-orders/preview`: what an order would charge, in dollars and by card.

    It is no write, so anybody with a token may ask. A card's own bounds are not held against it:
    the same trees can be paid from credits.
    """
    trees = read_trees(await call.fields())
    amount_cents = price_of_trees(trees, get_tree_provider(await call.desk.catalogue()))
    exchange = await call.desk.exchange(call.principal)
    preview = tree_preview_body(
        trees,
        amount_cents=amount_cents,
        charge_minor=charge_minor(amount_cents, exchange.rate, exchange.currency),
        exchange=exchange,
        test=call.principal.is_test,
    )
    return json_answer(preview)


async def get_order(call: Call[OrderDesk]) -> Response[bytes]:
    """`GET /api/orders/{purchaseId}`."""
    purchase_id = call.request.path_params["purchase_id"]
    purchase = await call.desk.purchase(call.principal, purchase_id)
    refunds = await call.desk.refunds(purchase)
    names = call.desk.purchase_names(purchase)
    return json_answer(purchase_body(purchase, refunds, names, test=call.principal.is_test))
