"""The processor's events, each kept once until it was worked on."""

from datetime import datetime
from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.payments.model import InboxEvent

_queries = load_queries(__file__)


async def insert_event(
    conn: Connection, identifier: UUID, *, event_id: str, kind: str, payload: bytes
) -> UUID | None:
    """Keep an event; None if it was kept before."""
    kept: UUID | None = await _queries.insert_event(
        conn, id=identifier, event_id=event_id, kind=kind, payload=payload
    )
    return kept


async def find_event(conn: Connection, identifier: UUID) -> InboxEvent | None:
    """An event of the inbox."""
    row = await _queries.find_event(conn, id=identifier)
    return None if row is None else InboxEvent(**row)


async def lock_event(conn: Connection, identifier: UUID) -> InboxEvent | None:
    """An event of the inbox, locked until the transaction ends."""
    row = await _queries.lock_event(conn, id=identifier)
    return None if row is None else InboxEvent(**row)


async def update_event_done(conn: Connection, identifier: UUID) -> None:
    """Its effect is in this transaction."""
    await _queries.update_event_done(conn, id=identifier)


async def delete_old_events(
    conn: Connection, *, before_id: UUID, done_before: datetime, at_most: int
) -> int:
    """Delete events that came before an id and were worked on before an instant."""
    gone: int = await _queries.delete_old_events(
        conn, before_id=before_id, done_before=done_before, at_most=at_most
    )
    return gone
