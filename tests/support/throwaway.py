"""The server that all tests of a process share: thrown away at the end, nothing of it durable.

Where the machine has a file system in memory with room enough, its files lie there. A database is
a thousand files, and on a busy disk the kernel spends ten times as long on copying them.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import getpid
from pathlib import Path

import psutil
import psycopg
import sqlalchemy
from psycopg import sql

from fieldfare.db import embedded
from tests.support.databases import FAST_AND_FORGETFUL

IN_MEMORY = Path("/dev/shm")
ROOM_BYTES = 3_000_000_000
"""Ten times what such a server comes to hold."""
_PREFIX = "fieldfare-tests-"


@contextmanager
def throwaway_server(folder: Path) -> Iterator[str]:
    """A new server, its files in memory or else in `folder`; gives its address."""
    with _home(folder) as home:
        server = embedded.start(home, embedded.free_port(), options=FAST_AND_FORGETFUL)
        try:
            _make_log_in_cheap(server.url)
            yield server.url
        finally:
            embedded.stop(server)


@contextmanager
def _home(folder: Path) -> Iterator[Path]:
    if not _has_room(IN_MEMORY):
        yield folder
        return
    _remove_leftovers()
    home = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{getpid()}-", dir=IN_MEMORY))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _has_room(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free > ROOM_BYTES
    except OSError:  # there is no such folder: not every system has one
        return False


def _remove_leftovers() -> None:
    # Of a run that was killed; its server has ended with it.
    for left in IN_MEMORY.glob(f"{_PREFIX}*"):
        if not psutil.pid_exists(int(left.name.removeprefix(_PREFIX).partition("-")[0])):
            shutil.rmtree(left, ignore_errors=True)


def _make_log_in_cheap(server_url: str) -> None:
    # Thousands of connections are opened, and 4,096 rounds of hashing are most of what one costs.
    url = sqlalchemy.make_url(server_url)
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute("set scram_iterations = 1")
        conn.execute(
            sql.SQL("alter role {} password {}").format(
                sql.Identifier(url.username or ""), sql.Literal(url.password)
            )
        )
