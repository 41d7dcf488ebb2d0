"""Rivals of the product's sessions: what they lock, whom they make wait, and whom they outdo."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg

from tests.support.waiting import wait_until

T = TypeVar("T")

PATIENT = "set deadlock_timeout = '60s'"
"""Of two that wait for each other, it is the other one who finds out, and gives way."""
WAITING = (
    "select pid from pg_stat_activity where datname = current_database()"
    " and wait_event_type = 'Lock' and application_name <> 'rival'"
)


@contextmanager
def rival(database_url: str, *statements: str) -> Iterator["psycopg.Connection[Any]"]:
    """Somebody in a transaction who has carried these out; it is undone at the end."""
    with psycopg.connect(database_url, application_name="rival") as conn:
        for statement in statements:
            conn.execute(statement)
        yield conn
        conn.rollback()


def waiting_sessions(database_url: str) -> list[int]:
    """The sessions of the product that wait for a lock."""
    with psycopg.connect(database_url, application_name="rival") as conn:
        return [row[0] for row in conn.execute(WAITING)]


def outdone(database_url: str, work: Callable[[], T], *, waits_for: str, holds: str) -> T:
    """Run `work` into a deadlock with a rival that wins, once; gives what `work` gives.

    The rival has locked what `work` waits for by `waits_for`. Then it locks by `holds` what `work`
    has locked before: it gets that only because the server undoes the transaction of `work`.
    """
    with ThreadPoolExecutor(1) as pool:
        with rival(database_url) as watcher, rival(database_url, PATIENT, waits_for) as other:
            watcher.autocommit = True
            running = pool.submit(work)
            # A session looks for a deadlock once, a second after it has begun to wait.
            wait_until(lambda: watcher.execute(WAITING).fetchone() is not None, each_s=0.01)
            other.execute(holds)
        return running.result(60)
