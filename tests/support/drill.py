"""A disaster and the way back: a server of its own, customers that go on ordering, the commands.

The server writes to memory where there is room, because a disaster is nothing that a disk is needed
for; everything else is as an operator has it.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import psycopg

from tests.support.cards import ORDER, PATH, Team

COMMAND_S = 180
PAUSE_S = 0.02


class Shell:
    """Commands of an operator, each a process of its own; what they said is kept."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._folder = folder
        self._environment = {**os.environ, "PYTHONPATH": "src", **environment}
        self.transcript: list[str] = []

    def run(self, *words: str, environment: Mapping[str, str] | None = None) -> str:
        """The lines that `fieldfare …` prints; it has to succeed."""
        done = subprocess.run(
            [sys.executable, "-m", "fieldfare.cli.main", *words],
            env={**self._environment, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        assert "Traceback" not in said
        self.say(f"$ fieldfare {' '.join(words)}", *said.splitlines())
        return said

    def say(self, *lines: str) -> None:
        """Lines of the transcript; an unimportant folder is not told of."""
        self.transcript += [line.replace(str(self._folder), "/srv") for line in lines]

    @contextmanager
    def running(self, *words: str, environment: Mapping[str, str]) -> Iterator[None]:
        """A command that runs on; killed at the end."""
        with (self._folder / f"{words[0]}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "fieldfare.cli.main", *words],
                env={**self._environment, **environment},
                stdout=log,
                stderr=log,
            )
        try:
            yield
        finally:
            process.kill()
            process.wait()


class Answered(msgspec.Struct, frozen=True):
    """An order that a client was told is paid."""

    id: str
    """Of its charge, or its own if it was paid from credits."""
    before: datetime
    """It was asked for after this instant, and answered `by` that one."""
    by: datetime


class Customers:
    """Two who order one after the other for as long as they are let: by card, and from credits."""

    def __init__(self, base_url: str, team: Team) -> None:
        self.answered: list[Answered] = []
        self.refused: list[str] = []
        self._team = team
        self._base_url = base_url
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._order, args=(fields,))
            for fields in ({}, {"paymentMethod": "credits"})
        ]

    @contextmanager
    def ordering(self) -> Iterator["Customers"]:
        """They order within the block."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(60)

    def _order(self, fields: dict[str, str]) -> None:
        headers = {"Authorization": f"Bearer {self._team.token}"}
        with httpx.Client(base_url=self._base_url, headers=headers, timeout=30) as http:
            while not self._stop.wait(PAUSE_S):
                with suppress(httpx.TransportError):
                    self._one(http, {**ORDER, **fields})

    def _one(self, http: httpx.Client, body: dict[str, object]) -> None:
        before = datetime.now(UTC)
        answer = http.post(PATH, json=body)
        if answer.status_code == 200:
            self.answered.append(Answered(answer.json()["id"], before, datetime.now(UTC)))
        else:
            self.refused.append(answer.text)

    def wait_for(self, more: int) -> None:
        """Return once so many more orders were answered."""
        due = len(self.answered) + more
        deadline = time.monotonic() + 60
        while len(self.answered) < due:
            assert time.monotonic() < deadline, self.refused[-3:]
            time.sleep(0.02)

    def told_between(self, since: datetime, until: datetime) -> list[Answered]:
        """Those that were asked for after one instant and answered by the other."""
        return [one for one in self.answered if since <= one.before and one.by <= until]


def orders_of(database_url: str) -> set[str]:
    """Every order of a database that is paid, by what its client knows it by."""
    with psycopg.connect(database_url) as conn:
        rows = conn.execute(
            "select coalesce(charge_id, id::text) from orders.purchase where state = 'paid'"
        ).fetchall()
        return {row[0] for row in rows}


def wait_until_streamed(database_url: str) -> None:
    """Return once the archive has all that is committed by now."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        row = conn.execute("select pg_current_wal_lsn()").fetchone()
        assert row is not None
        deadline = time.monotonic() + 30
        while not conn.execute(
            "select from pg_stat_replication"
            " where application_name = 'pg_receivewal' and write_lsn >= %s",
            row,
        ).fetchall():
            assert time.monotonic() < deadline, "the archive does not follow"
            time.sleep(0.1)


def kill_server(pid: int) -> None:
    """`kill -9` of a database server."""
    os.kill(pid, signal.SIGKILL)
