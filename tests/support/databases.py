"""Databases of a test's own on the server that all tests share."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import sqlalchemy

FAST_AND_FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "max_wal_size": "256MB",
    # Everything is in memory already: processes of its own that fetch pages only cost.
    "io_method": "sync",
}
"""What the server of tests is started with."""


def run_on_server(server_url: str, statement: str) -> None:
    """One statement outside any transaction, on the server's own database."""
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute(statement)


def url_of(server_url: str, database: str) -> str:
    """The address of another database on the same server."""
    url = sqlalchemy.make_url(server_url).set(database=database)
    return url.render_as_string(hide_password=False)


def name_in(database_url: str) -> str:
    """The name of the database at an address."""
    name = sqlalchemy.make_url(database_url).database
    assert name is not None
    return name


class Statements:
    """Statements one by one, each committed, over a connection that stays open.

    Opening one costs more than what most tests look at.
    """

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._conn: psycopg.Connection | None = None

    def run(self, query: str, parameters: Sequence[Any]) -> list[Any]:
        """The rows of a query; none for a statement without any."""
        try:
            return self._run(query, parameters)
        except psycopg.OperationalError:
            # The server was started anew, or has cut off whoever was connected.
            self.close()
            return self._run(query, parameters)

    def _run(self, query: str, parameters: Sequence[Any]) -> list[Any]:
        if self._conn is None:
            self._conn = psycopg.connect(self._url, autocommit=True)
        cursor = self._conn.execute(query, parameters)
        return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """Give the connection back."""
        if self._conn is not None:
            self._conn.close()
        self._conn = None


@contextmanager
def new_database(
    server_url: str, *, template: str = "template1", name: str = "test"
) -> Iterator[str]:
    """A copy of a database that nobody is connected to, dropped at the end; gives its address.

    What it is called begins with `name`, so that a server's list of databases can be read.
    """
    database = f"{name}_{uuid4().hex[:12]}"
    # Its files are copied as they are: through the server's log they would be written twice.
    run_on_server(server_url, f"create database {database} template {template} strategy file_copy")
    try:
        yield url_of(server_url, database)
    finally:
        run_on_server(server_url, f"drop database {database} with (force)")
