"""What several flows begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.buying import ORDER, TOP_UP, Buying
from tests.support.cards import CardShop
from tests.support.lives import Life
from tests.support.serving import Serving


@pytest.fixture(params=[ORDER, TOP_UP], ids=["order", "top-up"])
def buying(request: pytest.FixtureRequest, shop: CardShop) -> Buying:
    """An order by card, and then a top-up."""
    return Buying(shop, request.param)


@pytest.fixture
def topping_up(shop: CardShop) -> Buying:
    """A top-up."""
    return Buying(shop, TOP_UP)


@pytest.fixture
def life(shop: CardShop) -> Life:
    """A team and its owner, of whom a canary stands in every place for words about persons."""
    return Life(shop)


@pytest.fixture
def serving(shop: CardShop, tmp_path: Path) -> Iterator[Serving]:
    """The API of the shop as a process of its own for one test."""
    served_by = shop.base_url
    process = Serving(shop, tmp_path / "api.log")
    try:
        yield process
    finally:
        process.stop()
        shop.move_to(served_by)
