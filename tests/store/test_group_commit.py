"""Orders that share a commit: how they gather, who waits for whom, and what is never done twice."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import asyncpg
import msgspec
import pytest

from fieldfare.http.idempotency import StoredAnswer
from fieldfare.kernel.errors import Conflict, Contended, HeldUp, Unavailable
from fieldfare.ledger.errors import InsufficientCredits
from fieldfare.orders.model import Order, Party
from fieldfare.orders.service.group_commit import (
    MOST_APART,
    MOST_IN_LINE,
    MOST_TOGETHER,
    MOST_WAITING,
)
from tests.support.databases import new_database
from tests.support.grouping import WAITING, Till, open_till
from tests.support.placing import request_key
from tests.support.waiting import until
from tests.support.world import make_world

CENTS = 100_000
SOON_S = 4.0
"""Well before the patience with a wallet that is held ends."""


@pytest.fixture(scope="module")
def shared_url(server_url: str, template: str) -> Iterator[str]:
    """One database for this module's tests, with the demo's catalogue."""
    with new_database(server_url, template=template, name="grouped") as url:
        asyncio.run(make_world(url))
        yield url


@pytest.fixture
async def till(shared_url: str) -> AsyncIterator[Till]:
    """A process's till; nothing of it is left unheard in the end."""
    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    async with open_till(shared_url, pool_size=30) as till:
        yield till
        assert await till.findings() == []
    # A future whose error nobody has asked for says so when it is thrown away.
    gc.collect()
    assert unheard == []


# -------------------------------------------------------------------------------- how they gather


async def test_orders_that_arrive_together_share_commits_of_a_bounded_size(till: Till) -> None:
    account_id = await till.account(CENTS)
    orders = [till.order(account_id, 10) for _ in range(2 * MOST_TOGETHER + 2)]
    answers = await asyncio.gather(*till.start(orders))
    assert await till.sizes(account_id) == [MOST_TOGETHER, MOST_TOGETHER, 2]
    assert answers == [
        b'{"id":"%b","creditsRemaining":%d}' % (str(order.id).encode(), CENTS - 10 * (n + 1))
        for n, order in enumerate(orders)
    ]


async def test_an_order_that_comes_alone_is_sent_alone_and_the_next_ones_gather(till: Till) -> None:
    account_id = await till.account(CENTS)
    async with till.held(account_id):
        alone = till.start([till.order(account_id, 10)])
        # It is at the server, though nobody else has come.
        await till.until_waiting()
        later = till.start([till.order(account_id, 10) for _ in range(5)])
        await asyncio.sleep(0)
    await asyncio.gather(*alone, *later)
    assert await till.sizes(account_id) == [1, 5]


async def test_orders_one_after_the_other_are_groups_of_one(till: Till) -> None:
    account_id = await till.account(CENTS)
    for _ in range(5):
        await till.place(till.order(account_id, 10))
    assert await till.sizes(account_id) == [1] * 5


# --------------------------------------------------------------------- one that cannot be recorded


def _twice(till: Till, order: Order, done: Order) -> Order:
    return msgspec.structs.replace(order, id=done.id)


def _with_a_loss(till: Till, order: Order, done: Order) -> Order:
    first, *others = order.quote.shares
    bad = msgspec.structs.replace(first, partner_micro=first.amount_micro + 1)
    quote = msgspec.structs.replace(order.quote, shares=(bad, *others))
    return msgspec.structs.replace(order, quote=quote)


def _of_nothing(till: Till, order: Order, done: Order) -> Order:
    quote = msgspec.structs.replace(order.quote, mass_mg=0)
    return msgspec.structs.replace(order, quote=quote)


def _without_a_portfolio(till: Till, order: Order, done: Order) -> Order:
    quote = msgspec.structs.replace(order.quote, portfolio=None)
    return msgspec.structs.replace(order, quote=quote)


def _beyond_integers(till: Till, order: Order, done: Order) -> Order:
    quote = msgspec.structs.replace(order.quote, mass_mg=2**63)
    return msgspec.structs.replace(order, quote=quote)


def _with_a_text_that_is_none(till: Till, order: Order, done: Order) -> Order:
    return msgspec.structs.replace(order, party=Party(note="a\0b"))


POISONS: dict[str, tuple[Callable[[Till, Order, Order], Order], type[Exception]]] = {
    "an id that is taken": (_twice, asyncpg.UniqueViolationError),
    "a margin below zero": (_with_a_loss, asyncpg.CheckViolationError),
    "an offset of nothing": (_of_nothing, asyncpg.CheckViolationError),
    "an offset that our own code refuses": (_without_a_portfolio, AssertionError),
    "a mass beyond integers": (_beyond_integers, asyncpg.DataError),
    "a note that no text is": (_with_a_text_that_is_none, asyncpg.DataError),
}


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
@pytest.mark.parametrize("is_neighbour", [True, False])
async def test_an_order_that_cannot_be_recorded_fails_alone(
    till: Till,
    poison: tuple[Callable[[Till, Order, Order], Order], type[Exception]],
    *,
    is_neighbour: bool,
) -> None:
    spoil, error = poison
    accounts = [await till.account(CENTS) for _ in range(4)]
    account_id = accounts[1] if is_neighbour else await till.account(CENTS)
    done = till.order(account_id, 10)
    await till.place(done)
    orders = [till.order(accounts[n % 4], 10) for n in range(40)]
    bad = spoil(till, till.order(account_id, 10), done)
    tasks = till.start([*orders[:20], bad, *orders[20:]])
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes.pop(20), error)
    assert all(isinstance(outcome, bytes) for outcome in outcomes)
    assert await till.times_recorded(orders) == {1: 40}
    assert await till.times_recorded([bad]) == {int(bad.id == done.id): 1}
    # On it goes, and together as before.
    more = [till.order(accounts[0], 10) for _ in range(3)]
    await asyncio.gather(*till.start(more))
    assert (await till.sizes(accounts[0]))[-1] == 3


# ------------------------------------------------------------------------ wallets that others hold


async def test_a_wallet_that_is_held_delays_only_its_own_orders(till: Till) -> None:
    held, *free = [await till.account(CENTS) for _ in range(6)]
    kept = [till.order(held, 10) for _ in range(20)]
    others = [till.order(free[n % 5], 10) for n in range(40)]
    keys = [request_key(f"{order.id}") for order in kept]
    async with till.held(held):
        waiting, passing = till.start(kept, keys), till.start(others)
        await asyncio.wait_for(asyncio.gather(*passing), SOON_S)
        # What comes for that account from now on keeps nobody else waiting either.
        kept += [till.order(held, 10) for _ in range(20)]
        keys += [request_key(f"{order.id}") for order in kept[20:]]
        waiting += till.start(kept[20:], keys[20:])
        late = till.start([till.order(free[0], 10) for _ in range(20)])
        await asyncio.wait_for(asyncio.gather(*late), SOON_S)
        assert not any(task.done() for task in waiting)
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {HeldUp}
    assert await till.times_recorded(kept) == {0: 40}
    assert await till.times_recorded(others) == {1: 40}
    await asyncio.gather(*till.start(kept, keys))
    assert await till.times_recorded(kept) == {1: 40}


async def test_many_wallets_that_are_held_do_not_take_every_connection(till: Till) -> None:
    held = [await till.account(CENTS) for _ in range(3 * MOST_APART)]
    free = [await till.account(CENTS) for _ in range(8)]
    async with till.held(*held):
        waiting = till.start([till.order(account_id, 10) for account_id in held])
        passing = till.start([till.order(account_id, 10) for account_id in free])
        await asyncio.wait_for(asyncio.gather(*passing), SOON_S)
        assert not any(task.done() for task in waiting)
    # Given back before their patience has ended, they are placed.
    await asyncio.gather(*waiting)
    assert await till.sizes(*held) == [1] * len(held)


async def test_one_account_does_not_take_the_room_of_all_others(till: Till) -> None:
    held, free = await till.account(CENTS), await till.account(CENTS)
    kept = [till.order(held, 10) for _ in range(MOST_IN_LINE + 30)]
    async with till.held(held):
        waiting = till.start(kept)
        await asyncio.wait_for(till.place(till.order(free, 10)), SOON_S)
        # On a slow machine a group is still waiting for the wallet when the ones after it are done.
        refused: set[asyncio.Task[Any]] = set()
        async with asyncio.timeout(SOON_S):
            while len(refused) < 30:
                refused |= await _first_of(set(waiting) - refused)
        codes = Counter(_code(task) for task in refused)
    assert codes == {"overloaded": 30}
    await asyncio.gather(*waiting, return_exceptions=True)
    assert await till.times_recorded(kept) == {1: MOST_IN_LINE, 0: 30}


async def _waits_for_nobody(till: Till) -> bool:
    return not await till.rows(WAITING)


async def _first_of(tasks: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return done


async def test_the_same_key_is_in_flight_while_its_order_waits_for_a_wallet(till: Till) -> None:
    account_id = await till.account(CENTS)
    order, again = till.order(account_id, 10), till.order(account_id, 10)
    key = request_key(f"{order.id}")
    async with till.held(account_id):
        (waiting,) = till.start([order], [key])
        # Until its group is given up; in a group that began then, the second might be before it.
        await till.until_apart(1)
        with pytest.raises(Conflict):
            await asyncio.wait_for(till.place(again, key), SOON_S)
        assert not waiting.done()
    answer = await waiting
    assert isinstance(answer, bytes)
    assert await till.place(again, key) == StoredAnswer(200, answer)
    assert await till.times_recorded([order, again]) == {1: 1, 0: 1}


# --------------------------------------------------------------------------- the room is bounded


async def test_who_comes_when_too_many_wait_is_sent_away_and_all_others_are_done_once(
    till: Till,
) -> None:
    accounts = [await till.account(CENTS) for _ in range(16)]
    orders = [till.order(accounts[n % 16], 10) for n in range(MOST_WAITING)]
    async with till.held():
        waiting = till.start(orders)
        await till.until_waiting()
        # Groups are refused meanwhile, and their orders wait apart: they still take room.
        await asyncio.sleep(0.7)
        one_more = till.order(accounts[0], 10)
        with pytest.raises(Unavailable) as refused:
            await till.place(one_more)
        assert (refused.value.status, refused.value.code) == (503, "overloaded")
        assert refused.value.retry_after_s == 1
        assert not any(task.done() for task in waiting)
    await asyncio.gather(*waiting)
    assert await till.times_recorded(orders) == {1: MOST_WAITING}
    assert await till.times_recorded([one_more]) == {0: 1}
    assert {await till.balance_cents(one) for one in accounts} == {CENTS - 10 * MOST_WAITING // 16}
    # There is room again.
    await till.place(one_more)


def _code(task: asyncio.Task[Any]) -> str:
    error = task.exception()
    assert isinstance(error, Unavailable)
    return error.code


# ------------------------------------------------------------------------------ clients that leave


async def test_nothing_is_done_for_a_client_that_leaves_the_queue(till: Till) -> None:
    account_id = await till.account(CENTS)
    first, gone, last = (till.order(account_id, 10) for _ in range(3))
    async with till.held(account_id):
        begun = till.start([first])
        await till.until_waiting()
        leaving, staying = till.start([gone, last])
        await asyncio.sleep(0)
        leaving.cancel()
    await asyncio.gather(*begun, staying)
    assert leaving.cancelled()
    assert await till.times_recorded([first, last]) == {1: 2}
    assert await till.times_recorded([gone]) == {0: 1}


async def test_a_client_that_leaves_while_its_group_is_committed_finds_its_order_done(
    till: Till,
) -> None:
    account_id = await till.account(CENTS)
    orders = [till.order(account_id, 10) for _ in range(5)]
    keys = [request_key(f"{order.id}") for order in orders]
    async with till.held(account_id):
        tasks = till.start(orders, keys)
        await till.until_waiting()
        for task in tasks[:3]:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [task.cancelled() for task in tasks] == [True] * 3 + [False] * 2
    assert await till.times_recorded(orders) == {1: 5}
    again = await asyncio.gather(*till.start([till.order(account_id, 10) for _ in orders], keys))
    assert all(isinstance(answer, StoredAnswer) for answer in again)
    assert await till.balance_cents(account_id) == CENTS - 50


@pytest.mark.parametrize("how_many", [1, 5])
async def test_a_refusal_that_nobody_waits_for_any_more_is_no_defect(
    till: Till, how_many: int
) -> None:
    account_id = await till.account(CENTS)
    orders = [till.order(account_id, 10) for _ in range(how_many)]
    async with till.held(account_id):
        tasks = till.start(orders)
        await till.until_waiting()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Their group gives up; nobody is there to be told, and nothing is tried again.
        await until(partial(_waits_for_nobody, till), SOON_S)
    assert await till.times_recorded(orders) == {0: how_many}


# ---------------------------------------------------------------- in favour of a rival, or cut off


@pytest.fixture
async def losing(till: Till) -> AsyncIterator[Callable[[int, str], Any]]:
    """Lets the next transactions that keep a key be undone for the sake of a rival."""

    async def begin(times: int, code: str) -> None:
        await till.rows("create sequence public.lost")
        await till.rows(f"""
            create function public.lose() returns trigger language plpgsql as $$
            begin
                if nextval('public.lost') <= {times} then
                    raise exception 'a rival was there' using errcode = '{code}';
                end if;
                return new;
            end $$
        """)
        await till.rows(
            "create trigger lose before insert on http.idempotency_key"
            " for each statement execute function public.lose()"
        )

    yield begin
    await till.rows("drop trigger lose on http.idempotency_key")
    await till.rows("drop function public.lose")
    await till.rows("drop sequence public.lost")


@pytest.mark.parametrize("code", ["40001", "40P01"])
@pytest.mark.parametrize("times", [1, 5, 1_000])
async def test_a_group_that_gives_way_to_a_rival_is_tried_again(
    till: Till, losing: Callable[[int, str], Any], times: int, code: str
) -> None:
    accounts = [await till.account(CENTS) for _ in range(3)]
    orders = [till.order(accounts[n % 3], 10) for n in range(12)]
    keys = [request_key(f"{order.id}") for order in orders]
    await losing(times, code)
    outcomes = await asyncio.gather(*till.start(orders, keys), return_exceptions=True)
    if times < 1_000:
        assert all(isinstance(outcome, bytes) for outcome in outcomes)
    else:
        assert {type(outcome) for outcome in outcomes} == {Contended}
    assert await till.times_recorded(orders) == {int(times < 1_000): 12}


async def test_a_group_whose_session_is_ended_before_its_commit_has_done_nothing(
    till: Till,
) -> None:
    accounts = [await till.account(CENTS) for _ in range(3)]
    orders = [till.order(accounts[n % 3], 10) for n in range(12)]
    keys = [request_key(f"{order.id}") for order in orders]
    async with till.held(accounts[1]):
        tasks = till.start(orders, keys)
        await till.until_waiting()
        await till.rows(f"select pg_terminate_backend(pid) from ({WAITING}) as waiting")
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    assert await till.times_recorded(orders) == {0: 12}
    await asyncio.gather(*till.start(orders, keys))
    assert await till.times_recorded(orders) == {1: 12}


async def test_what_a_group_leaves_too_little_for_is_refused_with_what_is_left(till: Till) -> None:
    account_id = await till.account(25)
    orders = [till.order(account_id, cents) for cents in (10, 20, 10, 6, 5)]
    outcomes = await asyncio.gather(*till.start(orders), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [
        bytes, InsufficientCredits, bytes, InsufficientCredits, bytes
    ]  # fmt: skip
    assert await till.sizes(account_id) == [3]
    assert "the balance is $0.00" in str(outcomes[1])
