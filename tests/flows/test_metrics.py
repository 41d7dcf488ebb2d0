"""`/metrics` as an operator reads it: one page for all processes of a machine, whatever dies."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fieldfare.db.embedded import free_port
from fieldfare.telemetry.families import MONEY, ORDER_OUTCOMES
from fieldfare.telemetry.meters import Counter
from tests.support.cards import ORDER_CENTS, CardShop
from tests.support.processes import ApiProcess
from tests.support.refunds import refund
from tests.support.world import World, make_world

PATIENCE_S = 30.0
ORDER = {"tons": 0.01, "paymentMethod": "credits"}
REQUESTS = "fieldfare_http_request_duration_seconds"
SERVED = {"method": "POST", "route": "/api/offset-orders", "status": "200"}
SAYS_LATE = """
    insert into notifications.outbox (id, topic, subject_id, due_at, created_at)
        values
            (gen_random_uuid(), 'of_tomorrow', gen_random_uuid(), now() - interval '1 hour', now());
    insert into payments.exception (id, kind, subject, detail, opened_at)
        values (gen_random_uuid(), 'mismatch', 'a', 'b', now()),
            (gen_random_uuid(), 'mismatch', 'c', 'd', now());
    insert into pgqueuer.pgqueuer (priority, status, entrypoint)
        values (0, 'failed', 'receipt_due');
"""


class Page(msgspec.Struct, frozen=True):
    """What a scrape brought: numbers by name and labels."""

    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def number(self, name: str, **labels: str) -> float | None:
        """One of them; None if it is not told."""
        return self.samples.get((name, frozenset(labels.items())))


class Machine:
    """An API of two processes and a worker, whose metrics are on a port of their own."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.metrics_port = free_port()
        self._environment = {
            "FIELDFARE_PROCESSES": "2",
            "FIELDFARE_POOL_SIZE": "4",
            "FIELDFARE_METRICS_PORT": str(self.metrics_port),
            "FIELDFARE_HOME": str(folder / "home"),
        }
        self.database_url = database_url
        self.folder = folder / "home" / "metrics"
        self.api = ApiProcess(database_url, folder / "api.log", environment=self._environment)
        self._worker_log = (folder / "worker.log").open("wb")
        self.worker = self._run("worker")

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "fieldfare.cli.main", *command],
            env={
                **os.environ,
                **self._environment,
                "DATABASE_URL": self.database_url,
                "PYTHONPATH": "src",
            },
            stdout=self._worker_log,
            stderr=subprocess.STDOUT,
        )

    def command(self, *words: str) -> int:
        """A command of the same machine; gives its exit code."""
        return self._run(*words).wait(PATIENCE_S)

    def scrape(self) -> Page:
        """What one scrape brings."""
        answer = httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10)
        assert answer.status_code == 200, answer.text
        return Page({
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        })  # fmt: skip

    def scrape_until(self, holds: Callable[[Page], bool]) -> Page:
        """The first of several scrapes that `holds`; they are up to a second behind."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds(page := self.scrape()):
            assert time.monotonic() < deadline, page.samples
            time.sleep(0.2)
        return page

    def order(self, token: str, key: str) -> dict[str, Any]:
        """Buy something from credits, on a connection of its own."""
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
        url = f"{self.api.base_url}/api/offset-orders"
        answer = httpx.post(url, json=ORDER, headers=headers, timeout=20)
        assert answer.status_code == 200, answer.text
        bought: dict[str, Any] = answer.json()
        return bought

    def processes(self, module: str) -> list[psutil.Process]:
        """Those that `fieldfare serve` has started to run `module`."""
        started = psutil.Process(self.api.pid).children()
        return [one for one in started if module in one.cmdline()]

    def stop(self) -> None:
        """End everything."""
        self.worker.send_signal(signal.SIGTERM)
        self.api.stop()
        self.worker.wait(PATIENCE_S)
        self._worker_log.close()


@contextmanager
def running(database_url: str, folder: Path) -> Iterator[Machine]:
    machine = Machine(database_url, folder)
    try:
        machine.api.wait_until_ready()
        yield machine
    finally:
        machine.stop()


def paid(page: Page) -> float | None:
    return page.number("fieldfare_orders_total", kind="offset", method="credits", outcome="paid")


def test_one_scrape_shows_all_processes_and_what_has_died_still_counts(
    database_url: str, tmp_path: Path
) -> None:
    team: World = asyncio.run(make_world(database_url))
    with running(database_url, tmp_path) as machine:
        machine.scrape_until(
            lambda page: (
                page.number("fieldfare_processes", role="api") == 2
                and page.number("fieldfare_processes", role="worker") == 1
            )
        )
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: machine.order(team.live_token, f"k-{n}"), range(40)))
        for number in range(3):
            bought = machine.order(team.live_token, f"k-{number}")  # told again, not made again
        page = machine.scrape_until(
            lambda page: paid(page) == 40 and page.number(f"{REQUESTS}_count", **SERVED) == 43
        )
        _check_what_was_counted(machine, page)
        assert machine.command("refund", bought["purchaseId"]) == 0
        back = {"kind": "refund", "method": "credits", "currency": "USD"}
        page = machine.scrape()
        assert page.number(MONEY.name, **back) == bought["amountCharged"]

        machine.processes("fieldfare.cli.serving")[0].kill()
        page = machine.scrape_until(
            lambda page: (
                page.number("fieldfare_process_restarts_total", role="api") == 1
                and page.number("fieldfare_processes", role="api") == 2
            )
        )
        assert paid(page) == 40
        for path in ("/nothing/a", "/nothing/b"):
            httpx.head(f"{machine.api.base_url}{path}")
        other = {"method": "HEAD", "route": "other", "status": "404"}
        page = machine.scrape_until(lambda page: page.number(f"{REQUESTS}_count", **other) == 2)
        _check_what_stands_in_the_database(machine)

        machine.processes("fieldfare.cli.exporting")[0].kill()
        page = machine.scrape_until(
            lambda page: page.number("fieldfare_process_restarts_total", role="metrics") == 1
        )
        assert paid(page) == 40
        refused = subprocess.run(
            [sys.executable, "-m", "fieldfare.cli.main", "metrics"],
            env={**os.environ, "PYTHONPATH": "src", "FIELDFARE_HOME": str(tmp_path / "home"),
                 "FIELDFARE_METRICS_PORT": str(machine.metrics_port)},
            capture_output=True, text=True, check=False, timeout=PATIENCE_S,
        )  # fmt: skip
        assert refused.returncode == 1
        assert "set FIELDFARE_METRICS_PORT to another port" in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1


def _check_what_was_counted(machine: Machine, page: Page) -> None:
    assert page.number(f"{REQUESTS}_bucket", le="+Inf", **SERVED) == 43
    with psycopg.connect(machine.database_url) as conn:
        row = conn.execute("select sum(amount_cents), count(*) from orders.purchase").fetchone()
    money = {"kind": "order", "method": "credits", "currency": "USD"}
    assert row is not None
    assert page.number(MONEY.name, **money) == row[0]
    # Those that were told again took part in a commit as well: it is what found them.
    assert page.number("fieldfare_group_commit_orders_sum") == 43
    assert page.number("fieldfare_group_commit_duration_seconds_count", outcome="committed")
    assert page.number("fieldfare_database_connections_max", role="api") == 8
    assert page.number("fieldfare_build_info", version="0.1.0", schema=_schema(machine)) == 1
    made = {"job_name": "make_partitions", "outcome": "done"}
    machine.scrape_until(
        lambda page: page.number("fieldfare_job_duration_seconds_count", **made) == 1
    )
    public = httpx.get(f"{machine.api.base_url}/metrics")
    assert public.status_code == 404


def _schema(machine: Machine) -> str:
    with psycopg.connect(machine.database_url) as conn:
        row = conn.execute("select version_num from alembic_version").fetchone()
    assert row is not None
    return str(row[0])


def _check_what_stands_in_the_database(machine: Machine) -> None:
    before = machine.scrape()
    assert before.number("fieldfare_unknown_outcomes", kind="refund") == 0
    assert before.number("fieldfare_exceptions_open", kind="mismatch") is None
    with psycopg.connect(machine.database_url) as conn:
        conn.execute(SAYS_LATE)
    page = machine.scrape_until(
        lambda page: page.number("fieldfare_exceptions_open", kind="mismatch") == 2
    )
    assert page.number("fieldfare_outbox_rows", state="due") == 1
    age_s = page.number("fieldfare_outbox_oldest_due_seconds")
    assert age_s == pytest.approx(3_650, abs=50)
    assert page.number("fieldfare_jobs", job_name="receipt_due", state="held") == 1
    ahead_s = page.number("fieldfare_partitions_ahead_seconds", table="orders.purchase")
    assert ahead_s == pytest.approx(410 * 86_400, abs=50 * 86_400)
    assert page.number("fieldfare_database_readable") == 1


def test_a_database_that_is_away_leaves_out_what_stands_in_it(tmp_path: Path) -> None:
    port = free_port()
    environment = {
        "FIELDFARE_METRICS_PORT": str(port), "FIELDFARE_HOME": str(tmp_path),
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none", "PYTHONPATH": "src",
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "fieldfare.cli.main", "metrics"], env={**os.environ, **environment}
    ) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(transport=httpx.HTTPTransport(retries=10)) as http:
                page = http.get(f"{url}/metrics", timeout=10).text
                assert http.get(url).status_code == 404
                assert http.post(f"{url}/metrics").status_code == 405
            assert "\nfieldfare_database_readable 0.0\n" in page
            assert "\n# TYPE fieldfare_exceptions_open gauge\n" in page
            assert "\nfieldfare_outbox_rows{" not in page
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0


@pytest.fixture
def counted() -> Callable[[Counter], dict[tuple[str, ...], float]]:
    """What has been added to a counter since the test began, in this process."""
    before = {meter.name: dict(_numbers(meter)) for meter in (MONEY, ORDER_OUTCOMES)}

    def since(meter: Counter) -> dict[tuple[str, ...], float]:
        grown = {
            labels: number - before[meter.name].get(labels, 0)
            for labels, number in _numbers(meter).items()
        }
        return {labels: number for labels, number in grown.items() if number}

    return since


def _numbers(meter: Counter) -> dict[tuple[str, ...], float]:
    return {labels: cell[0] for labels, cell in meter.samples()}


def test_what_moves_by_card_is_counted_once_it_is_committed(
    shop: CardShop, counted: Callable[[Counter], dict[tuple[str, ...], float]]
) -> None:
    team, unlucky = shop.team(), shop.team(card="pm_card_chargeDeclined")
    bought = shop.order(team).json()
    assert shop.order(unlucky).status_code == 400
    assert counted(ORDER_OUTCOMES) == {
        ("offset", "card", "paid"): 1,
        ("offset", "card", "failed"): 1,
    }
    assert refund(shop, bought["purchaseId"]).state == "succeeded"
    assert shop.top_up(team).status_code == 200
    shop.work()
    assert counted(MONEY) == {
        ("order", "card", "USD"): ORDER_CENTS,
        ("refund", "card", "USD"): ORDER_CENTS,
        ("top_up", "card", "USD"): 5_000,
    }
