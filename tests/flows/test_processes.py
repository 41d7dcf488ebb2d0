"""`fieldfare serve` with several processes: shared work, deaths, and every way to stop."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from fieldfare.db import embedded
from tests.support.processes import ApiProcess, run_verify
from tests.support.world import World, make_world

PATIENCE_S = 30.0
ORDER = {"tons": 0.01, "paymentMethod": "credits"}


@pytest.fixture
def team(database_url: str) -> World:
    """Somebody with credits."""
    return asyncio.run(make_world(database_url))


@contextmanager
def served_by(
    database_url: str, folder: Path, processes: int, port: int | None = None
) -> Iterator[ApiProcess]:
    """`fieldfare serve` with so many processes, all of them listening."""
    api = ApiProcess(
        database_url,
        folder / "api.log",
        port,
        environment={"FIELDFARE_PROCESSES": str(processes)},
    )
    try:
        api.wait_until_ready()
        if processes > 1:
            until(lambda: len(listening(api)) == processes)
        yield api
    finally:
        api.stop()


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def children(api: ApiProcess) -> list[psutil.Process]:
    return psutil.Process(api.pid).children()


def listening(api: ApiProcess) -> set[int]:
    """The children that take connections on the port."""
    return {child.pid for child in children(api) if _listens(child, api.port)}


def _listens(process: psutil.Process, port: int) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(
            at.status == psutil.CONN_LISTEN and at.laddr.port == port
            for at in process.net_connections("tcp")
        )
    return False


def served(api: ApiProcess) -> set[int]:
    """The children that have a connection under way."""
    return {
        child.pid
        for child in children(api)
        if any(
            at.status == psutil.CONN_ESTABLISHED and at.laddr.port == api.port
            for at in child.net_connections("tcp")
        )
    }


def order(api: ApiProcess, token: str, key: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    url = f"{api.base_url}/api/offset-orders"
    return httpx.post(url, json=ORDER, headers=headers, timeout=20)


def lives(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def test_connections_are_dealt_out_and_all_sell(
    database_url: str, team: World, tmp_path: Path
) -> None:
    with served_by(database_url, tmp_path, 2) as api:
        clients = [socket.create_connection(("127.0.0.1", api.port)) for _ in range(32)]
        until(lambda: len(served(api)) == 2)
        for client in clients:
            client.close()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: order(api, team.live_token, f"k-{n}"), range(64)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["id"] for answer in answers}) == 64
        assert api.stop() == 0
    verified = run_verify(database_url)
    assert verified.returncode == 0, verified.stdout


def test_one_process_is_this_very_one(database_url: str, tmp_path: Path) -> None:
    with served_by(database_url, tmp_path, 1) as api:
        assert children(api) == []
        assert _listens(psutil.Process(api.pid), api.port)
        assert api.stop() == 0


def test_who_dies_is_started_again_and_the_others_serve_on(
    database_url: str, tmp_path: Path
) -> None:
    with served_by(database_url, tmp_path, 2) as api:
        killed = min(listening(api))
        os.kill(killed, signal.SIGKILL)
        until(lambda: killed not in listening(api))
        for _ in range(20):
            assert httpx.get(f"{api.base_url}/healthz", timeout=10).status_code == 200
        until(lambda: len(listening(api)) == 2)
        log = api.log.read_text()
        assert f'"pid": {killed}, "status": -9, "starts_again_in_s": 0.2' in log
        assert '"event": "api_process_died"' in log


def test_who_keeps_dying_rests_longer_each_time(database_url: str, tmp_path: Path) -> None:
    with served_by(database_url, tmp_path, 2) as api:
        for rest_s in (0.2, 0.4, 0.8):
            spared, *_ = sorted(children(api), key=lambda child: child.create_time())
            until(lambda: len(listening(api)) == 2)
            newest = max(listening(api) - {spared.pid})
            os.kill(newest, signal.SIGKILL)
            told = f'"starts_again_in_s": {rest_s}'
            until(partial(_says, api, told))


def _says(api: ApiProcess, told: str) -> bool:
    return told in api.log.read_text()


@pytest.mark.parametrize("processes", [1, 2])
def test_none_outlives_a_kill_of_the_first(
    database_url: str, tmp_path: Path, processes: int
) -> None:
    with served_by(database_url, tmp_path, processes) as api:
        pids = [child.pid for child in children(api)]
        os.kill(pids[-1] if pids else api.pid, signal.SIGSTOP)  # who could not even notice
        api.kill()
        until(lambda: not any(lives(pid) for pid in pids))
    with served_by(database_url, tmp_path, processes, api.port) as again:
        assert httpx.get(f"{again.base_url}/healthz", timeout=10).status_code == 200


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("processes", [1, 2])
def test_what_is_under_way_is_answered_and_what_comes_then_is_not_begun(
    database_url: str, team: World, tmp_path: Path, processes: int, signum: signal.Signals
) -> None:
    headers = {"Authorization": f"Bearer {team.live_token}"}
    with served_by(database_url, tmp_path, processes) as api:
        with (
            psycopg.connect(database_url) as holder,
            ThreadPoolExecutor(16) as pool,
            contextlib.ExitStack() as opened,
        ):
            # Enough that each process has one of them.
            clients = [
                opened.enter_context(httpx.Client(base_url=api.base_url, headers=headers))
                for _ in range(16)
            ]
            for client in clients:
                assert client.get("/healthz").status_code == 200
            holder.execute("select 1 from ledger.wallet for update")
            under_way = pool.submit(order, api, team.live_token, "under-way")
            until(lambda: _waits_for_a_lock(database_url))
            os.kill(api.pid, signum)
            until(lambda: not _takes_connections(api.port))
            time.sleep(0.12)  # a tick of the server
            # What is ready before it is asked for is refused as well.
            refused = [
                *pool.map(_order_late, clients[::2]),
                *pool.map(lambda client: client.get("/api/portfolios"), clients[1::2]),
            ]
            holder.rollback()
            assert under_way.result().status_code == 200
        assert api.stop() == 0
    for answer in refused:
        assert answer.status_code == 503
        assert answer.json()["code"] == "stopping"
        assert answer.headers["Retry-After"] == "1"
        assert answer.headers["Connection"] == "close"
        assert answer.headers["X-Request-Id"]
    with psycopg.connect(database_url) as conn:
        purchases = conn.execute("select count(*) from orders.purchase").fetchone()
        keys = conn.execute("select count(*) from http.idempotency_key").fetchone()
    assert (purchases, keys) == ((1,), (1,))


def _order_late(client: httpx.Client) -> httpx.Response:
    return client.post("/api/offset-orders", json=ORDER, headers={"Idempotency-Key": "late"})


def _waits_for_a_lock(database_url: str) -> bool:
    with psycopg.connect(database_url) as conn:
        row = conn.execute(
            "select 1 from pg_stat_activity where datname = current_database()"
            " and wait_event_type = 'Lock'"
        ).fetchone()
    return row is not None


def _takes_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_signal_before_it_serves_stops_it(database_url: str, tmp_path: Path) -> None:
    for wait_s in (0.3, 0.6, 0.9, 1.2):
        api = ApiProcess(
            database_url, tmp_path / "api.log", environment={"FIELDFARE_PROCESSES": "2"}
        )
        time.sleep(wait_s)
        started = time.monotonic()
        pids = [child.pid for child in children(api)]
        assert api.stop() in {0, -signal.SIGTERM}
        assert time.monotonic() - started < 10
        assert not any(lives(pid) for pid in pids)


def test_a_taken_port_is_told_in_one_line(database_url: str, tmp_path: Path) -> None:
    with served_by(database_url, tmp_path, 2) as api:
        told = _refused(database_url, FIELDFARE_PORT=str(api.port), FIELDFARE_PROCESSES="2")
    assert told.startswith(f"fieldfare: cannot listen on 127.0.0.1 port {api.port} (Address alre")


def test_too_many_connections_are_refused_at_the_start(database_url: str) -> None:
    told = _refused(database_url, FIELDFARE_PROCESSES="3", FIELDFARE_POOL_SIZE="200")
    with psycopg.connect(database_url) as conn:
        row = conn.execute(
            "select current_setting('max_connections')::int - sum(setting::int) from pg_settings"
            " where name in ('superuser_reserved_connections', 'reserved_connections')"
        ).fetchone()
    assert row is not None
    assert told == (
        "fieldfare: 3 processes of the API and the worker need 800 database connections and the "
        f"server gives {row[0]}; set FIELDFARE_POOL_SIZE (now 200) or FIELDFARE_PROCESSES lower, "
        "or raise the server's max_connections"
    )


@pytest.mark.parametrize("processes", ["1", "2"])
def test_settings_by_which_none_can_serve_end_the_start(database_url: str, processes: str) -> None:
    ran = _run(
        database_url,
        FIELDFARE_PORT=str(embedded.free_port()),
        FIELDFARE_PROCESSES=processes,
        FIELDFARE_CERTIFICATE_KEY="secret",
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    told = ran.stderr.splitlines()
    assert len(told) >= int(processes)
    (line,) = set(told)
    assert line.startswith("fieldfare: FIELDFARE_CERTIFICATE_KEY cannot be used: ")


def _refused(database_url: str, **variables: str) -> str:
    """The one line of a start that must not succeed."""
    ran = _run(database_url, **variables)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    (line,) = ran.stderr.splitlines()
    return line


def _run(database_url: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`fieldfare serve`, which must end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "fieldfare.cli.main", "serve"],
        env={**os.environ, "PYTHONPATH": "src", "DATABASE_URL": database_url, **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
