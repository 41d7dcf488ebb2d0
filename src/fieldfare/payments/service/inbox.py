"""The processor's events: kept once, told to whoever is concerned, and answered at once."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection, Database, transaction
from fieldfare.integrations.stripe.events import read_event, verify_event
from fieldfare.integrations.stripe.model import Event, EventRefused
from fieldfare.notifications.service.outbox import tell
from fieldfare.payments import store
from fieldfare.payments.errors import EventNotAccepted

EVENT_TOPIC = "stripe_event"


class EventDesk(Protocol):
    """Where the processor's events are handed in."""

    async def take_event(self, payload: bytes, signature: str | None) -> None:
        """Keep a signed event; raises `EventNotAccepted` for any other."""
        ...


@dataclass(frozen=True)
class LiveEventDesk:
    """The desk that keeps events in the inbox."""

    db: Database
    webhook_secret: str | None

    async def take_event(self, payload: bytes, signature: str | None) -> None:
        """See `EventDesk`."""
        if self.webhook_secret is None:
            raise EventNotAccepted(
                "No webhook secret is set, so no event can be trusted. "
                "Set FIELDFARE_STRIPE_WEBHOOK_SECRET."
            )
        try:
            event = verify_event(payload, signature, self.webhook_secret, datetime.now(UTC))
        except EventRefused as refusal:
            raise EventNotAccepted(
                f"This event is not accepted: {refusal}. Send it as the processor signed it."
            ) from refusal
        async with transaction(self.db) as conn:
            await keep_event(conn, event, payload)


async def keep_event(conn: Connection, event: Event, payload: bytes) -> None:
    """Put an event in the inbox and tell of it in the same commit; a second time does nothing."""
    kept = await store.insert_event(
        conn, new_id(), event_id=event.event_id, kind=event.kind, payload=payload
    )
    if kept is not None:
        await tell(conn, EVENT_TOPIC, kept)


async def find_waiting_event(conn: Connection, identifier: UUID) -> Event | None:
    """An event that was not worked on yet."""
    kept = await store.find_event(conn, identifier)
    return None if kept is None or kept.done_at is not None else read_event(kept.payload)


async def mark_done(conn: Connection, identifier: UUID) -> bool:
    """In the transaction of its effect; False if another one was faster."""
    kept = await store.lock_event(conn, identifier)
    if kept is None or kept.done_at is not None:
        return False
    await store.update_event_done(conn, identifier)
    return True
