"""What happens by itself: balance transactions, disputes and refunds that fall due, and events.

Everything is due by the simulator's clock, and stands in the store until it is done.
"""

import asyncio
import contextlib
from typing import Any

import structlog

from fieldfare.simulators.stripe import charges, disputes, refunds
from fieldfare.simulators.stripe.deliveries import next_due, open_client, send_due
from fieldfare.simulators.stripe.errors import ApiError
from fieldfare.simulators.stripe.store import attempt, transaction
from fieldfare.simulators.stripe.world import Call, World, now

_LONGEST_NAP_S = 1.0
_SHORTEST_NAP_S = 0.005
_log = structlog.get_logger("fieldfare.simulators.stripe")


async def run_background(world: World) -> None:
    """Do what falls due, until cancelled."""
    sending: set[asyncio.Task[Any]] = set()
    async with open_client() as client:
        try:
            while True:
                world.wake.clear()
                run_timers(world)
                await send_due(world, client, sending)
                # Not `wait_for`, which in Python 3.11 can swallow a cancellation.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_nap_s(world, full=len(sending) > 0)):
                        await world.wake.wait()
        finally:
            for task in sending:
                task.cancel()


def _nap_s(world: World, *, full: bool) -> float:
    timer = world.db.execute("select min(due_at_s) from timer").fetchone()[0]
    moments = [moment for moment in (timer, next_due(world)) if moment is not None]
    if not moments:
        return _LONGEST_NAP_S
    # With everything busy, the end of one of them wakes us.
    shortest = 0.05 if full else _SHORTEST_NAP_S
    return max(shortest, min(_LONGEST_NAP_S, min(moments) - now(world)))


def run_timers(world: World) -> None:
    """Do everything that has fallen due, in its order."""
    while row := world.db.execute(
        "select seq, kind, subject, due_at_s from timer where due_at_s <= ? "
        "order by due_at_s, seq limit 1",
        (now(world),),
    ).fetchone():
        number, kind, subject, _ = row
        with transaction(world.db):
            world.db.execute("delete from timer where seq = ?", (number,))
            try:
                with attempt(world.db):
                    _do(Call(world=world, now=now(world)), kind, subject)
            except ApiError as error:  # a charge that was refunded before its dispute, say
                _log.debug("timer_moot", kind=kind, subject=subject, reason=str(error))


def _do(call: Call, kind: str, subject: str) -> None:
    name, _, detail = kind.partition(":")
    if name == charges.SETTLE:
        charges.settle(call, subject)
    elif name == charges.DISPUTE:
        disputes.open_dispute(call, subject, inquiry=detail == "inquiry")
    elif name == refunds.FINISH:
        refunds.finish(call, subject, detail)
    else:
        raise AssertionError(kind)
