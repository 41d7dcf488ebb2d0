"""The pace of calls to the processor: each takes a turn, and all processes share the turns.

Turns stand on one schedule that every process writes to (`Schedule`). A process reserves a few at a
time and hands them out in the order of arrival. What must hold: no call goes out without a turn; a
turn that is not used within a tenth of a second is lost and never made up for, so that no second
sees more than the rate and a tenth of it; whoever waits holds nothing, so that it can go away, or
die, unharmed.

What nobody has begun (an order, a top-up) waits before anything of it is recorded. What is under
way already waits apart from that, and each of the two gets every other turn while both wait.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import Context, ContextVar
from typing import TypeAlias

import msgspec
import structlog

from fieldfare.kernel.errors import Unavailable
from fieldfare.telemetry.families import TURN_S

MOST_WAITING = 10_000
"""Orders of one process; and as many calls for what is under way."""
LATE_S = 0.04
"""A turn that could not be handed out by then is lost."""
GOOD_FOR_S = 0.08
"""Who has a turn and comes to its call later than this waits for another one."""
MOST_LOOKING = 3
"""So many may look at the database before they wait; it is there for whose turn it is."""
LONGEST_HOLD_S = 60.0
"""However long the processor asks for."""
LOOK_S = 0.1
"""Who waits for long looks so often whether it should go on."""

Leaving: TypeAlias = Callable[[], Awaitable[None]]
"""Returns once there is nobody left to answer."""
_Line: TypeAlias = OrderedDict[asyncio.Future[float], None]
"""Who waits, in the order of arrival; each is told the instant of its turn."""

_log = structlog.get_logger(__name__)


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Where turns are reserved, by all processes together; `payments.service.pace` keeps it."""

    apart_s: float
    """From one turn to the next."""
    at_once: int
    """Turns that a process reserves at a time, at most."""
    look_again_s: float
    """How long to wait if none was to be had."""
    reserve: Callable[[int], Awaitable[float | None]]
    """So many turns in a row: seconds until the first (below zero: since), None if too far off."""
    hold: Callable[[float], Awaitable[None]]
    """No turn for anybody for so many seconds."""


class Overloaded(Unavailable):
    """503: too many wait; nothing was done."""

    code = "overloaded"
    retry_after_s = 10


class _Turn:
    """A turn in the hands of who waited for it."""

    def __init__(self, turn_at: float) -> None:
        self.turn_at = turn_at
        self.is_used = False

    def use(self) -> bool:
        """Whether it is still good for a call, which it is not after this one."""
        is_good = not self.is_used and _now() - self.turn_at <= GOOD_FOR_S
        self.is_used = True
        return is_good


_held: ContextVar[_Turn | None] = ContextVar("turn", default=None)


class Pace:
    """Who waits in one process, and the turns that it has reserved for them."""

    def __init__(
        self,
        schedule: Schedule,
        *,
        most_waiting: int = MOST_WAITING,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._schedule = schedule
        self._most_waiting = most_waiting
        self._is_stopping = is_stopping
        self._new: _Line = OrderedDict()
        self._begun: _Line = OrderedDict()
        self._begun_was_last = False
        self._held_until = float("-inf")
        self._handing_out: asyncio.Task[None] | None = None
        self.looking = asyncio.Semaphore(MOST_LOOKING)

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        return len(self._new) + len(self._begun)

    def waiting_by_line(self) -> dict[tuple[str, ...], float]:
        """The same, for what nobody has begun and for what is under way."""
        return {("new",): len(self._new), ("begun",): len(self._begun)}

    @asynccontextmanager
    async def turn(
        self, leaving: Leaving | None = None, *, is_begun: bool = False
    ) -> AsyncIterator[None]:
        """Wait for a turn; the first call within the block goes out by it.

        `is_begun` says that something of it is on record already. Who has left by `leaving` does
        not wait any more. Raises `Overloaded` or another `Unavailable`; then nothing was done.
        """
        turn = _Turn(await self._wait(self._begun if is_begun else self._new, leaving))
        token = _held.set(turn)
        try:
            yield
        finally:
            _held.reset(token)
            # It turned out that nothing had to be asked: the turn is the next one's.
            if not turn.is_used and _now() - turn.turn_at <= LATE_S:
                self._give(turn.turn_at)

    async def take(self) -> None:
        """For each call: the turn of the block around it, or the next one; raises like `turn`."""
        turn = _held.get()
        if turn is None or not turn.use():
            await self._wait(self._begun, None)

    async def hold(self, hold_s: float) -> None:
        """The processor wants to be left alone, by all processes; for a minute at most."""
        hold_s = min(hold_s, LONGEST_HOLD_S)
        self._held_until = max(self._held_until, _now() + hold_s)
        try:
            await self._schedule.hold(hold_s)
        except Unavailable as error:
            _log.warning("processor_hold_not_shared", hold_s=hold_s, reason=type(error).__name__)

    async def close(self) -> None:
        """Stop; nobody may be waiting."""
        if self._handing_out is not None:
            self._handing_out.cancel()
            await asyncio.wait([self._handing_out])

    async def _wait(self, line: _Line, leaving: Leaving | None) -> float:
        if len(line) >= self._most_waiting:
            raise Overloaded(
                "Too many calls of the card processor are waiting, so nothing was done. "
                "Send the same request again in a while."
            )
        turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        line[turn] = None
        since = _now()
        self._start()
        watching = None if leaving is None else asyncio.ensure_future(leaving())
        if watching is not None:
            watching.add_done_callback(lambda _: _refuse(turn, _gone()))
        try:
            return await turn
        finally:
            TURN_S.observe(_now() - since, "new" if line is self._new else "begun")
            line.pop(turn, None)
            if watching is not None:
                watching.cancel()

    def _start(self) -> None:
        if self._handing_out is None or self._handing_out.done():
            # In a context of its own: what is logged here is not of the request that began it.
            self._handing_out = asyncio.create_task(self._hand_out(), context=Context())

    async def _hand_out(self) -> None:
        while self.waiting:
            count = min(self.waiting, self._schedule.at_once)
            try:
                await self._hand_out_some(count)
            except Exception as error:  # noqa: BLE001 - whoever's turn it was is told of it
                is_away = isinstance(error, Unavailable)
                _log.warning("no_turns", reason=repr(error), exc_info=None if is_away else error)
                for _ in range(count):
                    self._give(_away())
                await self._rest_until(_now() + count * self._schedule.apart_s)

    async def _hand_out_some(self, count: int) -> None:
        await self._rest_until(self._held_until)
        first_in_s = await self._schedule.reserve(count)
        if first_in_s is None:
            await self._rest_until(_now() + self._schedule.look_again_s)
            return
        first_at = _now() + first_in_s
        for number in range(count):
            turn_at = first_at + number * self._schedule.apart_s
            await self._rest_until(turn_at)
            if turn_at < self._held_until:
                return
            if _now() - turn_at <= LATE_S:
                self._give(turn_at)

    async def _rest_until(self, instant: float) -> None:
        while (left_s := instant - _now()) > 0:
            if self._is_stopping():
                self._send_home()
            await asyncio.sleep(min(left_s, LOOK_S))

    def _send_home(self) -> None:
        """What was not begun is not begun any more; what was is carried to its end."""
        while self._new:
            _refuse(self._new.popitem(last=False)[0], _stopping())

    def _give(self, turn_at: float | Unavailable) -> None:
        """Give a turn, or a refusal, to whoever is next."""
        while self.waiting:
            line = self._next_line()
            turn, _ = line.popitem(last=False)
            if turn.done():
                continue
            self._begun_was_last = line is self._begun
            if isinstance(turn_at, Unavailable):
                turn.set_exception(turn_at)
            else:
                turn.set_result(turn_at)
            return

    def _next_line(self) -> _Line:
        first, second = self._begun, self._new
        if self._begun_was_last:
            first, second = second, first
        return first or second


def _now() -> float:
    return asyncio.get_running_loop().time()


def _refuse(turn: asyncio.Future[float], refusal: Unavailable) -> None:
    if not turn.done():
        turn.set_exception(refusal)


def _gone() -> Unavailable:
    return Unavailable("Whoever asked has gone, so nothing was done.", code="client_gone")


def _stopping() -> Unavailable:
    return Unavailable(
        "This process is about to stop, so nothing was done. Send the request again in a moment.",
        code="stopping",
    )


def _away() -> Unavailable:
    return Unavailable(
        "The database does not answer, so nothing was done. Send the request again in a moment.",
        code="database_unavailable",
    )
