"""What the tidy tests share: databases that live as long as one test module."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.databases import new_database


@pytest.fixture(scope="module")
def migrated_url(server_url: str, template: str) -> Iterator[str]:
    """A migrated database that the tests of one module share: each writes rows of its own."""
    with new_database(server_url, template=template) as url:
        yield url


@pytest.fixture(scope="module")
def migrated(migrated_url: str) -> Iterator[psycopg.Connection]:
    """A connection to it."""
    with psycopg.connect(migrated_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    """A database that nothing was done to."""
    with new_database(server_url) as url:
        yield url


@pytest.fixture
def conn(database_url: str) -> Iterator[psycopg.Connection]:
    """A connection to a fresh migrated database, in which a test may write."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection
