"""After a run of mixed operations in three currencies the books agree with the processor's record.

`make test` runs a few hundred, `make chaos` five thousand. Then one byte is turned in each amount
on the processor's side, and `fieldfare verify` must name the row.
"""

from collections.abc import Iterator

import pytest

from tests.support.books import books_of, strict_findings
from tests.support.cards import CardShop, card_shop
from tests.support.mixed_operations import CURRENCIES, KINDS, MixedRun

OPERATIONS = 260
MANY_OPERATIONS = 5_000


@pytest.fixture
def shop(server_url: str, template: str) -> Iterator[CardShop]:
    """A shop of the run's own."""
    with card_shop(server_url, template) as running:
        running.begin()
        yield running


def check_run(shop: CardShop, seed: int, operations: int) -> MixedRun:
    """A run, after which nothing differs."""
    run = MixedRun(shop, seed)
    run.run(operations)
    assert strict_findings(shop) == []
    assert {currency for _, currency in books_of(shop)} == set(CURRENCIES)
    return run


@pytest.mark.parametrize("seed", [1, 2])
def test_the_books_agree_with_the_processor(shop: CardShop, seed: int) -> None:
    run = check_run(shop, seed, OPERATIONS)
    assert set(KINDS) - set(run.counts) <= {"other settlement", "charge past us"}


@pytest.mark.long
@pytest.mark.parametrize("seed", [3])
def test_the_books_agree_after_many_operations(shop: CardShop, seed: int) -> None:
    run = check_run(shop, seed, MANY_OPERATIONS)
    assert set(KINDS) <= set(run.counts)
