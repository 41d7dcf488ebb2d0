"""What of an order goes back, and what that leaves of its lines."""

from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.orders.model import (
    NewRefund,
    OrderRefund,
    Purchase,
    PurchaseState,
    RefundSplit,
    StandingLine,
)
from fieldfare.orders.store.totals import add_impact

_queries = load_queries(__file__)


async def insert_refund(
    conn: Connection, refund_id: UUID, purchase: Purchase, refund: NewRefund
) -> None:
    """Record a refund that is on its way."""
    await _queries.insert_refund(
        conn,
        id=refund_id,
        purchase_id=purchase.id,
        account_id=purchase.account_id,
        origin=refund.origin,
        amount_minor=refund.amount_minor,
        currency=purchase.currency,
        reason=refund.reason,
        request_key=refund.request_key,
    )


async def write_refund(
    conn: Connection, refund_id: UUID, purchase: Purchase, refund: NewRefund, split: RefundSplit
) -> None:
    """A refund that takes effect: its row, its parts of the lines, and the account's totals."""
    await _queries.write_refund(
        conn,
        id=refund_id,
        purchase_id=purchase.id,
        account_id=purchase.account_id,
        origin=refund.origin,
        amount_minor=refund.amount_minor,
        currency=purchase.currency,
        amount_micro=split.amount_micro,
        mass_mg=split.mass_mg,
        trees=split.trees,
        reason=refund.reason,
        request_key=refund.request_key,
    )
    columns = {
        "line_ids": [part.line.id for part in split.parts],
        "masses_mg": [part.mass_mg for part in split.parts],
        "trees": [part.trees for part in split.parts],
        "amounts_micro": [part.amount_micro for part in split.parts],
    }
    await _queries.insert_refund_lines(
        conn,
        refund_id=refund_id,
        project_ids=[part.line.project_id for part in split.parts],
        partner_ids=[part.line.partner_id for part in split.parts],
        partner_micros=[part.partner_micro for part in split.parts],
        **columns,
    )
    is_whole = purchase.refunded_minor + refund.amount_minor == purchase.charge_minor
    await _queries.update_lines_refunded(conn, is_whole=is_whole, **columns)
    await add_impact(
        conn,
        purchase.account_id,
        certified_mg=-split.certified_mg,
        trees=-split.trees,
    )


async def update_refund_failed(conn: Connection, refund_id: UUID, failure_code: str) -> None:
    """A pending refund certainly came to nothing."""
    await _queries.update_refund_failed(conn, id=refund_id, failure_code=failure_code)


async def update_purchase_refunded(
    conn: Connection, purchase_id: UUID, *, refunded_minor: int, state: PurchaseState
) -> None:
    """How much of a paid purchase is back, and the state that leaves."""
    await _queries.update_purchase_refunded(
        conn, purchase_id=purchase_id, refunded_minor=refunded_minor, state=state
    )


async def find_refund(conn: Connection, refund_id: UUID) -> OrderRefund | None:
    """A refund of an order."""
    row = await _queries.find_refund(conn, id=refund_id)
    return None if row is None else OrderRefund(**row)


async def find_refund_of_key(
    conn: Connection, purchase_id: UUID, request_key: str
) -> OrderRefund | None:
    """The refund of a purchase that somebody asked for under this name."""
    row = await _queries.find_refund_of_key(conn, purchase_id=purchase_id, request_key=request_key)
    return None if row is None else OrderRefund(**row)


async def list_refunds(conn: Connection, purchase_id: UUID) -> list[OrderRefund]:
    """The refunds of a purchase, oldest first."""
    rows = _queries.list_refunds(conn, purchase_id=purchase_id)
    return [OrderRefund(**row) async for row in rows]


async def sum_pending_refunds(conn: Connection, purchase_id: UUID) -> int:
    """Of a purchase, what is on its way back in the charge's unit."""
    pending_minor: int = await _queries.sum_pending_refunds(conn, purchase_id=purchase_id)
    return pending_minor


async def list_standing_lines(conn: Connection, purchase_id: UUID) -> list[StandingLine]:
    """What of a purchase's lines was not refunded yet, by project."""
    rows = _queries.list_standing_lines(conn, purchase_id=purchase_id)
    return [StandingLine(**row) async for row in rows]
