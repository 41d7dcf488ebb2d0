"""A group whose answer is lost, or never comes, and a process that is killed inside one.

Nobody knows then whether the group was committed, and all of it shares one fate. Each order is told
of its own id; with its key, whoever asks again learns what became of it, and nothing happens twice.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from fieldfare.db.embedded import free_port
from fieldfare.http.idempotency import StoredAnswer
from fieldfare.payments.errors import PaymentOutcomeUnknown
from tests.support.cutting import Lost, cutting_proxy
from tests.support.grouping import Till, open_till
from tests.support.placing import request_key
from tests.support.processes import ApiProcess, run_verify
from tests.support.silencing import silencing_proxy
from tests.support.waiting import until
from tests.support.world import LIVE_CENTS, World

CENTS = 100_000
SOON_S = 4.0
OPENS_ORDER = "insert into orders.purchase"
LOST: tuple[Lost, ...] = ("answer", "commit")
PATH = "/api/offset-orders"
ORDER = {"tons": 0.01, "paymentMethod": "credits"}
CLIENTS = 24
GATHER_S = 0.25
KILLED_AFTER_S = (0.0, 0.004, 0.012)
"""How long after a group can begin the process is killed."""


@pytest.fixture
async def till(database_url: str, world: World) -> AsyncIterator[Till]:
    """A till that reaches its database directly; in the end the books agree."""
    async with open_till(database_url) as till:
        yield till
        assert await till.findings() == []


@pytest.mark.parametrize("lost", LOST)
async def test_each_order_of_a_group_whose_answer_is_lost_is_told_of_its_own_id(
    till: Till, database_url: str, lost: Lost
) -> None:
    accounts = [await till.account(CENTS) for _ in range(3)]
    orders = [till.order(accounts[n % 3], 10) for n in range(24)]
    keys = [request_key(f"{order.id}") for order in orders]
    with cutting_proxy(database_url) as proxy:
        async with open_till(proxy.url) as cut_off:
            cut = proxy.cut(OPENS_ORDER, lost)
            told = await asyncio.gather(*cut_off.start(orders, keys), return_exceptions=True)
            assert cut.made.is_set()
            assert [_id_told(outcome) for outcome in told] == [str(order.id) for order in orders]
            was_made = lost == "answer"
            await _until_ended(till)
            assert await till.times_recorded(orders) == {int(was_made): 24}
            # Each asks again with its key, as it was told to, and twice.
            again = [till.order(order.account_id, 10) for order in orders]
            first = await asyncio.gather(*cut_off.start(again, keys))
            second = await asyncio.gather(*cut_off.start(again, keys))
    assert {isinstance(answer, StoredAnswer) for answer in first} == {was_made}
    made = orders if was_made else again
    assert all(
        isinstance(answer, StoredAnswer) and str(order.id).encode() in answer.body
        for order, answer in zip(made, second, strict=True)
    )
    assert await till.times_recorded(made) == {1: 24}
    assert [await till.balance_cents(one) for one in accounts] == [CENTS - 80] * 3
    assert await till.sizes(*accounts) == [24]


async def test_a_connection_that_falls_silent_holds_up_nobody_else(
    till: Till, database_url: str
) -> None:
    account_id, other_id = await till.account(CENTS), await till.account(CENTS)
    orders = [till.order(account_id, 10) for _ in range(5)]
    keys = [request_key(f"{order.id}") for order in orders]
    async with silencing_proxy(database_url) as proxy, open_till(proxy.url) as hushed:
        proxy.silence_next()
        unheard = hushed.start(orders, keys)
        async with asyncio.timeout(SOON_S):
            await proxy.is_silent.wait()
        others = [hushed.order(one, 10) for one in (other_id, account_id)]
        await asyncio.wait_for(asyncio.gather(*map(hushed.insist, others)), SOON_S)
        assert not any(task.done() for task in unheard)
        proxy.end()
        told = await asyncio.gather(*unheard, return_exceptions=True)
        assert [_id_told(outcome) for outcome in told] == [str(order.id) for order in orders]
        await asyncio.gather(*hushed.start(orders, keys))
    assert await till.times_recorded([*orders, *others]) == {1: 7}


def _id_told(outcome: object) -> str | None:
    assert isinstance(outcome, PaymentOutcomeUnknown), outcome
    assert (outcome.status, outcome.code) == (502, "payment_outcome_unknown")
    return outcome.purchase_id


async def _until_ended(till: Till) -> None:
    """Wait until no statement of an order runs any more."""
    running = (
        "select from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid() and state = 'active'"
    )

    async def ended() -> bool:
        return not await till.rows(running)

    await until(ended, within_s=10, each_s=0.01)


# --------------------------------------------------------------------------------------------- kill


class Clients:
    """Who order from one process, each with a key; `answered` has the order of every 200."""

    def __init__(self, world: World) -> None:
        self._token = world.live_token
        self.keys: list[str] = []
        self.answered: dict[str, str] = {}

    def connect(self, api: ApiProcess) -> httpx.AsyncClient:
        """Their connections to a process."""
        return httpx.AsyncClient(
            base_url=api.base_url,
            headers={"Authorization": f"Bearer {self._token}"},
            limits=httpx.Limits(max_connections=CLIENTS),
            timeout=20,
        )

    def start(self, http: httpx.AsyncClient) -> list[asyncio.Task[str | None]]:
        """One new order each."""
        fresh = [f"{len(self.keys)} {client}" for client in range(CLIENTS)]
        self.keys += fresh
        return [asyncio.create_task(self._ask(http, key)) for key in fresh]

    async def ask_again(self, http: httpx.AsyncClient) -> None:
        """Every request once more: who was answered is told the same, and all others are done."""
        for key in self.keys:
            before = self.answered.get(key)
            told = await self._ask(http, key)
            assert told is not None
            assert before in (None, told)

    async def _ask(self, http: httpx.AsyncClient, key: str) -> str | None:
        try:
            answer = await http.post(PATH, json=ORDER, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            return None
        assert answer.status_code == 200, answer.text
        purchase_id: str = answer.json()["purchaseId"]
        self.answered[key] = purchase_id
        return purchase_id


async def test_kill_inside_a_group_loses_and_doubles_nothing(
    till: Till, world: World, database_url: str, tmp_path: Path
) -> None:
    clients, port = Clients(world), free_port()
    for after_s in (*KILLED_AFTER_S, None):
        api = ApiProcess(database_url, tmp_path / "api.log", port)
        api.wait_until_ready()
        try:
            async with clients.connect(api) as http:
                await clients.ask_again(http)
                if after_s is not None:
                    async with till.held(world.team_id):
                        asking = clients.start(http)
                        await till.until_waiting()
                        # The first one waits at the server; the others gather behind it.
                        await asyncio.sleep(GATHER_S)
                    await asyncio.sleep(after_s)
                    api.kill()
                    await asyncio.gather(*asking)
        finally:
            api.kill()
    asked = CLIENTS * len(KILLED_AFTER_S)
    stored = {str(row[0]) for row in await till.rows("select id from orders.purchase")}
    assert set(clients.answered.values()) == stored
    assert (len(clients.answered), len(stored)) == (asked, asked)
    # They did come together: the first of each round by itself, then all who gathered behind it.
    assert max(await till.sizes(world.team_id)) > 1
    (spent,) = await till.rows("select sum(amount_cents) from orders.purchase")
    assert await till.balance_cents(world.team_id) == LIVE_CENTS - spent[0]
    verified = await asyncio.to_thread(run_verify, database_url)
    assert verified.returncode == 0, verified.stdout + verified.stderr
