"""The public keys by which certificates are verified."""

from datetime import datetime

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.impact.model import CertificateKey

_queries = load_queries(__file__)


async def list_keys(conn: Connection) -> list[CertificateKey]:
    """Every key, withdrawn ones too, the newest first."""
    return [CertificateKey(**row) async for row in _queries.list_keys(conn)]


async def insert_key(conn: Connection, *, kid: str, public_key: bytes, added_at: datetime) -> bool:
    """Let certificates be verified by this key; False if it is there already."""
    inserted = await _queries.insert_key(conn, kid=kid, public_key=public_key, added_at=added_at)
    return inserted is not None


async def update_key_withdrawn(conn: Connection, kid: str, withdrawn_at: datetime) -> bool:
    """Let no certificate be verified by this key any more; False if there is none of that id."""
    updated = await _queries.update_key_withdrawn(conn, kid=kid, withdrawn_at=withdrawn_at)
    return updated is not None
