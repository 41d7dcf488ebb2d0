"""The server that all tests of a process share: thrown away at the end, nothing of it durable.

Where the machine has a file system in memory with room enough, its files lie there. A database is
a thousand files, and on a busy disk the kernel spends ten times as long on copying them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import sqlalchemy
from psycopg import sql

from fieldfare.db import embedded
from tests.support.databases import FAST_AND_FORGETFUL
from tests.support.memory import quick_folder


@contextmanager
def throwaway_server(folder: Path) -> Iterator[str]:
    """A new server, its files in memory or else in `folder`; gives its address."""
    with quick_folder(folder) as home:
        server = embedded.start(home, embedded.free_port(), options=FAST_AND_FORGETFUL)
        try:
            _make_log_in_cheap(server.url)
            yield server.url
        finally:
            embedded.stop(server)


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
