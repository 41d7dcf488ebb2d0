"""The outbox: what must happen after a commit, written in that very commit.

What must hold: a caller writes (`tell`) inside the transaction that makes it true, and the relay
takes out (`take_due`) inside the transaction that makes jobs of it; so a crash between the two
loses nothing and doubles nothing. Ids only, never a person's data.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection
from fieldfare.notifications import store
from fieldfare.notifications.model import OutboxRow, OutboxSize, StrandedTopic

NOW = timedelta(0)
COUNTED_TO = 100_000


async def tell(conn: Connection, topic: str, subject_id: UUID, delay: timedelta = NOW) -> None:
    """Have the job of `topic` run for a subject, `delay` after this transaction began.

    `conn` is inside the caller's transaction: it commits with what it tells of, or not at all.
    """
    row = OutboxRow(id=new_id(), topic=topic, subject_id=subject_id)
    await store.insert_outbox_row(conn, row, delay)


async def take_due(conn: Connection, topics: Sequence[str], *, at_most: int) -> list[OutboxRow]:
    """Take out up to `at_most` rows of these topics that are due, the longest due first.

    `conn` is inside the transaction that makes jobs of them. Rows of other topics stay.
    """
    return await store.take_due(conn, topics, at_most=at_most)


async def list_stranded(conn: Connection, topics: Sequence[str]) -> list[StrandedTopic]:
    """What is due but of none of these topics: a newer release wrote it, or somebody misspelt."""
    return await store.list_stranded(conn, topics)


async def measure_outbox(conn: Connection) -> OutboxSize:
    """How much lies in the outbox."""
    return await store.measure_outbox(conn, COUNTED_TO)
