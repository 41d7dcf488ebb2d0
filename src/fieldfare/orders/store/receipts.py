"""What a receipt is made of."""

from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.orders.model import BilledLine, ReceiptFacts

_queries = load_queries(__file__)


async def number_receipt(conn: Connection, purchase_id: UUID) -> int:
    """The number of a purchase's receipt, drawn once."""
    number: int = await _queries.number_receipt(conn, purchase_id=purchase_id)
    return number


async def find_receipt_facts(conn: Connection, purchase_id: UUID) -> ReceiptFacts | None:
    """What a receipt says of a purchase beside its lines."""
    row = await _queries.find_receipt_facts(conn, purchase_id=purchase_id)
    return None if row is None else ReceiptFacts(**row)


async def list_receipt_lines(conn: Connection, purchase_id: UUID) -> list[BilledLine]:
    """A purchase's lines as it was billed, by project."""
    rows = _queries.list_receipt_lines(conn, purchase_id=purchase_id)
    return [BilledLine(**row) async for row in rows]
