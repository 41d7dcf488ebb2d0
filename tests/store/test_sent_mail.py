"""A mail leaves once: claims, outcomes, and what rivals see of each other."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest

from fieldfare.db.pool import Database, connection
from fieldfare.integrations.mail import MailRefused, MailUnavailable
from fieldfare.notifications import store
from fieldfare.notifications.errors import MailUnderway
from fieldfare.notifications.model import SentMail
from fieldfare.notifications.service.sending import LEASE_S, send_once
from tests.support.mail_sink import MailSink, plain_mail

MAIL = plain_mail()
SUBJECT_ID = UUID("01a1ff78-8b8d-7463-854b-f2f09a220a3f")
RIVALS = 8


async def attempt(db: Database, sink: MailSink) -> bool:
    """Try to send the mail."""
    return await send_once(db, sink.server, MAIL, "receipt", SUBJECT_ID)


async def known(db: Database) -> SentMail:
    """What is written down of it."""
    async with connection(db) as conn:
        found = await store.find_mail(conn, MAIL.message_id)
    assert found is not None
    return found


async def claim(db: Database, lease_s: float = LEASE_S) -> int | None:
    """Take the mail up, as a worker does that then dies."""
    async with connection(db) as conn:
        return await store.claim_mail(
            conn,
            message_id=MAIL.message_id,
            kind="receipt",
            subject_id=SUBJECT_ID,
            lease_s=lease_s,
        )


async def test_the_second_time_nothing_is_sent(db: Database, sink: MailSink) -> None:
    assert await attempt(db, sink) is True
    assert await attempt(db, sink) is False
    assert [mail["message_id"] for mail in sink.mails()] == [MAIL.message_id]
    sent = await known(db)
    assert (sent.kind, sent.subject_id, sent.attempt) == ("receipt", SUBJECT_ID, 1)
    assert sent.sent_at is not None
    assert (sent.claimed_until, sent.refused_at) == (None, None)


async def test_rivals_send_one_mail(db: Database, sink: MailSink) -> None:
    sink.set_fault("slow", seconds=0.3)
    outcomes = await asyncio.gather(
        *(attempt(db, sink) for _ in range(RIVALS)), return_exceptions=True
    )
    assert outcomes.count(True) == 1
    assert all(o is True or o is False or isinstance(o, MailUnderway) for o in outcomes)
    assert len(sink.mails()) == 1


async def test_other_mails_do_not_wait(db: Database, sink: MailSink) -> None:
    mails = [plain_mail(message_id=f"<receipt.{uuid4()}@seller.example>") for _ in range(RIVALS)]
    assert all(
        await asyncio.gather(
            *(send_once(db, sink.server, mail, "receipt", uuid4()) for mail in mails)
        )
    )
    assert len(sink.mails()) == RIVALS


@pytest.mark.parametrize("mode", ["tempfail", "down"])
async def test_what_did_not_leave_may_leave_at_once(
    db: Database, sink: MailSink, mode: str
) -> None:
    sink.set_fault(mode)
    for _ in range(2):
        with pytest.raises(MailUnavailable):
            await attempt(db, sink)
    assert (await known(db)).claimed_until is None
    sink.set_fault("ok")
    assert await attempt(db, sink) is True
    assert (await known(db)).attempt == 3
    assert len(sink.mails()) == 1


async def test_a_refusal_is_remembered(db: Database, sink: MailSink) -> None:
    sink.set_fault("refuse")
    with pytest.raises(MailRefused, match="No such mailbox"):
        await attempt(db, sink)
    refused = await known(db)
    assert refused.refused_at is not None
    assert (refused.refusal_code, refused.sent_at, refused.claimed_until) == (550, None, None)
    sink.set_fault("ok")
    with pytest.raises(MailRefused, match="earlier attempt") as again:
        await attempt(db, sink)
    assert again.value.code == 550
    assert sink.mails() == []


async def test_an_address_that_is_none_is_refused_without_a_server(
    db: Database, sink: MailSink
) -> None:
    sink.set_fault("down")
    mail = plain_mail(to="nobody")
    for _ in range(2):
        with pytest.raises(MailRefused):
            await send_once(db, sink.server, mail, "receipt", SUBJECT_ID)
    refused = await known(db)
    assert refused.refused_at is not None
    assert (refused.refusal_code, refused.attempt) == (None, 1)


async def test_a_dead_workers_mail_waits_for_its_time_to_be_over(
    db: Database, sink: MailSink
) -> None:
    assert await claim(db) == 1
    with pytest.raises(MailUnderway):
        await attempt(db, sink)
    async with connection(db) as conn:
        await conn.execute(
            "update notifications.sent set claimed_until = claimed_until - $1 * interval '1 s'",
            LEASE_S,
        )
    assert await attempt(db, sink) is True
    assert (await known(db)).attempt == 2


async def test_a_cancelled_worker_leaves_its_claim(db: Database, sink: MailSink) -> None:
    """The server may have the mail, so nobody may be quick to send it again."""
    sink.set_fault("slow", seconds=30)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await attempt(db, sink)
    sink.set_fault("ok")
    with pytest.raises(MailUnderway):
        await attempt(db, sink)


async def test_who_comes_late_cannot_undo_the_next_attempt(db: Database) -> None:
    assert await claim(db, lease_s=0) == 1
    assert await claim(db) == 2
    async with connection(db) as conn:
        await store.update_released(conn, MAIL.message_id, attempt=1)
        await store.update_refused(conn, MAIL.message_id, attempt=1, refusal_code=550)
    current = await known(db)
    assert current.claimed_until is not None
    assert current.refused_at is None
    assert await claim(db) is None


async def test_who_comes_late_can_say_that_it_left(db: Database, sink: MailSink) -> None:
    assert await claim(db, lease_s=0) == 1
    assert await claim(db) == 2
    async with connection(db) as conn:
        await store.update_sent(conn, MAIL.message_id)
        await store.update_refused(conn, MAIL.message_id, attempt=2, refusal_code=550)
        await store.update_released(conn, MAIL.message_id, attempt=2)
    sent = await known(db)
    assert sent.sent_at is not None
    assert sent.refused_at is None
    assert await attempt(db, sink) is False
    assert sink.mails() == []


@pytest.mark.parametrize(
    "change",
    [
        "sent_at = now(), refused_at = now()",
        "sent_at = now(), claimed_until = now()",
        "refusal_code = 550",
        "refused_at = now(), refusal_code = 250",
        "attempt = 0",
    ],
)
async def test_no_row_can_say_what_cannot_be(db: Database, change: str) -> None:
    await claim(db)
    async with connection(db) as conn:
        await conn.execute("update notifications.sent set claimed_until = null")
        with pytest.raises(asyncpg.CheckViolationError):
            await conn.execute(f"update notifications.sent set {change}")


async def test_nothing_of_a_person_is_written_down(db: Database, sink: MailSink) -> None:
    assert await attempt(db, sink)
    async with connection(db) as conn:
        row = await conn.fetchval("select to_jsonb(s)::text from notifications.sent s")
    assert MAIL.to_name not in row
    assert "buyer.example" not in row
