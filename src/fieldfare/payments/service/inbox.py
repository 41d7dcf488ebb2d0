"""The processor's events: kept once, told to whoever is concerned, and answered at once."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection, Database, retry_deadlocks, transaction
from fieldfare.integrations.stripe.events import read_event, verify_event
from fieldfare.integrations.stripe.model import Event, EventRefused
from fieldfare.kernel.ids import floor_id
from fieldfare.notifications.service.outbox import tell
from fieldfare.payments import store
from fieldfare.payments.errors import EventNotAccepted

EVENT_TOPIC = "stripe_event"
EVENTS_KEPT = timedelta(days=90)
"""A quarter, so that what came of an event can be explained while its quarter's books are open. The
processor sends none again after so long, and what it tells of persons should lie here no longer."""
EVENTS_AT_ONCE = 1_000
EVENT_BATCHES = 5_000


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

        async def keep() -> None:
            async with transaction(self.db) as conn:
                await keep_event(conn, event, payload)

        await retry_deadlocks(keep)


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


async def delete_old_events(db: Database, now: datetime) -> int:
    """Delete events that were worked on long ago, in short transactions; gives how many."""
    done_before = now - EVENTS_KEPT
    deleted = 0
    for _ in range(EVENT_BATCHES):
        async with transaction(db) as conn:
            gone = await store.delete_old_events(
                conn,
                before_id=floor_id(done_before),
                done_before=done_before,
                at_most=EVENTS_AT_ONCE,
            )
        deleted += gone
        if gone < EVENTS_AT_ONCE:
            break
    return deleted
