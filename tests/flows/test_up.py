"""`fieldfare up` as a person runs it: it comes up, sells, stops, and survives every kill -9."""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import psycopg
import pytest

import fieldfare
from fieldfare.db.embedded import free_port
from tests.support.memory import quick_folder

START_PATIENCE_S = 60
STOP_PATIENCE_S = 60
SOURCE = Path(fieldfare.__file__).parents[1]
COMMAND = (sys.executable, "-m", "fieldfare.cli.main", "up")


class Up(msgspec.Struct, frozen=True):
    """A `fieldfare up` that answers."""

    process: subprocess.Popen[bytes]
    home: Path
    output: Path
    demo: dict[str, Any]

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by the names of the parts."""
        return dict(self.demo["pids"])

    def ask(self, path: str) -> tuple[int, Any]:
        """A GET as the demo's team."""
        return ask(self.demo["base_url"] + path, self.demo["live_token"])


def ask(url: str, token: str, body: str | None = None) -> tuple[int, Any]:
    """Status and JSON of a GET, or of a POST if there is a body."""
    request = urllib.request.Request(
        url,
        data=body.encode() if body else None,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.status, json.load(response)


def environment(home: Path, port: int, **more: str) -> dict[str, str]:
    ours = ("FIELDFARE_", "DATABASE_URL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **kept,
        "PYTHONPATH": str(SOURCE),
        "FIELDFARE_HOME": str(home),
        "FIELDFARE_PORT": str(port),
        **more,
    }


@contextlib.contextmanager
def running(home: Path, **more: str) -> Iterator[Up]:
    """Bring it up on free ports, and at the end, whatever happened, take all of it down."""
    output = home.with_name(f"{home.name}-{time.monotonic_ns()}.txt")
    with (
        output.open("wb") as sink,
        subprocess.Popen(
            COMMAND,
            env=environment(home, free_port(neighbours=6), **more),
            stdout=sink,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield Up(process, home, output, wait_for_demo(home, process, output))
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_PATIENCE_S)
            process.kill()


def wait_for_demo(home: Path, process: subprocess.Popen[bytes], output: Path) -> dict[str, Any]:
    """What demo.json says, once it is this process's and not one that a killed run left."""
    deadline = time.monotonic() + START_PATIENCE_S
    while True:
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        with contextlib.suppress(FileNotFoundError):
            demo: dict[str, Any] = json.loads((home / "demo.json").read_text())
            if demo["pid"] == process.pid:
                return demo
        time.sleep(0.05)


def refused(home: Path, port: int, **more: str) -> str:
    """What a start that must not succeed says, in one line."""
    answer = subprocess.run(
        COMMAND,
        env=environment(home, port, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=START_PATIENCE_S,
    )
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    lines = answer.stderr.strip().splitlines()
    assert len(lines) == 1, answer.stderr
    return lines[0]


def lives(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def wait_until_gone(pids: dict[str, int]) -> None:
    deadline = time.monotonic() + STOP_PATIENCE_S
    while alive := [name for name, pid in pids.items() if lives(pid)]:
        assert time.monotonic() < deadline, f"{alive} still run"
        time.sleep(0.05)


def place_order(up: Up) -> str:
    """Do what the printed curl line does; gives the purchase's id."""
    printed = up.output.read_text().split("\n  curl ", 1)[1].split("\n\n", 1)[0]
    url, *options = shlex.split(printed.replace("\\\n", " "))
    token = next(word.split()[-1] for word in options if word.startswith("Authorization: Bearer"))
    status, answer = ask(url, token, options[options.index("-d") + 1])
    assert status == 200
    return str(answer["purchaseId"])


def has_order(up: Up, purchase_id: str) -> bool:
    status, order = up.ask(f"/api/orders/{purchase_id}")
    return status == 200 and order["state"] == "paid"


def came_by_socket(database_url: str) -> set[str]:
    """Which of the product's processes are connected through the file system; all of them."""
    with psycopg.connect(database_url) as conn:
        found = conn.execute(
            "select application_name, bool_and(client_addr is null) from pg_stat_activity"
            " where application_name like 'fieldfare-%' group by 1"
        ).fetchall()
    assert all(by_socket for _, by_socket in found), found
    return {name for name, _ in found}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where nothing is yet."""
    return tmp_path / "home"


@pytest.fixture(scope="module")
def kept_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One that the tests of a module have one after the other, as its owner has."""
    with quick_folder(tmp_path_factory.mktemp("up")) as folder:
        yield folder / "home"


def test_it_comes_up_sells_and_stops_without_a_trace(home: Path) -> None:
    """On the disk, as a person has it."""
    with running(home) as up:
        demo_file = home / "demo.json"
        assert stat.S_IMODE(demo_file.stat().st_mode) == 0o600
        assert set(up.pids) == {"api", "worker", "stripe", "mail", "postgres"}
        assert all(lives(pid) for pid in up.pids.values())
        _, before = up.ask("/api/credits/balance")
        purchase_id = place_order(up)
        _, after = up.ask("/api/credits/balance")
        assert after != before
        assert f"metrics              {up.demo['metrics_url']}\n" in up.output.read_text()
        with urllib.request.urlopen(up.demo["metrics_url"], timeout=20) as page:
            assert b'\nfieldfare_processes{role="worker"} 1.0\n' in page.read()
        assert came_by_socket(up.demo["database_url"]) >= {"fieldfare-api", "fieldfare-worker"}
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(STOP_PATIENCE_S) == 0
        assert not demo_file.exists()
        assert not any(lives(pid) for pid in up.pids.values())
    with running(home) as again:
        assert again.demo["live_token"] == up.demo["live_token"]
        assert has_order(again, purchase_id)
        assert again.ask("/api/credits/balance")[1] == after


def test_a_second_start_is_refused_and_ctrl_c_stops_in_order(kept_home: Path) -> None:
    with running(kept_home) as up:
        line = refused(kept_home, free_port(neighbours=6))
        assert f"runs already on {kept_home} (pid {up.process.pid})" in line
        assert f"kill {up.process.pid}" in line
        assert (kept_home / "demo.json").exists()
        assert up.ask("/readyz")[0] == 200

        up.process.send_signal(signal.SIGINT)
        up.process.send_signal(signal.SIGINT)  # an impatient second one changes nothing
        assert up.process.wait(STOP_PATIENCE_S) == 0
        told = up.output.read_text()
        order = [told.index(f"{part} stopped") for part in ("api", "worker", "database server")]
        assert order == sorted(order)
        assert not (kept_home / "demo.json").exists()


def test_kill_9_loses_nothing_and_the_next_start_comes_up(kept_home: Path) -> None:
    """Of one part after the other, and of what was left over by the kill before."""
    bought: list[str] = []
    killed: dict[str, int] = {}
    for victims in (["postgres"], ["api"], ["up"], ["postgres", "up"]):
        with running(kept_home) as up:
            check_it_came_back(up, bought, killed)
            bought.append(place_order(up))
            for victim in victims:
                os.kill({**up.pids, "up": up.process.pid}[victim], signal.SIGKILL)
            status = up.process.wait(STOP_PATIENCE_S)
            if "up" not in victims:
                assert status == 1
                check_it_told_and_stopped(up, victims[0])
            killed = up.pids
    with running(kept_home) as again:
        check_it_came_back(again, bought, killed)


def check_it_came_back(up: Up, bought: list[str], killed: dict[str, int]) -> None:
    """Every order is there, and nothing is left of who was killed."""
    assert all(has_order(up, purchase_id) for purchase_id in bought)
    wait_until_gone(killed)


def check_it_told_and_stopped(up: Up, victim: str) -> None:
    """The dead part is named with its log, the rest is down, and demo.json is gone."""
    told = up.output.read_text()
    log = up.home / "log" / f"{victim}.log"
    assert f"the {victim} stopped by itself (SIGKILL); the end of {log}:" in told
    assert not any(lives(pid) for pid in up.pids.values())
    assert not (up.home / "demo.json").exists()


def test_a_lock_file_that_names_a_foreign_process(kept_home: Path) -> None:
    data = kept_home / "postgres" / "data"
    with running(kept_home) as up:
        purchase_id = place_order(up)
        for pid in (up.process.pid, up.pids["postgres"]):
            os.kill(pid, signal.SIGKILL)
    with subprocess.Popen(
        ["sleep", "300"], user=data.stat().st_uid if os.geteuid() == 0 else None
    ) as sleeper:
        lock_file = data / "postmaster.pid"
        lines = lock_file.read_text().splitlines()
        lock_file.write_text("\n".join([str(sleeper.pid), *lines[1:]]) + "\n")
        with running(kept_home) as again:
            assert has_order(again, purchase_id)
        assert sleeper.poll() is None
        sleeper.kill()


@pytest.mark.parametrize(("offset", "part"), [(0, "api"), (1, "database server")])
def test_a_taken_port_is_named_with_its_holder(home: Path, offset: int, part: str) -> None:
    port = free_port(neighbours=6)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port + offset))
        holder.listen()
        line = refused(home, port)
    assert f"port {port + offset}, wanted by the {part}, is in use by" in line
    assert f"(pid {os.getpid()})" in line
    assert "FIELDFARE_PORT" in line


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            {"DATABASE_URL": "postgresql://me:hush-hush@127.0.0.1:1/none"},
            "does not let us in .*refused.*; start it .*unset DATABASE_URL",
        ),
        ({"DATABASE_URL": "mysql://127.0.0.1/x"}, "DATABASE_URL must look like"),
        ({"FIELDFARE_HOST": "198.51.100.7"}, r"cannot listen on 198\.51\.100\.7.*FIELDFARE_HOST"),
        ({"FIELDFARE_PORT": "no"}, "FIELDFARE_PORT must be a whole number"),
        ({"FIELDFARE_HOME": "/dev/null/x"}, "/dev/null/x cannot be used .*set FIELDFARE_HOME"),
    ],
)
def test_what_cannot_be_used_is_one_line_with_the_next_step(
    home: Path, more: dict[str, str], told: str
) -> None:
    line = refused(home, free_port(neighbours=6), **more)
    assert "hush-hush" not in line
    assert re.search(told, line), line
    assert not (home / "demo.json").exists()


def test_any_server_by_its_address(home: Path, database_url: str) -> None:
    with running(home, DATABASE_URL=database_url) as up:
        assert set(up.pids) == {"api", "worker", "stripe", "mail"}
        assert up.demo["database_url"] == database_url
        assert not (home / "postgres").exists()
        assert has_order(up, place_order(up))
