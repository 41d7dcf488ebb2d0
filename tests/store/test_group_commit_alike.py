"""Orders that share commits leave what they would have left one by one, to the last column.

Each seed draws what clients send. One database gets it in groups, as it arrives; its twin gets the
same orders one at a time, each in a commit of its own. Only a key that is used twice at once
differs by right: the second request is told that the first one is in flight, and is sent again.
So is what a machine that is busy otherwise has no room for.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from fieldfare.http.idempotency import StoredAnswer
from fieldfare.kernel.errors import Conflict, ProblemError, Unavailable
from fieldfare.orders.service.group_commit import MOST_TOGETHER
from tests.support.databases import name_in, new_database
from tests.support.drawn_orders import Draw, Sent
from tests.support.grouping import Till, open_till
from tests.support.world import make_world

WAVES = 5
OVERLOADED = (Unavailable.status, "overloaded")
IN_FLIGHT = (Conflict.status, "idempotency_in_flight")
PAUSES_S = (0, 0, 0, 0.0005, 0.002)
OF_ACCOUNTS = "account_id = any($1)"
OF_ORDERS = "in (select id from orders.purchase where account_id = any($1))"
LEFT: dict[str, tuple[str, str, str]] = {
    # What a row is drawn anew for, or tells the instant of its commit by, is left out.
    "ledger.wallet": (OF_ACCOUNTS, "{}", "account_id"),
    "ledger.entry": (OF_ACCOUNTS, "{id,created_at}", "account_id, number"),
    "orders.purchase": (OF_ACCOUNTS, "{}", "id"),
    "orders.line": (OF_ACCOUNTS, "{id}", "purchase_id, project_id"),
    "orders.tag": (OF_ACCOUNTS, "{}", "purchase_id, key"),
    "orders.party": (f"purchase_id {OF_ORDERS}", "{}", "purchase_id"),
    "orders.certificate_slug": (f"purchase_id {OF_ORDERS}", "{}", "purchase_id"),
    "http.idempotency_key": (f"subject_id {OF_ORDERS}", "{created_at}", "subject_id"),
    "notifications.outbox": (
        f"subject_id {OF_ORDERS}", "{id,due_at,created_at}", "subject_id, topic"
    ),
}  # fmt: skip


Told = tuple[Any, ...]


class Twins(AsyncExitStack):
    """Two databases that begin alike."""

    def __init__(self, server_url: str, template: str) -> None:
        super().__init__()
        self._server = (server_url, template)

    async def open(self) -> tuple[Till, Till]:
        """The one that gets groups, and the one that gets orders one by one."""
        server_url, template = self._server
        grouped = self.enter_context(new_database(server_url, template=template, name="grouped"))
        await asyncio.to_thread(lambda: asyncio.run(make_world(grouped)))
        single = self.enter_context(
            new_database(server_url, template=name_in(grouped), name="single")
        )
        return (
            await self.enter_async_context(open_till(grouped)),
            await self.enter_async_context(open_till(single)),
        )


@pytest.fixture
async def twins(server_url: str, template: str) -> AsyncIterator[tuple[Till, Till]]:
    """Both, as long as a test runs."""
    async with Twins(server_url, template) as twins:
        yield await twins.open()


async def outcome_of(till: Till, sent: Sent) -> Told:
    """What a client is told."""
    try:
        answer = await till.place(sent.order, sent.key)
    except ProblemError as problem:
        return (problem.status, problem.code)
    if isinstance(answer, StoredAnswer):
        return ("again", answer.status, answer.body)
    return ("done", answer)


async def all_at_once(till: Till, wave: Sequence[Sent], rng: random.Random) -> list[Told]:
    """What each client of a wave is told; it arrives in bursts, in this order."""
    tasks, pauses = [], rng.choice((0, 0.02, 0.2))
    for sent in wave:
        tasks.append(asyncio.create_task(outcome_of(till, sent)))
        if rng.random() < pauses:
            await asyncio.sleep(rng.choice(PAUSES_S))
    return await asyncio.gather(*tasks)


async def play(grouped: Till, single: Till, seed: int) -> Counter[str]:
    """One seed's orders on both, compared answer by answer and row by row; gives what happened."""
    rng = random.Random(seed)
    accounts = [await grouped.account() for _ in range(rng.randint(1, 5))]
    draw = Draw(rng, grouped.catalogue, accounts)
    for account in draw.accounts:
        await grouped.give(account.id, account.cents)
        await single.give(account.id, account.cents)
    seen: Counter[str] = Counter()
    for _ in range(WAVES):
        wave = draw.wave()
        while wave:
            told = await all_at_once(grouped, wave, rng)
            wave = await _one_by_one(single, wave, told, seen, seed)
    left = [[await rows_of(till, table, accounts) for table in LEFT] for till in (grouped, single)]
    for table, ours, theirs in zip(LEFT, *left, strict=True):
        assert ours == theirs, f"seed {seed}: {table}"
    seen["capped"] += draw.refused
    seen["refills"] += sum('"refill_due"' in row for row in left[0][-1])
    seen["receipts"] += sum('"receipt_due"' in row for row in left[0][-1])
    sizes = await grouped.sizes(*accounts)
    seen["groups"] += sum(size > 1 for size in sizes)
    seen["large groups"] += sum(size > MOST_TOGETHER // 2 for size in sizes)
    assert set(await single.sizes(*accounts)) <= {1}, f"seed {seed}"
    return seen


async def _one_by_one(
    till: Till, wave: Sequence[Sent], told: Sequence[Told], seen: Counter[str], seed: int
) -> list[Sent]:
    """Hold a wave's answers against the twin's; gives what is to be sent again."""
    sent_again: list[Sent] = []
    keys: set[bytes] = set()
    for sent, outcome in zip(wave, told, strict=True):
        seen[str(outcome[0] if outcome[0] in ("done", "again") else outcome[1])] += 1
        if outcome == OVERLOADED:
            sent_again.append(sent)
            continue
        if outcome == IN_FLIGHT:
            assert sent.key is not None, f"seed {seed}"
            assert sent.key.key_hash in keys, f"seed {seed}: nobody was before {sent.order.id}"
            sent_again.append(sent)
        else:
            assert outcome == await outcome_of(till, sent), f"seed {seed}: {sent.order.id}"
        if sent.key is not None:
            keys.add(sent.key.key_hash)
    return sent_again


async def rows_of(till: Till, table: str, accounts: Sequence[int]) -> list[str]:
    """All that a table has of these accounts, except what is drawn anew for each row."""
    condition, without, order = LEFT[table]
    rows = await till.rows(
        f"select (to_jsonb(t) - '{without}'::text[])::text from {table} t where {condition}"
        f" order by {order}",
        accounts,
    )
    return [row[0] for row in rows]


@pytest.mark.parametrize(
    "seeds", [range(20), pytest.param(range(100, 250), marks=pytest.mark.long)], ids=["few", "many"]
)
async def test_groups_leave_what_one_by_one_leaves(twins: tuple[Till, Till], seeds: range) -> None:
    seen: Counter[str] = Counter()
    for seed in seeds:
        seen += await play(*twins, seed)
    # Nothing of what may differ has been left out by chance.
    assert {
        "done", "again", "insufficient_credits", "idempotency_mismatch", "idempotency_in_flight",
        "capped", "refills", "receipts", "groups", "large groups",
    } <= set(seen)  # fmt: skip
    for till in twins:
        assert await till.findings() == []
