"""Books with a varied history, for tests that damage them.

It is written once for a module: it is damaged in transactions that are rolled back, or in copies.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from fieldfare.db.pool import Connection, connection, open_database
from tests.support.databases import name_in, new_database
from tests.support.history import write_history


@pytest.fixture(scope="module")
def books(server_url: str, template: str) -> Iterator[str]:
    """The address of a database with a varied history."""
    with new_database(server_url, template=template, name="books") as url:
        asyncio.run(write_history(url))
        yield url


@pytest.fixture
def copy_url(server_url: str, books: str) -> Iterator[str]:
    """A copy of those books, to be damaged for good."""
    with new_database(server_url, template=name_in(books), name="copy") as url:
        yield url


@pytest.fixture
async def conn(books: str) -> AsyncIterator[Connection]:
    """A connection to the books themselves: what is damaged must be rolled back."""
    db = await open_database(books, pool_size=2, application="tests")
    try:
        async with connection(db) as conn:
            yield conn
    finally:
        await db.close()
