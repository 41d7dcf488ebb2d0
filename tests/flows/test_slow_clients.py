"""Clients that send slowly, or nothing: they are cut off, and hold up and cost nobody else."""

import asyncio
import json
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import ClassVar

import httpx
import psutil
import pytest

from fieldfare.http.connection import Awaited, Connection
from fieldfare.kernel import limits
from fieldfare.settings import Settings
from tests.support.processes import ApiProcess
from tests.support.server import running_api
from tests.support.waiting import wait_until
from tests.support.wire import Line, line_to
from tests.support.world import World, make_world

CUT_S = 1.0
LOOKS_S = 2.0
"""Within how long after a limit a look finds who is beyond it."""
STEP_S = 0.2
SOCKETS = 10_000
SLOW = 500
"""Of these that say half a head, and as many that say nothing."""
SPARE_FILES = 200
BYTES_EACH = 16_000
"""Of memory that an idle connection takes."""
SERVED_WITHIN_S = 5.0
POST = b"POST /api/offset-orders HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


class Hurried(Connection):
    """The same with a clock that a test can wait for."""

    seconds: ClassVar[dict[Awaited, float]] = dict.fromkeys(Connection.seconds, CUT_S)


@pytest.fixture
def hurried(database_url: str) -> Iterator[tuple[str, World]]:
    """A server that soon looks at who keeps it waiting."""
    world = asyncio.run(make_world(database_url))
    settings = Settings(database_url=database_url, pool_size=2)
    with running_api(settings, protocol=Hurried) as base_url:
        yield base_url, world


def trickle(lines: dict[Line, bytes], while_s: float) -> None:
    """Send each line's byte again and again, as long as it takes one."""
    ends_at = time.monotonic() + while_s
    while time.monotonic() < ends_at:
        for line, byte in lines.items():
            with suppress(OSError):
                line.send(byte)
        time.sleep(STEP_S)


def test_who_sends_slowly_is_told_and_cut_off(hurried: tuple[str, World]) -> None:
    base_url, world = hurried
    token = f"Authorization: Bearer {world.live_token}\r\n".encode()
    with ExitStack() as lines:
        silent, blanks, head, body, chunks, answered, refused, steady = (
            lines.enter_context(line_to(base_url)) for _ in range(8)
        )
        head.send(GET[:-2])
        body.send(POST + token + b"Content-Length: 60000\r\n\r\n{")
        chunks.send(POST + token + b"Transfer-Encoding: chunked\r\n\r\n")
        # Refused before its body came, which goes on coming.
        answered.send(POST + b"Content-Length: 60000\r\n\r\n")
        assert answered.answer().status == 403
        refused.send(b"\x00\r\n\r\n")
        assert refused.answer().status == 400
        blanks.send(GET)
        assert blanks.answer().status == 200
        sent = {blanks: b"\r\n", head: b"a", body: b" ", chunks: b"1\r\n \r\n", answered: b" "}
        ends_at = time.monotonic() + CUT_S + LOOKS_S + 1
        while time.monotonic() < ends_at:
            trickle(sent, STEP_S)
            steady.send(GET)
            assert steady.answer().status == 200
        for line in (head, body, chunks):
            told = line.answer()
            assert (told.status, told.code) == (408, "request_timeout")
            assert told.headers["connection"] == "close"
        for line in (silent, blanks, answered, refused, head, body, chunks):
            with suppress(ConnectionResetError):  # of bytes that came after the end
                assert line.ends()
        steady.send(GET)
        assert steady.answer().status == 200
    with httpx.Client(base_url=base_url) as http:
        balance = http.get("/api/credits/balance", auth=(world.live_token, "")).json()
    assert balance["creditBalanceUsdCents"] == 50_000


def leave_early(base_url: str, token: str) -> None:
    """Begin two orders whose bodies lack their last byte, and hang up."""
    head = POST + f"Authorization: Bearer {token}\r\n".encode()
    body = b'{"tons": 0.45, "paymentMethod": "credits"}'
    for framing in (b"Content-Length: 43\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n2b\r\n"):
        with line_to(base_url) as line:
            line.send(head + framing + body)


@contextmanager
def many_files(count: int) -> Iterator[None]:
    """Allow this process so many open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard >= count, (
        f"this test opens {count} sockets and the system allows {hard}: raise `ulimit -Hn`"
    )
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def ended(sockets: list[socket.socket]) -> dict[socket.socket, bytes]:
    """Which of these the other end has closed, and what it said before."""
    said: dict[socket.socket, bytes] = {}
    for one in sockets:
        told = b""
        with suppress(BlockingIOError):
            while piece := one.recv(4_096):
                told += piece
            said[one] = told
    return said


def test_ten_thousand_idle_sockets_are_survived(database_url: str, tmp_path: Path) -> None:
    """Most have asked once and may stay for a while; some say half a head, or nothing at all."""
    token = asyncio.run(make_world(database_url)).live_token
    api = ApiProcess(database_url, tmp_path / "api.log", environment={"FIELDFARE_POOL_SIZE": "2"})
    host = ("127.0.0.1", api.port)
    with many_files(SOCKETS + SPARE_FILES), ExitStack() as files:
        files.callback(api.stop)
        api.wait_until_ready()
        http = files.enter_context(httpx.Client(base_url=api.base_url, timeout=10))
        server = psutil.Process(api.pid)
        leave_early(api.base_url, token)
        before = server.memory_info().rss

        def open_some(count: int, sent: bytes) -> list[socket.socket]:
            some = []
            for _ in range(count):
                some.append(files.enter_context(socket.create_connection(host, 30)))
                some[-1].sendall(sent)
            return some

        asked = open_some(SOCKETS - 2 * SLOW, GET)
        for one in asked:
            assert one.recv(4_096).startswith(b"HTTP/1.1 200")
        halves, silent = open_some(SLOW, GET[:-2]), open_some(SLOW, b"")
        # Some of them may still wait to be taken.
        wait_until(lambda: server.num_fds() > SOCKETS, within_s=limits.HEAD_SECONDS - LOOKS_S)
        opened = time.monotonic()
        for one in (*asked, *halves, *silent):
            one.setblocking(False)
        assert server.memory_info().rss - before < SOCKETS * BYTES_EACH

        while time.monotonic() - opened < limits.HEAD_SECONDS + LOOKS_S + 1:
            asked_at = time.monotonic()
            assert http.get("/api/credits/balance", auth=(token, "")).status_code == 200
            assert time.monotonic() - asked_at < SERVED_WITHIN_S
            time.sleep(0.1)

        assert set(ended(silent).values()) == {b""}
        assert len(ended(silent)) == len(silent)
        told = ended(halves)
        assert len(told) == len(halves)
        assert all(said.startswith(b"HTTP/1.1 408 ") for said in told.values())
        assert ended(asked) == {}
        wait_until(lambda: server.num_fds() < SPARE_FILES + len(asked), within_s=10)
    log = (tmp_path / "api.log").read_text(encoding="utf-8")
    events = [json.loads(line) for line in log.splitlines()]
    assert [e["status"] for e in events if e.get("path") == "/api/offset-orders"] == [400, 400]
    assert "defect" not in log
    assert "Traceback" not in log
