"""The one row from which all processes reserve their turns to call the card processor."""

from datetime import timedelta

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries

_queries = load_queries(__file__)


async def reserve_turns(
    conn: Connection, turns: int, *, apart: timedelta, made_up_for: timedelta, horizon: timedelta
) -> float | None:
    """So many turns in a row, `apart` from each other; gives the seconds until the first.

    Below zero it has been, by `made_up_for` at most. None if it would be later than `horizon`.
    """
    first_in_s: float | None = await _queries.reserve_turns(
        conn, turns=turns, apart=apart, made_up_for=made_up_for, horizon=horizon
    )
    return first_in_s


async def reserve_background_turn(
    conn: Connection,
    *,
    apart: timedelta,
    rest: timedelta,
    made_up_for: timedelta,
    horizon: timedelta,
) -> float | None:
    """One turn in the same way, and none within `rest` after the last one of this kind."""
    first_in_s: float | None = await _queries.reserve_background_turn(
        conn, apart=apart, rest=rest, made_up_for=made_up_for, horizon=horizon
    )
    return first_in_s


async def hold_turns(conn: Connection, span: timedelta) -> None:
    """No turn for anybody for so long."""
    await _queries.hold_turns(conn, span=span)
