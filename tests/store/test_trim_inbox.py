"""The processor's events: how long they lie in the inbox, and what of them is kept at all."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from fieldfare import jobs
from fieldfare.db.pool import Database, connection, transaction
from fieldfare.payments.service import inbox
from fieldfare.payments.service.inbox import mark_done
from tests.support.placing import id_at
from tests.support.working import context

DAY = timedelta(days=1)


async def insert_event(
    db: Database, age: timedelta, done_ago: timedelta | None, kind: str = "charge.refunded"
) -> UUID:
    """An event that came so long ago, and maybe was worked on."""
    now = datetime.now(UTC)
    identifier = id_at(now - age)
    async with connection(db) as conn:
        await conn.execute(
            "insert into payments.inbox (id, event_id, kind, payload, received_at, done_at)"
            " values ($1, $2, $3, $4, $5, $6)",
            identifier,
            f"evt_{identifier}",
            kind,
            b'{"name": "Ada"}',
            now - age,
            None if done_ago is None else now - done_ago,
        )
    return identifier


async def kept(db: Database) -> set[UUID]:
    """The events that are left."""
    async with connection(db) as conn:
        return {row["id"] for row in await conn.fetch("select id from payments.inbox")}


async def test_only_what_was_worked_on_long_ago_goes(db: Database) -> None:
    long = inbox.EVENTS_KEPT + DAY
    left = {
        await insert_event(db, timedelta(0), timedelta(0)),
        await insert_event(db, inbox.EVENTS_KEPT - DAY, inbox.EVENTS_KEPT - DAY),
        # It waited for long, and was worked on yesterday.
        await insert_event(db, long, DAY),
        # Nobody worked on it yet, however old it is.
        await insert_event(db, 9 * long, None),
    }
    await insert_event(db, long, long)
    await insert_event(db, 9 * long, 9 * long)
    assert await jobs.trim_inbox(context(db)) == {"events_deleted": 2}
    assert await kept(db) == left
    assert await jobs.trim_inbox(context(db)) == {"events_deleted": 0}
    assert await kept(db) == left


async def test_more_than_one_batch_goes_in_one_run(db: Database) -> None:
    many = 2 * inbox.EVENTS_AT_ONCE + 1
    async with connection(db) as conn:
        await conn.execute(
            "insert into payments.inbox (id, event_id, kind, payload, received_at, done_at)"
            " select db.uuid_floor_v1(now() - make_interval(days => 100, secs => n)), 'evt_' || n,"
            " 'charge.refunded', '', now() - interval '100 days', now() - interval '100 days'"
            " from generate_series(1, $1) as n",
            many,
        )
    young = await insert_event(db, DAY, DAY)
    assert await jobs.trim_inbox(context(db)) == {"events_deleted": many}
    assert await kept(db) == {young}


@pytest.mark.parametrize(
    ("kind", "is_kept"),
    [
        ("customer.deleted", False),
        ("customer.updated", False),
        ("payment_method.attached", False),
        ("charge.updated", False),
        ("charge.refunded", True),
        ("charge.refund.updated", True),
        ("refund.failed", True),
        ("charge.dispute.created", True),
        ("payment_intent.succeeded", True),
    ],
)
async def test_what_nothing_is_done_upon_is_emptied_at_once(
    db: Database, kind: str, is_kept: bool
) -> None:
    event = await insert_event(db, DAY, None, kind)
    async with transaction(db) as conn:
        assert await mark_done(conn, event)
        assert not await mark_done(conn, event)
    async with connection(db) as conn:
        payload = await conn.fetchval("select payload from payments.inbox where id = $1", event)
    assert (payload != b"") is is_kept
