"""A refill that was just set or switched off holds for the orders of a second later, and on."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from fieldfare.accounts import service as accounts
from fieldfare.db.pool import Connection, open_database, transaction
from tests.support.client import Api

ORDER_CENTS = 1_040
LIMIT_S = 1.0


def write(api: Api, work: Callable[[Connection], Awaitable[None]]) -> None:
    """Change something in a transaction of another process."""

    async def run() -> None:
        db = await open_database(api.database_url, pool_size=2, application="tests")
        try:
            async with transaction(db) as conn:
                await work(conn)
        finally:
            await db.close()

    asyncio.run(run())
    time.sleep(LIMIT_S)


def tells_of_a_refill(api: Api) -> bool:
    """Whether an order placed now leaves word that a refill is due."""
    purchase_id = api.order()["purchaseId"]
    rows = api.sql("select topic from notifications.outbox where subject_id = %s", purchase_id)
    return rows == [("refill_due",)]


def test_what_is_set_or_switched_off_holds_within_a_second(api: Api) -> None:
    team_id = api.world.team_id
    assert not tells_of_a_refill(api)

    async def refill_from_here(conn: Connection) -> None:
        await accounts.set_refill(conn, team_id, below_cents=api.balance(), amount_cents=20_000)

    write(api, refill_from_here)
    assert tells_of_a_refill(api)
    # It is below the bound now: only the one that crosses it tells.
    assert not tells_of_a_refill(api)
    write(api, refill_from_here)
    write(api, lambda conn: accounts.switch_refill_off(conn, team_id))
    assert not tells_of_a_refill(api)


def test_a_test_token_tells_nobody(api: Api) -> None:
    async def refill_always(conn: Connection) -> None:
        await accounts.set_refill(
            conn, api.world.team_id, below_cents=99_999_999, amount_cents=20_000
        )

    write(api, refill_always)
    assert api.order(token=api.world.test_token)["test"] is True
    told = api.sql(
        "select subject_id from notifications.outbox where topic = 'refill_due'"
        " and subject_id in (select id from orders.purchase where account_id = %s)",
        api.world.team_id,
    )
    assert told == []
