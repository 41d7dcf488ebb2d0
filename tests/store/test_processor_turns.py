"""Turns to call the processor, reserved from one row by as many processes as there are."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from fieldfare.db.pool import Database, connection, open_database
from fieldfare.integrations.stripe.gateway import StripeGateway, close_gateway, open_gateway
from fieldfare.integrations.stripe.model import Card, NotExecuted, Unknown
from fieldfare.integrations.stripe.pace import GOOD_FOR_S, MOST_WAITING, Overloaded, Pace
from fieldfare.kernel.errors import Unavailable
from fieldfare.payments.service.pace import HORIZON, pace_of_background, pace_of_requests
from tests.support.gateways import answering, charge, http_answer
from tests.support.pacing import busiest

TOLERANCE = 1.1
LIMIT_S = 5.0
NO_LINE = http_answer(
    "429 Too Many Requests",
    b'{"error": {"type": "invalid_request_error", "code": "lock_timeout"}}',
)
BUSY = b'{"error": {"type": "invalid_request_error", "code": "rate_limit"}}'


async def take_all(paces: list[Pace], each: int) -> list[float]:
    """When so many calls of each process may go out, all of them at once."""

    async def take(pace: Pace) -> float:
        await pace.take()
        return time.monotonic()

    async with asyncio.timeout(20):
        return sorted(await asyncio.gather(*[take(pace) for pace in paces for _ in range(each)]))


async def orders_in_line(pace: Pace, count: int) -> list[asyncio.Task[None]]:
    """So many orders that wait, in this order."""

    async def order() -> None:
        async with pace.turn():
            await pace.take()

    orders = [asyncio.create_task(order()) for _ in range(count)]
    await asyncio.sleep(0)
    return orders


async def end(orders: list[asyncio.Task[None]]) -> None:
    """Whoever still waits goes away."""
    for order in orders:
        order.cancel()
    await asyncio.gather(*orders, return_exceptions=True)


async def hold(db: Database, span: str) -> None:
    """The row says that nobody may call for so long."""
    async with connection(db) as conn:
        await conn.execute(f"update payments.pace set next_at = now() + interval '{span}'")


async def test_processes_that_know_nothing_of_each_other_keep_one_rate(db: Database) -> None:
    per_second = 200
    paces = [pace_of_requests(db, per_second) for _ in range(3)]
    instants = await take_all(paces, 100)
    # One more is the turn at either end of the second.
    assert busiest(instants) <= per_second * TOLERANCE + 1
    assert instants[-1] - instants[0] < 3, "and they make use of it"


async def test_the_background_has_a_third_of_it_at_most(db: Database) -> None:
    instants = await take_all([pace_of_background(db, 90) for _ in range(3)], 12)
    assert busiest(instants) <= 90 / 3 * TOLERANCE + 1


async def test_turns_come_in_the_order_of_arrival(db: Database) -> None:
    pace, told = pace_of_requests(db, 500), list[int]()

    async def order(number: int) -> None:
        async with pace.turn():
            told.append(number)
            await pace.take()

    await asyncio.gather(*[order(number) for number in range(50)])
    assert told == list(range(50))


async def test_what_is_under_way_has_every_other_turn(db: Database) -> None:
    pace, told = pace_of_requests(db, 200), list[str]()
    await hold(db, "100 milliseconds")

    async def order() -> None:
        async with pace.turn():
            told.append("new")
            await pace.take()

    async def go_on() -> None:
        await pace.take()
        told.append("begun")

    await asyncio.gather(*[order() for _ in range(10)], *[go_on() for _ in range(5)])
    assert told == ["begun", "new"] * 5 + ["new"] * 5


async def test_a_turn_that_was_not_needed_is_the_next_ones(db: Database) -> None:
    pace = pace_of_requests(db, 2)
    orders = await orders_in_line(pace, 1)
    await asyncio.gather(*orders)
    began = time.monotonic()

    async def replay() -> None:
        async with pace.turn():
            pass

    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(*[replay() for _ in range(20)])
    assert time.monotonic() - began < 2, "20 turns would take ten seconds"


async def test_who_takes_too_long_to_come_to_its_call_waits_again(db: Database) -> None:
    pace = pace_of_requests(db, 10)
    async with pace.turn():
        await asyncio.sleep(GOOD_FOR_S * 1.5)
        await hold(db, "200 milliseconds")
        began = time.monotonic()
        await pace.take()
        assert time.monotonic() - began > 0.1
    async with pace.turn():
        await hold(db, "10 seconds")
        async with asyncio.timeout(GOOD_FOR_S):
            await pace.take()


async def test_who_comes_when_ten_thousand_wait_is_refused(db: Database) -> None:
    pace = pace_of_requests(db, 1)
    await hold(db, "1 hour")
    orders = await orders_in_line(pace, MOST_WAITING)
    assert pace.waiting == MOST_WAITING
    with pytest.raises(Overloaded) as refused:
        async with pace.turn():
            pass
    assert (refused.value.status, refused.value.code) == (503, "overloaded")
    assert refused.value.retry_after_s
    # One goes away, and there is room again.
    orders[5_000].cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    orders += await orders_in_line(pace, 1)
    assert pace.waiting == MOST_WAITING
    await end(orders)
    assert pace.waiting == 0


async def test_who_has_left_has_no_turn(db: Database) -> None:
    pace, gone = pace_of_requests(db, 100), asyncio.Event()
    await hold(db, "300 milliseconds")

    async def leaving() -> None:
        await gone.wait()

    async def order() -> None:
        async with pace.turn(leaving):
            raise AssertionError("it was carried out")

    task = asyncio.create_task(order())
    await asyncio.sleep(0.05)
    gone.set()
    with pytest.raises(Unavailable, match="gone"):
        await task
    assert pace.waiting == 0


async def test_turns_of_a_process_that_died_are_time_and_nothing_else(db: Database) -> None:
    dead, alive = pace_of_requests(db, 50), pace_of_requests(db, 50)
    orders = await orders_in_line(dead, 20)
    await asyncio.sleep(0.1)
    await end(orders)
    await dead.close()
    began = time.monotonic()
    await alive.take()
    assert time.monotonic() - began < 0.5


async def test_without_a_database_they_are_told_and_later_they_go_on(
    db: Database, database_url: str
) -> None:
    other = await open_database(database_url, pool_size=2, application="tests")
    pace = pace_of_requests(other, 100)
    await other.close()
    orders = await orders_in_line(pace, 30)
    for refusal in await asyncio.gather(*orders, return_exceptions=True):
        assert isinstance(refusal, Unavailable)
        assert refusal.code == "database_unavailable"
    async with asyncio.timeout(LIMIT_S):
        await pace_of_requests(db, 100).take()


# ------------------------------------------------------------------ through the gateway's own calls


@asynccontextmanager
async def paced(url: str, pace: Pace) -> AsyncIterator[StripeGateway]:
    """A gateway that keeps a pace."""
    gateway = open_gateway("sk_test_x", url, request_s=1.0, pace=pace)
    try:
        yield gateway
    finally:
        await close_gateway(gateway)


async def rest_after(db: Database, call: Callable[[], Awaitable[object]]) -> float:
    """For how long another process has no turn after a call, in seconds."""
    await call()
    async with connection(db) as conn:
        rest: float = await conn.fetchval(
            "select extract(epoch from next_at - clock_timestamp())::float8 from payments.pace"
        )
    return rest


@pytest.mark.parametrize(
    ("header", "rest_s"),
    [
        ("Retry-After: 7", 7),
        ("Retry-After: 100000", 60),
        ("X-None: 1", 1),
        ("Retry-After: soon", 1),
    ],
)
async def test_a_429_holds_everybody_as_long_as_it_says(
    db: Database, header: str, rest_s: float
) -> None:
    pace = pace_of_requests(db, 100)
    busy = http_answer("429 Too Many Requests", BUSY, header)
    async with answering(busy, []) as url, paced(url, pace) as gateway:

        async def call() -> None:
            outcome = await charge(gateway, Card("cus_1", "pm_1"))
            assert isinstance(outcome, NotExecuted)
            assert outcome.reason == "busy"

        assert rest_s - 0.5 < await rest_after(db, call) <= rest_s
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(min(rest_s, 1) - 0.2):
                await pace_of_requests(db, 100).take()


async def test_a_429_about_one_object_holds_nobody(db: Database) -> None:
    pace = pace_of_requests(db, 100)
    async with answering(NO_LINE, []) as url, paced(url, pace) as gateway:
        rest_s = await rest_after(db, lambda: charge(gateway, Card("cus_1", "pm_1")))
    assert rest_s < HORIZON.total_seconds()


async def test_a_call_without_a_turn_is_not_made_and_proves_nothing(database_url: str) -> None:
    other = await open_database(database_url, pool_size=2, application="tests")
    await other.close()
    seen: list[bytes] = []
    async with answering(NO_LINE, seen) as url, paced(url, pace_of_requests(other, 9)) as gateway:
        outcome = await charge(gateway, Card("cus_1", "pm_1"))
    assert isinstance(outcome, Unknown)
    assert seen == []
