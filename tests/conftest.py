"""Fixtures that every test shares: a real PostgreSQL, the API, a shop that takes cards, a mailbox.

One server for each test process, with durability off; one template database, migrated once, and
copies of it for whoever needs one. How they are shared stands in `docs/testing.md`.
`FIELDFARE_TEST_SERVER_URL` names another server instead, of any version
from 15 on, whose user may create databases.

A fixture that begins with `open_` lives as long as a module; the one of the same name without it is
that, with no memory of other tests.
"""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import structlog
import uvloop
from hypothesis import settings

from fieldfare.db.migrate import migrate
from fieldfare.db.pool import Database, open_database
from fieldfare.settings import Settings
from tests.support.cards import CardShop, card_shop
from tests.support.certificates import CERTIFICATE_KEY
from tests.support.client import Api
from tests.support.databases import name_in, new_database
from tests.support.mail_sink import MailSink, running_sink
from tests.support.server import running_api
from tests.support.throwaway import throwaway_server
from tests.support.world import World, build_world, make_world

# Tests and the processes that they start speak to this machine alone, without TLS, yet every HTTP
# client reads the list of those whom it trusts: of one name this takes a tenth of the 40 ms that
# the system's takes, and there is nobody on it.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).parent / "support" / "nobody.pem")
os.environ.pop("SSL_CERT_DIR", None)

# How long an example takes says nothing on a machine that has other work.
settings.register_profile("fieldfare", deadline=None)
settings.load_profile("fieldfare")


def pytest_collection_finish() -> None:
    """What was collected lives to the end: no collector of garbage needs to look at it again."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Log as the product does; structlog's own default spends seconds on drawing a traceback."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    )


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
    with throwaway_server(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """The name of a migrated database that nobody is connected to."""
    with new_database(server_url, name="template") as url:
        migrate(url)
        yield name_in(url)


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """A fresh migrated database."""
    with new_database(server_url, template=template) as url:
        yield url


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
    with (
        new_database(server_url, template=template, name="shared") as url,
        running_api(
            Settings(database_url=url, pool_size=10, certificate_key=CERTIFICATE_KEY)
        ) as base_url,
    ):
        yield base_url, url


@pytest.fixture(scope="session")
def new_world(shared_server: tuple[str, str]) -> Iterator[Callable[[], World]]:
    """Makes new accounts in the shared database, over connections that stay open."""
    _, database_url = shared_server
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        database = runner.run(open_database(database_url, pool_size=2, application="tests"))
        try:
            yield lambda: runner.run(build_world(database))
        finally:
            runner.run(database.close())


@pytest.fixture
def api(shared_server: tuple[str, str], new_world: Callable[[], World]) -> Iterator[Api]:
    """The real application on a real port; accounts of this test's own, beside other tests'."""
    base_url, database_url = shared_server
    with httpx.Client(base_url=base_url, timeout=30) as http:
        yield Api(base_url, database_url, new_world(), http)


@pytest.fixture
def own_api(database_url: str) -> Iterator[Api]:
    """The same on a database that no other test touches; it takes a second longer."""
    world = asyncio.run(make_world(database_url))
    settings = Settings(database_url=database_url, pool_size=10)
    with running_api(settings) as base_url, httpx.Client(base_url=base_url, timeout=30) as http:
        yield Api(base_url, database_url, world, http)


@pytest.fixture(scope="module")
def open_shop(server_url: str, template: str) -> Iterator[CardShop]:
    """One API with the Stripe simulator behind it for a module; see `shop`."""
    with card_shop(server_url, template) as shop:
        yield shop


@pytest.fixture
def shop(open_shop: CardShop) -> CardShop:
    """The shop without a memory of other tests."""
    open_shop.begin()
    return open_shop


@pytest.fixture
def own_shop(server_url: str, template: str) -> Iterator[CardShop]:
    """The same with books of its own; it takes two seconds longer."""
    with card_shop(server_url, template) as shop:
        shop.begin()
        yield shop


@pytest.fixture(scope="module")
def open_sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailSink]:
    """One mailbox for a module; see `sink`."""
    with running_sink(tmp_path_factory.mktemp("sink")) as sink:
        yield sink


@pytest.fixture
def sink(open_sink: MailSink) -> MailSink:
    """The mailbox, empty and well."""
    open_sink.reset()
    return open_sink
