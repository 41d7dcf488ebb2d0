"""The mail adapter and the mail sink, each against the other, over real SMTP."""

import asyncio
import contextlib
import os
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from fieldfare.db.pool import Database, transaction
from fieldfare.integrations.mail import MailRefused, MailServer, MailUnavailable, send
from tests.support.mail_sink import SINK, MailSink, plain_mail, running_sink

STOP_LIMIT_S = 3.0
"""A second, and what a busy machine adds to it."""


@pytest.fixture(scope="module")
def shared_sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailSink]:
    """One sink for the tests of this module that do not end it."""
    with running_sink(tmp_path_factory.mktemp("sink")) as sink:
        yield sink


@pytest.fixture
def sink(shared_sink: MailSink) -> MailSink:
    """The shared sink, empty and well."""
    shared_sink.reset()
    return shared_sink


def header(mail: dict[str, Any], name: str) -> str:
    """The one header of a name."""
    (value,) = [value for key, value in mail["headers"] if key.lower() == name]
    return str(value)


async def test_a_mail_arrives_as_it_was_written(sink: MailSink) -> None:
    subject = "Beleg 7 · 0,45 t CO₂e – " + "Größe " * 20
    text = "Grüße\n.\n..\n\n" + "ein langes Wort " * 90 + "\n"
    mail = plain_mail(subject=subject.strip(), text=text, headers={"Content-Language": "de"})
    await send(sink.server, mail)
    (kept,) = sink.mails()
    assert (kept["from"], kept["to"]) == ("receipts@seller.example", ["ada@buyer.example"])
    assert kept["subject"] == subject.strip()
    assert kept["text"] == text
    assert kept["html"].strip() == "<p>Paid.</p>"
    assert kept["message_id"] == mail.message_id
    assert header(kept, "from") == "Fieldfare <receipts@seller.example>"
    assert header(kept, "to") == "Ada Buyer <ada@buyer.example>"
    assert header(kept, "auto-submitted") == "auto-generated"
    assert header(kept, "content-language") == "de"
    assert header(kept, "date").endswith("+0000")


async def test_no_line_that_is_sent_is_too_long_or_eight_bit(sink: MailSink) -> None:
    await send(sink.server, plain_mail(text="ü" * 5_000, html=f"<p>{'é' * 5_000}</p>"))
    (kept,) = sink.mails()
    file = (sink.home / "mail" / f"{kept['id']}.eml").read_bytes()
    assert file.isascii()
    assert max(len(line) for line in file.split(b"\r\n")) <= 78
    assert kept["text"].strip() == "ü" * 5_000


async def test_addresses_of_any_script_arrive(sink: MailSink) -> None:
    await send(sink.server, plain_mail(to="ada@straße.example"))
    await send(sink.server, plain_mail(to="zoë.ø@bücher.example", to_name="Zoë, Ø <x@y.example>"))
    second, first = sink.mails()
    # IDNA 2008: under the older rules ß would become ss, which is somebody else's domain.
    assert first["to"] == ["ada@xn--strae-oqa.example"]
    assert second["to"] == ["zoë.ø@xn--bcher-kva.example"]
    assert header(second, "to") == "Zoë Ø x y.example <zoë.ø@xn--bcher-kva.example>"


async def test_an_address_no_server_can_take_is_refused_at_once(sink: MailSink) -> None:
    for address in ("ada", "a b@c.example", "a@b@", "<a@b.example>", "a@-b.example", "a@b..c",
                    "a\r\nBcc: x@y.example", "a@b.example\r\nRCPT TO:<x@y.example>", "@b.example",
                    "a@b.example, c@d.example", "x" * 65 + "@b.example", ".a@b.example",
                    "a@" + ".".join(["x" * 60] * 5), "a@ \u2028.example"):  # fmt: skip
        with pytest.raises(MailRefused) as refusal:
            await send(sink.server, plain_mail(to=address))
        assert refusal.value.code is None
        assert address not in str(refusal.value)
    assert sink.mails() == []


async def test_a_refused_recipient_is_refused_for_good(sink: MailSink) -> None:
    sink.set_fault("refuse")
    with pytest.raises(MailRefused, match=r"550 5\.1\.1") as refusal:
        await send(sink.server, plain_mail())
    assert refusal.value.code == 550
    assert sink.mails() == []


async def test_a_server_that_says_later_is_asked_again_later(sink: MailSink) -> None:
    sink.set_fault("tempfail")
    with pytest.raises(MailUnavailable, match=r"451 4\.3\.0"):
        await send(sink.server, plain_mail())
    assert sink.mails() == []
    sink.set_fault("ok")
    await send(sink.server, plain_mail())
    assert len(sink.mails()) == 1


async def test_a_server_that_is_down_comes_back(sink: MailSink) -> None:
    sink.set_fault("down", seconds=0.5)
    with pytest.raises(MailUnavailable, match="cannot be used"):
        await send(sink.server, plain_mail())
    assert sink.http.get("/_control").json()["mode"] == "down"
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(MailUnavailable):
                await send(sink.server, plain_mail())
                break
            await asyncio.sleep(0.05)
    assert sink.http.get("/_control").json() == {"mode": "ok", "seconds": 0}
    assert len(sink.mails()) == 1


async def test_a_slow_server_is_waited_for(sink: MailSink) -> None:
    sink.set_fault("slow", seconds=0.7)
    started_at = time.monotonic()
    await send(sink.server, plain_mail())
    assert time.monotonic() - started_at >= 0.7
    assert len(sink.mails()) == 1


async def test_an_answer_that_was_lost_is_no_refusal(sink: MailSink) -> None:
    sink.set_fault("hangup")
    with pytest.raises(MailUnavailable):
        await send(sink.server, plain_mail())
    sink.set_fault("ok")
    await send(sink.server, plain_mail())
    assert [mail["message_id"] for mail in sink.mails()] == ["<receipt.1@seller.example>"] * 2


async def test_a_cancelled_mail_leaves_no_connection(sink: MailSink) -> None:
    sink.set_fault("slow", seconds=30)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await send(sink.server, plain_mail())
    sink.set_fault("ok")
    assert sink.mails() == []


async def test_a_server_that_never_greets_is_given_up() -> None:
    """The time-out itself, so it takes ten seconds."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        started_at = time.monotonic()
        with pytest.raises(MailUnavailable, match="cannot be used"):
            await send(server_at(port), plain_mail())
        assert 9 <= time.monotonic() - started_at <= 14


Answers = dict[bytes, bytes]


@contextlib.asynccontextmanager
async def scripted(answers: Answers) -> Any:
    """A server that gives set answers to commands, and 250 to all others."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 scripted\r\n")
        while line := await reader.readline():
            command = line.split()[0].upper() if line.split() else b""
            answer = answers.get(command, b"354 Go on" if command == b"DATA" else b"250 OK")
            writer.write(answer + b"\r\n")
            if answer.startswith(b"354"):
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(answers.get(b"CONTENT", b"250 OK") + b"\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def server_at(port: int) -> MailServer:
    """A server on this machine, without encryption."""
    return MailServer(
        host="127.0.0.1", port=port, sender="receipts@seller.example", security="plain"
    )


@pytest.mark.parametrize(
    ("answers", "is_final"),
    [
        ({b"RCPT": b"550 5.1.1 Unknown"}, True),
        ({b"RCPT": b"553 Bad name"}, True),
        ({b"CONTENT": b"554 5.7.1 Looks like spam"}, True),
        # What is wrong with us, or may be better tomorrow, is no verdict on the recipient.
        ({b"RCPT": b"554 5.7.1 Relay access denied"}, False),
        ({b"RCPT": b"530 Authentication required"}, False),
        ({b"RCPT": b"552 5.2.2 Mailbox full"}, False),
        ({b"RCPT": b"450 4.2.1 Greylisted"}, False),
        ({b"MAIL": b"550 5.1.0 Sender unknown"}, False),
        ({b"DATA": b"421 Closing"}, False),
        ({b"CONTENT": b"452 Disk full"}, False),
        ({b"RCPT": b"what?"}, False),
        ({b"EHLO": b"554 No", b"HELO": b"554 No"}, False),
    ],
)
async def test_only_a_verdict_on_this_mail_is_final(answers: Answers, is_final: bool) -> None:
    async with scripted(answers) as port:
        with pytest.raises(MailRefused if is_final else MailUnavailable):
            await send(server_at(port), plain_mail())


async def test_a_server_without_smtputf8_refuses_such_an_address_clearly() -> None:
    async with scripted({}) as port:
        with pytest.raises(MailRefused, match="SMTPUTF8"):
            await send(server_at(port), plain_mail(to="zoë@buyer.example"))
        await send(server_at(port), plain_mail(to="zoe@bücher.example"))


async def test_no_reason_tells_the_recipients_address_or_breaks_its_line() -> None:
    answer = b"550-5.1.1 <ADA@buyer.example>:\r\n550 5.1.1 ada@buyer.example \x1b[31m unknown"
    async with scripted({b"RCPT": answer}) as port:
        with pytest.raises(MailRefused) as refusal:
            await send(server_at(port), plain_mail())
    reason = str(refusal.value)
    assert "buyer.example" not in reason.lower()
    assert "[recipient]" in reason
    assert reason.isprintable()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for this machine that only whoever is told so trusts, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key
