"""Fixtures that every test shares: a real PostgreSQL, a fresh migrated database for each test.

One server for each test process, with durability off; one template database, migrated once; each
test gets a copy of it. `FIELDFARE_TEST_SERVER_URL` names another server instead, of any version
from 15 on, whose user may create databases.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
import sqlalchemy

from fieldfare.db import embedded
from fieldfare.db.migrate import migrate
from fieldfare.db.pool import Database, open_database
from fieldfare.settings import Settings
from tests.support.client import Api
from tests.support.server import running_api
from tests.support.world import World, build_world

FAST_AND_FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
}


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Asynchronous tests run on the loop that the product runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose databases a test may make and drop."""
    named = os.environ.get("FIELDFARE_TEST_SERVER_URL")
    if named:
        yield named
        return
    home: Path = tmp_path_factory.mktemp("postgres")
    server = embedded.start(home, embedded.free_port(), options=FAST_AND_FORGETFUL)
    try:
        yield server.url
    finally:
        embedded.stop(server)


def run_on_server(server_url: str, statement: str) -> None:
    """One statement outside any transaction, on the server's own database."""
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute(statement)


def url_of(server_url: str, database: str) -> str:
    """The address of another database on the same server."""
    url = sqlalchemy.make_url(server_url).set(database=database)
    return url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """The name of a migrated database that nobody is connected to."""
    name = f"template_{uuid4().hex[:12]}"
    run_on_server(server_url, f"create database {name}")
    migrate(url_of(server_url, name))
    yield name
    run_on_server(server_url, f"drop database {name} with (force)")


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """A fresh migrated database."""
    name = f"test_{uuid4().hex[:12]}"
    run_on_server(server_url, f"create database {name} template {template}")
    yield url_of(server_url, name)
    run_on_server(server_url, f"drop database {name} with (force)")


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """A pool on a fresh migrated database."""
    database = await open_database(database_url, pool_size=10, application="tests")
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def world(db: Database) -> World:
    """The demo catalogue and accounts with tokens and credits."""
    return await build_world(db)


@pytest.fixture(scope="session")
def shared_server(server_url: str, template: str) -> Iterator[tuple[str, str]]:
    """One running application for all tests of this process: its base URL and its database."""
    name = f"shared_{uuid4().hex[:12]}"
    run_on_server(server_url, f"create database {name} template {template}")
    settings = Settings(database_url=url_of(server_url, name), pool_size=10)
    with running_api(settings) as base_url:
        yield base_url, url_of(server_url, name)


@pytest.fixture
def api(shared_server: tuple[str, str]) -> Iterator[Api]:
    """The real application on a real port; accounts of this test's own, beside other tests'."""
    base_url, database_url = shared_server
    world = asyncio.run(make_world(database_url))
    with httpx.Client(base_url=base_url, timeout=30) as http:
        yield Api(base_url, database_url, world, http)


@pytest.fixture
def own_api(database_url: str) -> Iterator[Api]:
    """The same on a database that no other test touches; it takes a second longer."""
    world = asyncio.run(make_world(database_url))
    settings = Settings(database_url=database_url, pool_size=10)
    with running_api(settings) as base_url, httpx.Client(base_url=base_url, timeout=30) as http:
        yield Api(base_url, database_url, world, http)


async def make_world(database_url: str) -> World:
    """`build_world` for a test that is no coroutine itself."""
    database = await open_database(database_url, pool_size=2, application="tests")
    try:
        return await build_world(database)
    finally:
        await database.close()
