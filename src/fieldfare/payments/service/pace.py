"""How fast all processes together call the card processor: one row that they reserve turns from.

The row says when the next turn is; whoever reserves some moves it on, by the database's clock. So
there is no share to set for each process, and what a process had reserved as it died is time lost
and nothing else. What clients wait for reserves a few turns at a time; the background one by one,
and no more than a third of all, so that no backlog of its own stands in the way of orders.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from fieldfare.db.pool import Database, connection
from fieldfare.integrations.stripe.pace import Pace, Schedule
from fieldfare.payments import store

AT_ONCE_S = 0.1
"""A process reserves as many turns as pass in this time."""
MADE_UP_FOR = timedelta(milliseconds=30)
"""The way to the database and back must cost no turn."""
HORIZON = timedelta(milliseconds=250)
"""Nobody has a turn further ahead, so that whatever stops the schedule soon stops everybody."""
BACKGROUND_HORIZON = 2 * HORIZON
"""Further, so that many processes with orders do not leave the background without its part."""
BACKGROUND_PART = 3
"""Every third turn at most."""
LONGEST_LOOK_S = 0.1


def pace_of_requests(
    db: Database, per_second: int, *, is_stopping: Callable[[], bool] = lambda: False
) -> Pace:
    """The pace of a process that serves clients; once it `is_stopping`, new orders are refused."""
    apart = timedelta(seconds=1 / per_second)

    async def reserve(turns: int) -> float | None:
        async with connection(db) as conn:
            return await store.reserve_turns(
                conn, turns, apart=apart, made_up_for=MADE_UP_FOR, horizon=HORIZON
            )

    schedule = Schedule(
        apart_s=1 / per_second,
        at_once=max(2, round(per_second * AT_ONCE_S)),
        look_again_s=LONGEST_LOOK_S,
        reserve=reserve,
        hold=_holding(db),
    )
    return Pace(schedule, is_stopping=is_stopping)


def pace_of_background(db: Database, per_second: int) -> Pace:
    """The pace of jobs and of an operator's commands."""
    apart = timedelta(seconds=1 / per_second)

    async def reserve(_: int) -> float | None:
        async with connection(db) as conn:
            return await store.reserve_background_turn(
                conn,
                apart=apart,
                rest=BACKGROUND_PART * apart,
                made_up_for=MADE_UP_FOR,
                horizon=BACKGROUND_HORIZON,
            )

    schedule = Schedule(
        apart_s=1 / per_second,
        at_once=1,
        look_again_s=min(BACKGROUND_PART / per_second, LONGEST_LOOK_S),
        reserve=reserve,
        hold=_holding(db),
    )
    return Pace(schedule)


def _holding(db: Database) -> Callable[[float], Awaitable[None]]:
    async def hold(span_s: float) -> None:
        async with connection(db) as conn:
            await store.hold_turns(conn, timedelta(seconds=span_s))

    return hold
