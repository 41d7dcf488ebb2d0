"""Fixtures for tests of the wire that many cases can share."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.support.client import Api
from tests.support.world import World


@pytest.fixture(scope="module")
def calm_api(shared_server: tuple[str, str], new_world: Callable[[], World]) -> Iterator[Api]:
    """The same accounts for all tests of a module: for tests that do not mind each other."""
    base_url, database_url = shared_server
    with httpx.Client(base_url=base_url, timeout=30) as http:
        yield Api(base_url, database_url, new_world(), http)


@pytest.fixture
def frugal_api(calm_api: Api) -> Iterator[Api]:
    """An API whose live team has spent nothing when the test is over."""
    before = calm_api.balance()
    yield calm_api
    assert calm_api.balance() == before
