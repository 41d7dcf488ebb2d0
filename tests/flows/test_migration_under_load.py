"""A release goes out while orders come in: the old and the new program on one database.

The new program is a copy of this one with two revisions more, of the kind that a release may have
(`docs/decisions/0002-schema-rules.md`): it adds columns, a table, a function, and an index
concurrently. So what is shown is that such revisions pass under load, that this program goes on
working on the schema they make, also when it is started anew, and that no order is lost, doubled or
told of a defect. That each real revision is of that kind is what `squawk` and review hold.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg

from fieldfare.db.revision import known_revisions
from tests.support.processes import ApiProcess, run_verify
from tests.support.releases import NextRelease
from tests.support.world import make_world

PATIENCE_S = 30.0
BODY = {"tons": 0.01, "paymentMethod": "credits"}


class Load:
    """Clients that order without pause, each with a key and until that order is answered 200."""

    def __init__(self, token: str, bases: list[str]) -> None:
        self.bases = bases
        self.told: Counter[tuple[int, str]] = Counter()
        self.paid: set[str] = set()
        self._headers = {"Authorization": f"Bearer {token}"}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._order, args=(n,)) for n in range(3)]

    @contextmanager
    def running(self) -> Iterator["Load"]:
        """They order within the block."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(PATIENCE_S)

    def _order(self, number: int) -> None:
        with httpx.Client(headers=self._headers, timeout=30) as http:
            while not self._stop.wait(0.05):
                key = str(uuid4())
                deadline = time.monotonic() + PATIENCE_S
                # To the end even when it is told to stop: whatever was begun is to be known.
                while time.monotonic() < deadline and not self._is_answered(http, key, number):
                    number += 1
                    time.sleep(0.1)

    def _is_answered(self, http: httpx.Client, key: str, number: int) -> bool:
        url = f"{self.bases[number % len(self.bases)]}/api/offset-orders"
        with suppress(httpx.TransportError):
            answer = http.post(url, json=BODY, headers={"Idempotency-Key": key})
            self.told[answer.status_code, answer.json().get("code", "")] += 1
            if answer.status_code == 200:
                self.paid.add(answer.json()["id"])
                return True
        return False

    def wait_for(self, more: int) -> None:
        """Return once so many more are paid."""
        due = len(self.paid) + more
        deadline = time.monotonic() + PATIENCE_S
        while len(self.paid) < due:
            assert time.monotonic() < deadline, self.told
            time.sleep(0.05)


def revision_of(database_url: str) -> str:
    with psycopg.connect(database_url) as conn:
        row = conn.execute("select version_num from alembic_version").fetchone()
        assert row is not None
        return str(row[0])


def test_old_and_new_program_sell_from_one_database_while_it_is_migrated(
    database_url: str, tmp_path: Path
) -> None:
    world = asyncio.run(make_world(database_url))
    following = NextRelease(tmp_path / "next")
    head = known_revisions()[-1]
    with ExitStack() as stack:
        old = [started(stack, database_url, tmp_path / f"old-{n}.log") for n in range(2)]
        bases = [one.base_url for one in old]
        load = stack.enter_context(Load(world.live_token, bases).running())
        load.wait_for(5)

        # A long reader is in the way: the migration gives up and leaves everything as it was.
        with psycopg.connect(database_url) as reader:
            reader.execute("lock table orders.purchase in access share mode")
            began = time.monotonic()
            refused = following.run(database_url, "migrate")
            assert (refused.returncode, "was undone" in refused.stderr) == (1, True), refused
            assert time.monotonic() - began >= 4
        assert revision_of(database_url) == head
        load.wait_for(5)

        migrated = following.run(database_url, "migrate")
        assert migrated.returncode == 0, migrated.stderr
        assert revision_of(database_url) == following.revisions[-1]
        load.wait_for(5)

        # The new program comes beside the old one, and an old process dies and is started anew.
        new = started(stack, database_url, tmp_path / "new.log", following.environment)
        bases.append(new.base_url)
        old[0].kill()
        bases[0] = started(stack, database_url, tmp_path / "old-again.log").base_url
        load.wait_for(15)
        bases[:] = [new.base_url]
        load.wait_for(5)

    defects = {told: times for told, times in load.told.items() if told[0] not in {200, 409, 503}}
    assert not defects
    with psycopg.connect(database_url) as conn:
        kept = {row[0] for row in conn.execute("select id::text from orders.purchase")}
    assert kept == load.paid, "an order is lost, or there is one that nobody was told of"
    verified = following.run(database_url, "verify")
    assert verified.returncode == 0, verified.stdout
    assert run_verify(database_url).returncode == 0
    assert old[1].stop() == 0


def started(
    stack: ExitStack, database_url: str, log: Path, environment: dict[str, str] | None = None
) -> ApiProcess:
    """A ready process of the API, stopped at the end."""
    process = ApiProcess(database_url, log, environment=environment)
    stack.callback(process.stop)
    process.wait_until_ready()
    return process
