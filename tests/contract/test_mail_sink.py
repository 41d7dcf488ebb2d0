"""The mail adapter and the mail sink, each against the other, over real SMTP."""

import asyncio
import contextlib
import signal
import smtplib
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from fieldfare.db.embedded import free_port
from fieldfare.db.pool import Database, transaction
from fieldfare.integrations.mail import MailRefused, MailServer, MailUnavailable, send
from fieldfare.simulators.mail.box import MailBox
from tests.support.mail_sink import MailSink, plain_mail, running_sink

STOP_LIMIT_S = 3.0
"""A second, and what a busy machine adds to it."""


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
    async with serving(lambda reader, _: reader.read()) as port:
        started_at = time.monotonic()
        with pytest.raises(MailUnavailable, match="cannot be used"):
            await send(server_at(port), plain_mail())
        assert 9 <= time.monotonic() - started_at <= 14


@contextlib.asynccontextmanager
async def serving(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]],
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """The port of a server that talks so with each client; it ends with its last client."""
    talks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        with contextlib.suppress(OSError):
            await talk(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
    async with asyncio.timeout(10):
        await asyncio.gather(*talks)


Answers = dict[bytes, bytes]


@contextlib.asynccontextmanager
async def scripted(answers: Answers, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server that gives set answers to commands, and 250 to all others."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 scripted\r\n")
        while line := await reader.readline():
            command = line.split()[0].upper() if line.split() else b""
            answer = answers.get(command, b"354 Go on" if command == b"DATA" else b"250 OK")
            writer.write(answer + b"\r\n")
            if answer.startswith(b"354"):
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(answers.get(b"CONTENT", b"250 OK") + b"\r\n")

    async with serving(talk, context) as port:
        yield port


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


class Guard:
    """A relay that wants TLS and a password, and counts what it gets."""

    def __init__(self, certificate: tuple[Path, Path]) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
        self.passwords: list[bytes] = []
        self.mails = 0
        self.port = free_port()
        self.controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=self.authenticate,
        )

    def authenticate(self, *seen: Any) -> AuthResult:
        """Whether the password is right."""
        password: bytes = seen[-1].password
        self.passwords.append(password)
        return AuthResult(success=password == b"right", handled=False)

    async def handle_DATA(self, *_: Any) -> str:
        """Take any mail."""
        self.mails += 1
        return "250 OK"


@pytest.fixture
def guard(certificate: tuple[Path, Path]) -> Iterator[Guard]:
    """A running one."""
    guard = Guard(certificate)
    guard.controller.start()
    yield guard
    guard.controller.stop()


def guarded(guard: Guard, password: str = "right") -> MailServer:
    """That relay as the product is told of it."""
    return MailServer(
        host="localhost",
        port=guard.port,
        sender="receipts@seller.example",
        user="us",
        password=password,
    )


async def test_starttls_and_a_password_let_mail_through(
    guard: Guard, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    await send(guarded(guard), plain_mail())
    assert (guard.mails, guard.passwords) == (1, [b"right"])


async def test_a_wrong_password_is_not_the_recipients_fault(
    guard: Guard, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with pytest.raises(MailUnavailable, match="535") as failure:
        await send(guarded(guard, "wrong"), plain_mail())
    assert "wrong" not in str(failure.value)
    assert guard.mails == 0


async def test_a_stranger_with_another_certificate_learns_no_password(guard: Guard) -> None:
    with pytest.raises(MailUnavailable, match=r"(?i)certificate"):
        await send(guarded(guard), plain_mail())
    assert (guard.mails, guard.passwords) == (0, [])


async def test_without_starttls_nothing_is_sent_in_the_clear(sink: MailSink) -> None:
    server = MailServer(host="127.0.0.1", port=sink.smtp_port, sender="receipts@seller.example")
    with pytest.raises(MailUnavailable, match="STARTTLS"):
        await send(server, plain_mail())
    assert sink.mails() == []


async def test_tls_from_the_first_byte(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    async with scripted({}, context) as port:
        server = MailServer(
            host="localhost", port=port, sender="receipts@seller.example", security="tls"
        )
        await send(server, plain_mail())


async def test_no_mail_is_sent_while_a_transaction_is_open(db: Database, sink: MailSink) -> None:
    with pytest.raises(AssertionError, match="transaction"):
        async with transaction(db):
            await send(sink.server, plain_mail())
    assert sink.mails() == []


def test_the_list_is_newest_first_and_can_be_narrowed(sink: MailSink) -> None:
    for number in range(3):
        asyncio.run(send(sink.server, plain_mail(to=f"a{number}@b.example", subject=f"S{number}")))
    assert [mail["subject"] for mail in sink.mails()] == ["S2", "S1", "S0"]
    (newest,) = sink.http.get("/", params={"limit": 1}).json()
    assert newest["subject"] == "S2"
    (found,) = sink.http.get("/", params={"to": "a1@b.example"}).json()
    assert sink.http.get(f"/{found['id']}").json() == found
    assert found["subject"] == "S1"
    assert found["size"] > 400
    assert sink.http.get("/01a1ff78-0000-7000-8000-000000000000").status_code == 404
    assert sink.http.delete("/").json() == {"deleted": 3}
    assert sink.mails() == []
    assert list((sink.home / "mail").iterdir()) == []


def test_many_clients_at_once_lose_nothing(sink: MailSink) -> None:
    def hand_in(number: int) -> None:
        asyncio.run(send(sink.server, plain_mail(message_id=f"<{number}@seller.example>")))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hand_in, range(40)))
    assert len({mail["message_id"] for mail in sink.mails()}) == 40


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no header at all",
        b"Subject: =?utf-8?b?&&&?= =?klingon?q?x?=\r\n\r\nhi",
        b"Subject: \xff\xfe raw \xe4\r\nContent-Type: text/plain; charset=klingon\r\n\r\n\xe4",
        b"Content-Type: multipart/mixed\r\n\r\n--x\r\n",
        b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n!!",
        b'Content-Type: text/plain; charset="\xff"\r\n\r\nhi',
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=ZZ=\xff",
        b"Return-Path: <x>\r\nDelivered-To: y\r\nSubject: Mine\r\n\r\nhi",
    ],
)
def test_no_content_makes_the_sink_stumble(sink: MailSink, content: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", sink.smtp_port, timeout=10) as client:
        client.sendmail("x@y.example", ["a@b.example", "c@d.example"], content)
    (kept,) = sink.mails()
    assert kept["to"] == ["a@b.example", "c@d.example"]
    assert sink.http.get(f"/inbox/{kept['id']}").status_code == 200
    assert sink.http.get(f"/inbox/{kept['id']}/html").status_code == 200


def test_what_a_mail_holds_cannot_act_in_the_inbox(sink: MailSink) -> None:
    evil = "<script>alert(1)</script>"
    asyncio.run(send(sink.server, plain_mail(subject=evil, text=evil, html=evil)))
    (kept,) = sink.mails()
    page = sink.http.get("/inbox")
    assert evil not in page.text
    assert page.text.count("&lt;script&gt;") >= 3
    assert "default-src 'none'" in page.headers["content-security-policy"]
    shown = sink.http.get(f"/inbox/{kept['id']}/html")
    assert shown.text.strip() == evil
    policy = shown.headers["content-security-policy"]
    assert policy.startswith("sandbox ")
    assert "default-src 'none'" in policy
    assert "script" not in policy


def test_pages_of_other_sites_are_turned_away(sink: MailSink) -> None:
    theirs = {"sec-fetch-site": "cross-site"}
    assert sink.http.post("/_control", json={"mode": "down"}, headers=theirs).status_code == 403
    assert sink.http.get("/", headers={"host": "evil.example"}).status_code == 403
    assert sink.http.get("/_control").json()["mode"] == "ok"


@pytest.mark.parametrize("fault", [{"mode": "explode"}, {"mood": "ok"}, []])
def test_an_unknown_fault_is_refused(sink: MailSink, fault: object) -> None:
    assert sink.http.post("/_control", json=fault).status_code == 400


def test_mail_outlives_kill_and_restart(tmp_path: Path) -> None:
    with running_sink(tmp_path) as sink:
        asyncio.run(send(sink.server, plain_mail(to="zoë@bücher.example", subject="Kept Ω")))
        before = sink.mails()
        (tmp_path / "mail" / "notes.eml").write_text("not from the sink")
        sink.restart(signal.SIGKILL)
        assert sink.mails() == before
        assert before[0]["subject"] == "Kept Ω"
        files = [*(tmp_path / "mail").glob("*-*.eml")]
        assert [file.stat().st_mode & 0o777 for file in files] == [0o600]


def test_the_oldest_mail_goes_when_there_is_too_much(tmp_path: Path) -> None:
    box = MailBox(tmp_path, max_kept=3)
    for number in range(5):
        box.keep("a@b.example", ["c@d.example"], f"Subject: S{number}\r\n\r\n".encode())
    assert [mail.subject for mail in box.list_newest()] == ["S4", "S3", "S2"]
    assert len([*tmp_path.iterdir()]) == 3
    assert [mail.subject for mail in MailBox(tmp_path, max_kept=2).list_newest()] == ["S4", "S3"]


def test_sigterm_ends_it_at_once_whatever_is_under_way(tmp_path: Path) -> None:
    with running_sink(tmp_path) as sink, ThreadPoolExecutor(1) as pool:
        sink.set_fault("slow", seconds=60)
        waiting = pool.submit(asyncio.run, send(sink.server, plain_mail()))
        await_connection(sink)
        started_at = time.monotonic()
        code, errors = sink.stop()
        assert time.monotonic() - started_at < STOP_LIMIT_S
        assert (code, errors) == (0, "")
        with pytest.raises(MailUnavailable):
            waiting.result(timeout=10)


def await_connection(sink: MailSink) -> None:
    """Return once somebody is connected to the SMTP port."""
    process = psutil.Process(sink.process.pid)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for connection in process.net_connections("tcp"):
            if connection.status == "ESTABLISHED" and connection.laddr.port == sink.smtp_port:
                return
        time.sleep(0.02)
    raise AssertionError("nobody connected")


def test_it_listens_on_loopback_alone(sink: MailSink) -> None:
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for connection in psutil.Process(sink.process.pid).net_connections("tcp")
        if connection.status == "LISTEN"
    }
    assert listening == {("127.0.0.1", sink.smtp_port), ("127.0.0.1", sink.http_port)}


def test_a_taken_port_is_told_in_one_line(sink: MailSink) -> None:
    second = sink.spawn()
    _, errors = second.communicate(timeout=30)
    assert second.returncode == 1
    assert errors.count("\n") == 1
    assert f"port {sink.smtp_port}" in errors


def test_what_a_server_may_not_be_told() -> None:
    server = MailServer(host="mail.example", port=587, sender="a@b.example", password="hush")
    assert "hush" not in repr(server)
    with pytest.raises(ValueError, match="without encryption"):
        MailServer(
            host="mail.example", port=25, sender="a@b.example", security="plain", password="x"
        )
    for sender in ("", "Somebody", "a@b@c", "A <a@b.example>, B <b@c.example>"):
        with pytest.raises(ValueError, match="no mailbox"):
            MailServer(host="mail.example", port=587, sender=sender)
