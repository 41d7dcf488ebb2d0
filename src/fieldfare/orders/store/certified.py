"""What a certificate is made of."""

from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.orders.model import CertifiedLine, CertifiedOrder

_queries = load_queries(__file__)


async def find_purchase_of_slug(conn: Connection, slug: UUID) -> UUID | None:
    """The purchase whose certificate has this public address."""
    found: UUID | None = await _queries.find_purchase_of_slug(conn, slug=slug)
    return found


async def find_certified_order(conn: Connection, purchase_id: UUID) -> CertifiedOrder | None:
    """A paid purchase with its lines; None if there is none of that id, or it is not paid."""
    rows = [row async for row in _queries.list_certified_lines(conn, purchase_id=purchase_id)]
    if not rows:
        return None
    fields = {name: rows[0][name] for name in CertifiedOrder.__struct_fields__ if name != "lines"}
    lines = tuple(
        CertifiedLine(**{name: row[name] for name in CertifiedLine.__struct_fields__})
        for row in rows
    )
    return CertifiedOrder(**fields, lines=lines)
