"""An order that waits for its card: what it becomes once that is known."""

from datetime import datetime
from uuid import UUID

import msgspec

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.orders.model import FrozenQuote, PendingPurchase
from fieldfare.orders.store.totals import add_impact

_queries = load_queries(__file__)


async def lock_pending(conn: Connection, purchase_id: UUID) -> PendingPurchase | None:
    """An order that is not settled yet, locked; None if it is."""
    row = await _queries.lock_pending(conn, purchase_id=purchase_id)
    if row is None:
        return None
    fields = dict(row)
    return PendingPurchase(**{**fields, "quote": msgspec.convert(fields["quote"], FrozenQuote)})


async def write_paid(
    conn: Connection, pending: PendingPurchase, *, charge_id: str, paid_at: datetime
) -> None:
    """The order's lines, its state, its charge and its account's totals."""
    lines = [{"id": str(new_id()), **msgspec.to_builtins(line)} for line in pending.quote.lines]
    await _queries.insert_lines(
        conn,
        purchase_id=pending.id,
        account_id=pending.account_id,
        lines=lines,
        paid_at=paid_at,
    )
    await _queries.update_paid(conn, purchase_id=pending.id, charge_id=charge_id, paid_at=paid_at)
    await _queries.insert_charge(conn, charge_id=charge_id, purchase_id=pending.id)
    await add_impact(
        conn,
        pending.account_id,
        certified_mg=pending.quote.certified_mg,
        trees=pending.trees,
    )


async def write_failed(conn: Connection, purchase_id: UUID) -> None:
    """The order was certainly not paid."""
    await _queries.update_failed(conn, purchase_id=purchase_id)
