"""Orders from credits that arrive together share one statement and one commit.

While one group is being committed, the next one gathers; no timer is involved, so an order that
comes alone is a group of one and waits for nobody. A commit costs the same for one order as for
many: the disk is waited for once.

Within a group the database decides in the order of arrival, and each order finds what the one
before it left, as if they had come one by one. A group that the database refuses as a whole is
decided again order by order, so that one bad order spoils no other.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from contextvars import Context
from functools import partial
from typing import NamedTuple

from fieldfare.db.pool import Database, connection, retry_deadlocks
from fieldfare.kernel.errors import Contended, HeldUp, Unavailable
from fieldfare.orders import store

MOST_TOGETHER = 64
"""Beyond that a group gains little, and its first order waits for the last one's rows."""
MOST_WAITING = 1_024
"""About half a second's work; who comes then is asked to come again, and nothing was done."""
MOST_ALONE = 4
"""Connections of a process that may be busy with the orders of groups that were refused."""
GROUP_PATIENCE_MS = 500
"""How long a group waits for a wallet that somebody else holds; then it is decided one by one."""


class _Waiting(NamedTuple):
    placing: store.Placing
    verdict: asyncio.Future[store.Verdict]


class GroupCommit:
    """The orders of one process that wait for their commit."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._waiting: deque[_Waiting] = deque()
        self._alone = asyncio.Semaphore(MOST_ALONE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_writing = False

    async def place(self, placing: store.Placing) -> store.Verdict:
        """Record an order in the next group; what the database said of it.

        Raises `Unavailable` if nothing was done, `AnswerLost` if nobody knows, and whatever the
        database holds against this very order.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise Unavailable(
                "More orders are waiting than can be carried out in time, so nothing was done. "
                "Send the request again in a moment.",
                code="overloaded",
            )
        waiting = _Waiting(placing, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if not self._is_writing:
            self._is_writing = True
            self._start(self._write_groups())
        return await waiting.verdict

    def _start(self, work: Coroutine[None, None, None]) -> None:
        # In a context of its own: what is logged of a group is not of the request that began it.
        task = asyncio.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write_groups(self) -> None:
        try:
            while group := self._next_group():
                await self._write_group(group)
        finally:
            self._is_writing = False

    def _next_group(self) -> list[_Waiting]:
        """Who has waited longest, without those who have gone away: for them nothing is done."""
        group: list[_Waiting] = []
        while self._waiting and len(group) < MOST_TOGETHER:
            waiting = self._waiting.popleft()
            if not waiting.verdict.done():
                group.append(waiting)
        return group

    async def _write_group(self, group: Sequence[_Waiting]) -> None:
        try:
            await self._write(group, GROUP_PATIENCE_MS)
        except Exception as error:  # noqa: BLE001 - whoever waits is told of it
            is_away = isinstance(error, Unavailable) and not isinstance(error, Contended | HeldUp)
            for waiting in group:
                if is_away:
                    _refuse(waiting, error)
                else:
                    self._start(self._write_alone(waiting))

    async def _write_alone(self, waiting: _Waiting) -> None:
        async with self._alone:
            try:
                await retry_deadlocks(partial(self._write, [waiting], store.PATIENCE_MS))
            except Exception as error:  # noqa: BLE001 - whoever waits is told of it
                _refuse(waiting, error)

    async def _write(self, group: Sequence[_Waiting], patience_ms: int) -> None:
        async with connection(self.db) as conn:
            verdicts = await store.place_on_credit(
                conn, [waiting.placing for waiting in group], patience_ms=patience_ms
            )
        for waiting, verdict in zip(group, verdicts, strict=True):
            if not waiting.verdict.done():
                waiting.verdict.set_result(verdict)


def _refuse(waiting: _Waiting, error: Exception) -> None:
    if not waiting.verdict.done():
        waiting.verdict.set_exception(error)
