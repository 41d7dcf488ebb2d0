"""A long history goes out whole, through a process whose memory does not grow with it."""

import psutil
import pytest

from tests.support.client import Api
from tests.support.lists import PURCHASES, TREES, OrderList, plant_many

ORDERS = 100_000
MEGABYTE = 2**20
PAGE = 1_000


@pytest.fixture
def long_api(own_api: Api) -> Api:
    """A team with a hundred thousand orders of trees, and one more."""
    plant_many(own_api, ORDERS)
    return own_api


def streamed(api: Api, listing: OrderList) -> tuple[int, int, int]:
    """Bytes, rows, and by how many bytes this process, which serves them, grew meanwhile."""
    process = psutil.Process()
    size = rows = 0
    rest = b""
    before = most = process.memory_info().rss
    with api.http.stream("GET", listing.path, headers=api.auth()) as answer:
        assert answer.status_code == 200
        for piece in answer.iter_bytes():
            size += len(piece)
            rows += (rest + piece).count(listing.group.encode()) - rest.count(
                listing.group.encode()
            )
            rest = piece[-len(listing.group) + 1 :]
            most = max(most, process.memory_info().rss)
    return size, rows, most - before


def test_a_long_history_is_streamed_in_bounded_memory(long_api: Api) -> None:
    for listing in (TREES, PURCHASES):
        # What a process keeps anyway, it has after a page.
        listing.get(long_api, limit=PAGE)
        size, rows, growth = streamed(long_api, listing)
        assert rows == ORDERS + 1
        assert size > 30 * MEGABYTE
        assert growth < size // 3, f"{growth} bytes for {size} of {listing.path}"
        newest = listing.get(long_api, limit=3)
        assert len(listing.rows_of(newest)) == 3
        assert listing.cursor_of(newest) is not None
