"""More orders than can be carried out: who is taken is done once and soon, others not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fieldfare.db.pool import Database, transaction
from fieldfare.kernel.errors import Unavailable
from fieldfare.orders.service.group_commit import (
    GROUP_PATIENCE_MS,
    MOST_TOGETHER,
    PATIENCE,
    SMOOTHED_OVER,
)
from tests.support.grouping import Till, open_till
from tests.support.world import World

CENTS = 10_000
SLOW_S = 0.22
"""What a group may take, when the disk is slow: less than its patience."""


@pytest.fixture
async def till(database_url: str, world: World) -> AsyncIterator[Till]:
    """A process's till; its books agree in the end."""
    async with open_till(database_url, pool_size=30, patience=PATIENCE) as till:
        yield till
        assert await till.findings() == []


@asynccontextmanager
async def busy_books(db: Database) -> AsyncIterator[None]:
    """Within the block no order can be written."""
    async with transaction(db) as conn:
        await conn.execute("lock table orders.purchase in exclusive mode")
        yield


def refused(tasks: list[asyncio.Task[Any]]) -> list[bool]:
    """Which of them were sent away; every other one must have succeeded."""
    errors = [task.exception() for task in tasks]
    for error in errors:
        assert error is None or (isinstance(error, Unavailable) and error.code == "overloaded")
    return [error is not None for error in errors]


async def test_who_would_wait_too_long_is_sent_away_at_once(till: Till) -> None:
    accounts = [await till.account(CENTS) for _ in range(8)]
    for _ in range(SMOOTHED_OVER + 2):
        async with busy_books(till.db):
            (slow,) = till.start([till.order(accounts[0], 10)])
            await asyncio.sleep(SLOW_S)
        await slow
    # Now one group ahead is less than the longest wait, and two are more.
    orders = [till.order(accounts[n % 8], 10) for n in range(4 * MOST_TOGETHER)]
    async with busy_books(till.db):
        tasks = till.start(orders)
        await asyncio.sleep(PATIENCE.longest_wait_s / 2)
        away = [task.done() for task in tasks]
        assert away == [False] * 2 * MOST_TOGETHER + [True] * 2 * MOST_TOGETHER
        assert till.commits.why_busy() is None  # the first group is under way
    await asyncio.wait(tasks)
    assert refused(tasks) == away
    assert await till.times_recorded(orders[: 2 * MOST_TOGETHER]) == {1: 2 * MOST_TOGETHER}
    assert await till.times_recorded(orders[2 * MOST_TOGETHER :]) == {0: 2 * MOST_TOGETHER}
    # Groups are fast again, and soon as many are taken as came in vain.
    for _ in range(2 * SMOOTHED_OVER):
        await till.place(till.order(accounts[0], 10))
    again = till.start([till.order(accounts[n % 8], 10) for n in range(4 * MOST_TOGETHER)])
    await asyncio.wait(again)
    assert not any(refused(again))


async def test_whose_group_cannot_begin_in_time_is_sent_away_after_all(till: Till) -> None:
    assert PATIENCE.give_up_s * 1_000 > GROUP_PATIENCE_MS
    orders = [till.order(await till.account(CENTS), 10) for _ in range(4 * MOST_TOGETHER)]
    async with till.held():
        tasks = till.start(orders)
        # The first group gives its place up, and so does the second; then it is too late.
        await asyncio.wait(tasks[2 * MOST_TOGETHER :], timeout=5)
        away = [task.done() for task in tasks]
        assert away == [False] * 2 * MOST_TOGETHER + [True] * 2 * MOST_TOGETHER
    await asyncio.wait(tasks)
    assert refused(tasks) == away
    assert await till.times_recorded(orders[: 2 * MOST_TOGETHER]) == {1: 2 * MOST_TOGETHER}
    assert await till.times_recorded(orders[2 * MOST_TOGETHER :]) == {0: 2 * MOST_TOGETHER}


async def test_an_order_alone_is_never_sent_away(till: Till) -> None:
    account_id = await till.account(CENTS)
    for _ in range(3):
        async with till.held(account_id):
            (slow,) = till.start([till.order(account_id, 10)])
            await asyncio.sleep(GROUP_PATIENCE_MS / 1_000 + 0.1)
        await slow
        await till.place(till.order(account_id, 10))
