"""Receipts, from an order's facts to the mailbox: none is lost, and none comes twice unmarked."""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from fieldfare.db.pool import Database, open_database
from fieldfare.integrations.mail import MailServer, MailUnavailable
from fieldfare.kernel.errors import Unavailable
from fieldfare.kernel.languages import Language
from fieldfare.notifications.errors import MailUnderway
from fieldfare.notifications.rules import receipt_message_id
from fieldfare.notifications.service.rendering import render_receipt
from fieldfare.notifications.service.sending import send_once
from tests.support.mail_sink import MailSink, running_sink
from tests.unit.notifications.receipts import PURCHASE_ID, a_receipt

PATIENCE_S = 60.0
WORKER = """
import asyncio, sys
from tests.flows.test_receipt_mail import send_receipt_once
asyncio.run(send_receipt_once(sys.argv[1], int(sys.argv[2])))
"""


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[MailSink]:
    """A sink of this test's own."""
    with running_sink(tmp_path) as sink:
        yield sink


async def send_receipt_once(database_url: str, smtp_port: int) -> bool:
    """What a worker does about the receipt of the one order."""
    db = await open_database(database_url, pool_size=2, application="tests")
    server = MailServer(
        host="127.0.0.1", port=smtp_port, sender="receipts@seller.example", security="plain"
    )
    try:
        return await send_once(db, server, render_receipt(a_receipt()), "receipt", PURCHASE_ID)
    finally:
        await db.close()


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
async def test_a_receipt_is_read_as_it_was_rendered(
    db: Database, sink: MailSink, language: Language
) -> None:
    mail = render_receipt(a_receipt(language=language, purchaser_name="Zoë “Ada” Größe, Ltd."))
    assert await send_once(db, sink.server, mail, "receipt", PURCHASE_ID)
    (kept,) = sink.mails()
    assert kept["subject"] == mail.subject
    assert kept["text"] == mail.text
    assert kept["html"] == mail.html
    assert ["Content-Language", language] in kept["headers"]
    page = sink.http.get(f"/inbox/{kept['id']}")
    assert mail.subject in page.text


async def test_no_receipt_is_lost_or_doubled_while_the_server_comes_and_goes(
    db: Database, sink: MailSink
) -> None:
    """Each of ten receipts is in four hands, as jobs are that were delivered too often."""
    purchases = [uuid4() for _ in range(10)]
    faults = asyncio.create_task(come_and_go(sink))
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(
            *(deliver(db, sink, purchase_id) for purchase_id in purchases for _ in range(4)),
            faults,
        )
    ids = Counter(mail["message_id"] for mail in sink.mails())
    assert ids == {message_id_of(purchase_id): 1 for purchase_id in purchases}


async def come_and_go(sink: MailSink) -> None:
    """Faults that tell the truth: none after which the sink has a mail that it denied."""
    for mode in ("tempfail", "down", "ok", "down", "tempfail", "ok"):
        await asyncio.to_thread(sink.set_fault, mode)
        await asyncio.sleep(0.2)


async def deliver(db: Database, sink: MailSink, purchase_id: UUID) -> None:
    """Try until it left, as the job's retries do."""
    mail = render_receipt(a_receipt(message_id=message_id_of(purchase_id)))
    while True:
        try:
            await send_once(db, sink.server, mail, "receipt", purchase_id)
        except (MailUnavailable, MailUnderway, Unavailable):
            await asyncio.sleep(0.05)
        else:
            return


def message_id_of(purchase_id: UUID) -> str:
    """The receipt's."""
    return receipt_message_id(purchase_id, "seller.example")


def test_a_worker_killed_before_it_wrote_down_that_it_sent_loses_nothing(
    database_url: str, sink: MailSink
) -> None:
    sink.set_fault("slow", seconds=2)
    worker = start_worker(database_url, sink)
    with psycopg.connect(database_url) as conn:
        until(lambda: has_claim(database_url))
        # Readers pass, and the worker waits with what it has to write until it is killed.
        conn.execute("lock table notifications.sent in exclusive mode")
        until(lambda: len(sink.mails()) == 1)
        worker.kill()
        worker.communicate()
        assert has_claim(database_url)
    sink.set_fault("ok")
    with pytest.raises(MailUnderway):
        asyncio.run(send_receipt_once(database_url, sink.smtp_port))
    with psycopg.connect(database_url) as conn:
        conn.execute("update notifications.sent set claimed_until = now() - interval '1 s'")
    assert asyncio.run(send_receipt_once(database_url, sink.smtp_port)) is True
    assert asyncio.run(send_receipt_once(database_url, sink.smtp_port)) is False
    # A mailbox that folds equal Message-IDs shows one.
    assert [mail["message_id"] for mail in sink.mails()] == [a_receipt().message_id] * 2


def test_a_worker_killed_before_the_server_answered_loses_nothing(
    database_url: str, sink: MailSink
) -> None:
    sink.set_fault("slow", seconds=60)
    worker = start_worker(database_url, sink)
    until(lambda: has_claim(database_url))
    worker.kill()
    worker.communicate()
    sink.set_fault("ok")
    with psycopg.connect(database_url) as conn:
        conn.execute("update notifications.sent set claimed_until = now() - interval '1 s'")
    assert asyncio.run(send_receipt_once(database_url, sink.smtp_port)) is True
    assert len(sink.mails()) == 1


def start_worker(database_url: str, sink: MailSink) -> "subprocess.Popen[str]":
    """Another process that sends the receipt of the one order."""
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, database_url, str(sink.smtp_port)],
        env={**os.environ, "PYTHONPATH": f"src{os.pathsep}."},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def has_claim(database_url: str) -> bool:
    """Whether somebody has taken the mail up."""
    with psycopg.connect(database_url) as conn:
        row = conn.execute(
            "select 1 from notifications.sent where claimed_until > now() and sent_at is null"
        ).fetchone()
    return row is not None


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, and fail if that takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)
