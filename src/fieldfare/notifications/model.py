"""What notifications are made of: frozen values, without behaviour."""

from datetime import datetime
from uuid import UUID

import msgspec


class OutboxRow(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is due: what happened (`topic`), and to which purchase, payment or event."""

    id: UUID
    topic: str
    subject_id: UUID


class StrandedTopic(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of the outbox that are due, but of a topic that nobody who asked knows."""

    topic: str
    rows: int
    oldest_due_at: datetime
