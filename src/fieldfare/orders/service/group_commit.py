"""Orders from credits that arrive together share one statement and one commit.

While one group is being committed, the next one gathers; no timer is involved, so an order that
comes alone is a group of one and waits for nobody. A commit costs the same for one order as for
many: the disk is waited for once.

Within a group the database decides in the order of arrival, and each order finds what the one
before it left, as if they had come one by one. A group that the database refuses as a whole has
done nothing; its orders are decided apart, a line for each account, so that neither an order that
cannot be recorded nor a wallet that somebody holds spoils any other. Until a line is worked off,
whatever else comes for its account queues up there and not in a group.
"""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from contextvars import Context
from functools import partial
from typing import NamedTuple

from fieldfare.db.pool import Database, connection, retry_deadlocks
from fieldfare.kernel.errors import Contended, HeldUp, Unavailable
from fieldfare.orders import store
from fieldfare.telemetry import traces
from fieldfare.telemetry.families import GROUP_ORDERS, GROUP_S, MONEY, ORDER_OUTCOMES

MOST_TOGETHER = 64
"""Beyond that a group gains little, and its first order waits for the last one's rows."""
MOST_WAITING = 512
"""Who comes then is asked to come again, and nothing was done."""
SMOOTHED_OVER = 8
"""Groups that the measured time of a group is averaged over, the last one counting most."""
MOST_IN_LINE = 256
"""Orders of one account that wait apart: it may not take the room of all others."""
MOST_APART = 4
"""Connections of a process that may be busy with the orders of groups that were refused."""
GROUP_PATIENCE_MS = 500
"""How long a group waits for a wallet that somebody else holds; then it is decided apart."""
LINE_PATIENCE_MS = 100
"""How long a line waits for it before others have their turn with the few connections."""
STALLED_S = 0.6
"""A group that takes longer goes on, but the next ones wait for it no more. It is longer than a
group waits for a wallet, and shorter than those behind it wait for their turn."""
_IN_FLIGHT = store.Verdict(verdict="in_flight", status=None, answer=None, balance_after_cents=None)


class Patience(NamedTuple):
    """How long an order may wait for its group."""

    longest_wait_s: float = 0.2
    """Who would wait longer for the groups ahead, as these went lately, is sent away at once."""
    give_up_s: float = 0.65
    """Whose group has not begun by then is sent away after all. It is longer than a group waits
    for a wallet; the rest of a second is for reading and writing while all are busy."""


PATIENCE = Patience()


class _Waiting(NamedTuple):
    placing: store.Placing
    verdict: asyncio.Future[store.Verdict]
    since: float
    until: float
    """When its patience ends; both on the loop's clock."""
    span: traces.Span | None
    """Of the request that it came with; None without traces."""


class GroupCommit:
    """The orders of one process that wait for their commit."""

    def __init__(self, db: Database, patience: Patience = PATIENCE) -> None:
        self.db = db
        self._patience = patience
        self._waiting: deque[_Waiting] = deque()
        self._lines: dict[int, deque[_Waiting]] = {}
        """By account: what is decided apart. Whoever is decided stays in it until its next turn."""
        self._hands = asyncio.Semaphore(MOST_APART)
        self._tasks: set[asyncio.Task[None]] = set()
        self._inside = 0
        self._is_writing = False
        self._group_s = 0.0
        """What a group has taken lately."""

    async def place(self, placing: store.Placing) -> store.Verdict:
        """Record an order in the next group; what the database said of it.

        Raises `Unavailable` if nothing was done, `AnswerLost` if nobody knows, and whatever the
        database holds against this very order.
        """
        busy = self.why_busy()
        if busy is not None:
            raise busy
        loop = asyncio.get_running_loop()
        since = loop.time()
        until = since + store.PATIENCE_MS / 1_000
        waiting = _Waiting(placing, loop.create_future(), since, until, traces.current())
        self._waiting.append(waiting)
        if not self._is_writing:
            self._is_writing = True
            self._start(self._write_groups())
        self._inside += 1
        try:
            return await waiting.verdict
        finally:
            self._inside -= 1

    def waiting(self) -> dict[tuple[str, ...], float]:
        """How many orders wait: for their group, and apart."""
        apart = sum(map(len, self._lines.values()))
        return {("group",): len(self._waiting), ("apart",): apart}

    def why_busy(self) -> Unavailable | None:
        """Why an order that comes now is not taken; None if it is."""
        wait_s = len(self._waiting) // MOST_TOGETHER * self._group_s
        if self._inside >= MOST_WAITING or wait_s > self._patience.longest_wait_s:
            return _overloaded()
        return None

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        # In a context of its own: what is logged of a group is not of the request that began it.
        task = asyncio.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _write_groups(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while group := self._next_group():
                began = loop.time()
                # One connection that is dead must not hold up the process.
                await asyncio.wait([self._start(self._write_group(group))], timeout=STALLED_S)
                self._group_s += (loop.time() - began - self._group_s) / SMOOTHED_OVER
        finally:
            self._is_writing = False

    def _next_group(self) -> list[_Waiting]:
        """Who has waited longest, without those who have gone away: for them nothing is done."""
        began = asyncio.get_running_loop().time()
        group: list[_Waiting] = []
        while self._waiting and len(group) < MOST_TOGETHER:
            waiting = self._waiting.popleft()
            if waiting.verdict.done():
                continue
            if began - waiting.since > self._patience.give_up_s:
                _refuse([waiting], _overloaded())
            elif waiting.placing.order.account_id in self._lines:
                self._set_apart(waiting)
            else:
                group.append(waiting)
        return group

    async def _write_group(self, group: Sequence[_Waiting]) -> None:
        try:
            await self._write(group, GROUP_PATIENCE_MS)
        except Exception as error:  # noqa: BLE001 - whoever waits is told of it
            is_away = isinstance(error, Unavailable) and not isinstance(error, Contended | HeldUp)
            if is_away or (len(group) == 1 and not isinstance(error, HeldUp)):
                _refuse(group, error)
                return
            for waiting in group:
                if not waiting.verdict.done():
                    self._set_apart(waiting)

    def _set_apart(self, waiting: _Waiting) -> None:
        account_id = waiting.placing.order.account_id
        line = self._lines.get(account_id)
        if line is None:
            line = self._lines[account_id] = deque()
            self._start(self._write_line(account_id, line))
        if len(line) >= MOST_IN_LINE:
            _refuse([waiting], _overloaded())
        elif any(_have_one_key(waiting, other) for other in line):
            # Told at once, as by the database: what it waits for may take as long as its patience.
            waiting.verdict.set_result(_IN_FLIGHT)
        else:
            line.append(waiting)

    async def _write_line(self, account_id: int, line: deque[_Waiting]) -> None:
        most = MOST_TOGETHER
        try:
            while group := _first_of(line, most):
                async with self._hands:
                    most = await self._write_apart(group, most)
        finally:
            del self._lines[account_id]

    async def _write_apart(self, group: Sequence[_Waiting], most: int) -> int:
        """Try some of a line; gives how many of it may share a statement from now on."""
        # Whoever is late has one more look, and waits for nobody: so all get their turn in time.
        patience_ms = 1 if any(map(_is_late, group)) else LINE_PATIENCE_MS
        try:
            await self._write(group, patience_ms)
        except HeldUp as error:
            _refuse(filter(_is_late, group), error)
        except Unavailable as error:
            _refuse(group, error)
        except Exception as error:  # noqa: BLE001 - whoever waits is told of it
            if len(group) == 1:
                _refuse(group, error)
            return 1
        return most

    async def _write(self, group: Sequence[_Waiting], patience_ms: int) -> None:
        await retry_deadlocks(partial(self._write_once, group, patience_ms))

    async def _write_once(self, group: Sequence[_Waiting], patience_ms: int) -> None:
        links = [waiting.span for waiting in group]
        outcome, began = "failed", time.perf_counter()
        with traces.span("group commit", links, orders=len(group)):
            try:
                await self._commit(group, patience_ms)
                outcome = "committed"
            finally:
                GROUP_S.observe(time.perf_counter() - began, outcome)

    async def _commit(self, group: Sequence[_Waiting], patience_ms: int) -> None:
        async with connection(self.db) as conn:
            verdicts = await store.place_on_credit(
                conn, [waiting.placing for waiting in group], patience_ms=patience_ms
            )
            # It is committed: nothing that goes wrong from here on may have it done again.
            for waiting, verdict in zip(group, verdicts, strict=True):
                if not waiting.verdict.done():
                    waiting.verdict.set_result(verdict)
            _count(group, verdicts)


def _count(group: Sequence[_Waiting], verdicts: Sequence[store.Verdict]) -> None:
    """What was committed, whether or not its client is still there."""
    GROUP_ORDERS.observe(len(group))
    for waiting, verdict in zip(group, verdicts, strict=True):
        quote = waiting.placing.order.quote
        if verdict.balance_after_cents is not None:
            ORDER_OUTCOMES.add(quote.kind, "credits", "paid")
            MONEY.add("order", "credits", "USD", by=quote.amount_cents)
        elif verdict.verdict == "free":
            ORDER_OUTCOMES.add(quote.kind, "credits", "too_little_credit")


def _first_of(line: deque[_Waiting], most: int) -> list[_Waiting]:
    """The first of a line who still wait; whoever stands before them is let go."""
    while line and line[0].verdict.done():
        line.popleft()
    return [waiting for waiting in line if not waiting.verdict.done()][:most]


def _have_one_key(one: _Waiting, other: _Waiting) -> bool:
    key, other_key = one.placing.key, other.placing.key
    if key is None or other_key is None or other.verdict.done():
        return False
    return key.key_hash == other_key.key_hash


def _is_late(waiting: _Waiting) -> bool:
    return asyncio.get_running_loop().time() >= waiting.until


def _refuse(refused: Iterable[_Waiting], error: Exception) -> None:
    for waiting in refused:
        if not waiting.verdict.done():
            waiting.verdict.set_exception(error)


def _overloaded() -> Unavailable:
    return Unavailable(
        "More orders are waiting than can be carried out in time, so nothing was done. "
        "Send the request again in a moment.",
        code="overloaded",
    )
