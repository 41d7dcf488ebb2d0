"""The editions of certificates, and the orders whose certificates name nobody."""

from datetime import datetime
from uuid import UUID

import msgspec

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.impact.model import CertificateRecord, Edition

_queries = load_queries(__file__)


async def find_record(conn: Connection, purchase_id: UUID) -> CertificateRecord:
    """What is on record of an order's certificate."""
    row = dict(await _queries.find_record(conn, purchase_id=purchase_id))
    is_nameless = row.pop("is_nameless")
    newest = None if row["number"] is None else Edition(**row)
    return CertificateRecord(newest=newest, is_nameless=is_nameless)


async def find_edition(conn: Connection, number: str) -> Edition | None:
    """The edition of that number."""
    row = await _queries.find_edition(conn, number=number)
    return None if row is None else Edition(**row)


async def insert_edition(conn: Connection, edition: Edition) -> bool:
    """Issue an edition; False if its number is taken."""
    inserted = await _queries.insert_edition(conn, **msgspec.structs.asdict(edition))
    return inserted is not None


async def insert_nameless(conn: Connection, purchase_id: UUID, erased_at: datetime) -> None:
    """Let an order's certificate name nobody from now on."""
    await _queries.insert_nameless(conn, purchase_id=purchase_id, erased_at=erased_at)


async def erase_salts_of_order(conn: Connection, purchase_id: UUID) -> int:
    """Let nobody guess the names behind an order's certificates any more; gives how many."""
    gone: int = await _queries.erase_salts_of_order(conn, purchase_id=purchase_id)
    return gone


async def erase_salts(conn: Connection, account_id: int, at_most: int) -> int:
    """The same for some of an account's certificates."""
    gone: int = await _queries.erase_salts(conn, account_id=account_id, at_most=at_most)
    return gone
