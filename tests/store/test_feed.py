"""The public feed: what is in it, what never is, and how long it may be kept."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from typer.testing import CliRunner

from fieldfare import jobs
from fieldfare.catalog.service import create_custom_portfolio, load_catalogue
from fieldfare.cli.feed import feed_app
from fieldfare.db.changes import ChangeFeed
from fieldfare.db.pool import Connection, Database, connection, open_database, transaction
from fieldfare.impact.errors import OrderNotHidden, ReasonRefused
from fieldfare.impact.jobs import rebuild_feed
from fieldfare.impact.service.feed import (
    EMPTY,
    FEED_ROWS,
    FeedCache,
    hide_order,
    list_hidden,
    load_feed,
    show_order,
)
from fieldfare.orders.errors import OrderNotFound
from fieldfare.orders.service import history
from fieldfare.orders.store import list_recent_purchases, place_on_credit
from fieldfare.settings import Settings
from tests.support.placing import order_of, placing
from tests.support.world import World, make_world

KG = 1_000_000
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


async def buy(db: Database, account_id: int, *masses_mg: int, **order: Any) -> list[UUID]:
    """Orders on credit, each later than the one before; gives their ids."""
    now = datetime.now(UTC)
    catalogue = await load_catalogue(db, now)
    orders = [
        order_of(catalogue, account_id, mass_mg, at=now + timedelta(milliseconds=n), **order)
        for n, mass_mg in enumerate(masses_mg)
    ]
    async with transaction(db) as conn:
        verdicts = await place_on_credit(conn, [placing(order) for order in orders])
    assert all(verdict.balance_after_cents is not None for verdict in verdicts)
    return [order.id for order in orders]


async def built(db: Database) -> list[dict[str, Any]]:
    """The rows of the feed after a build."""
    count = await rebuild_feed(db, datetime.now(UTC))
    rows: list[dict[str, Any]] = msgspec.json.decode((await load_feed(db)).body)
    assert len(rows) == count
    return rows


async def tons(db: Database) -> list[float]:
    return [row["tons"] for row in await built(db)]


async def make_public(db: Database, account_id: int, **urls: str) -> None:
    async with connection(db) as conn:
        await conn.execute(
            "update accounts.account set is_public = true, image_url = $2, profile_url = $3"
            " where id = $1",
            account_id,
            urls.get("image_url"),
            urls.get("profile_url"),
        )


async def test_before_the_first_build_the_feed_is_empty(db: Database) -> None:
    assert await load_feed(db) == EMPTY
    assert await built(db) == []


async def test_a_row_has_what_the_public_may_see(db: Database, world: World) -> None:
    await make_public(
        db,
        world.second_id,
        image_url="https://pictures.example/second.png",
        profile_url="https://second.example/",
    )
    (anonymous,) = await buy(db, world.team_id, 450 * KG, portfolio_id=21)
    await asyncio.sleep(0.005)
    await buy(db, world.second_id, KG)
    public, other = await built(db)
    assert list(public) == [
        "id", "name", "image_url", "portfolio_id", "portfolio_name", "tons", "created_at",
        "profile_url",
    ]  # fmt: skip
    assert (public["name"], public["image_url"], public["profile_url"]) == (
        "Second",
        "https://pictures.example/second.png",
        "https://second.example/",
    )
    assert (public["portfolio_id"], public["portfolio_name"]) == (12, "Wren Climate Fund")
    assert public["tons"] == 0.001
    assert (other["name"], other["image_url"], other["profile_url"]) == ("Anonymous", None, None)
    assert (other["portfolio_name"], other["tons"]) == ("Trailblazer", 0.45)
    assert other["created_at"].endswith("Z")
    assert anonymous.hex not in other["id"]


async def test_the_feed_names_no_person_and_no_id_of_an_order(db: Database, world: World) -> None:
    ids = await buy(db, world.team_id, KG, 2 * KG)
    async with connection(db) as conn:
        await conn.execute(
            "insert into orders.party (purchase_id, on_behalf_of_name, on_behalf_of_email, note)"
            " select id, 'Grace', 'g@tests.example', 'Hush' from orders.purchase"
        )
        slugs = await conn.fetch("select certificate_slug from orders.purchase")
    await built(db)
    body = (await load_feed(db)).body.decode()
    secrets = [str(one) for one in ids] + [str(row[0]) for row in slugs]
    secrets += [secret.replace("-", "") for secret in secrets]
    for secret in ["Grace", "g@tests", "Hush", "Team", str(world.team_id), *secrets]:
        assert secret not in body


async def test_ids_stay_from_build_to_build_and_so_does_the_body(
    db: Database, world: World
) -> None:
    await buy(db, world.team_id, KG, 2 * KG)
    rows = await built(db)
    first = await load_feed(db)
    assert await built(db) == rows
    second = await load_feed(db)
    assert (second.body, second.etag) == (first.body, first.etag)
    assert second.built_at > first.built_at
    assert len({row["id"] for row in rows}) == 2


async def test_the_hourly_job_done_again_builds_the_same(db: Database, world: World) -> None:
    await buy(db, world.team_id, KG)
    ctx = jobs.JobContext(db=db, settings=Settings())
    assert await jobs.build_public_feed(ctx) == {"rows": 1}
    first = await load_feed(db)
    assert await jobs.build_public_feed(ctx) == {"rows": 1}
    assert (await load_feed(db)).etag == first.etag


async def test_thirty_rows_newest_first(db: Database, world: World) -> None:
    await buy(db, world.team_id, *(n * KG for n in range(1, FEED_ROWS + 4)))
    assert await tons(db) == [n / 1000 for n in range(FEED_ROWS + 3, 3, -1)]


async def refund_lines(conn: Connection, purchase_id: UUID, *, but_the_largest: int = 0) -> None:
    """Give back an order's lines, but for so many."""
    await conn.execute(
        "update orders.line set refunded_at = now(), refunded_mg = mass_mg,"
        " refunded_trees = trees, refunded_micro = amount_micro where id in ("
        " select id from orders.line where purchase_id = $1 order by mass_mg desc offset $2)",
        purchase_id,
        but_the_largest,
    )


async def test_of_an_order_refunded_in_part_the_rest_is_shown(db: Database, world: World) -> None:
    (purchase_id,) = await buy(db, world.team_id, 5 * KG)
    async with connection(db) as conn:
        await conn.execute(
            "update orders.line set refunded_mg = mass_mg / 3 where purchase_id = $1", purchase_id
        )
        await conn.execute(
            "update orders.purchase set state = 'partly_refunded', refunded_minor = 1"
            " where id = $1",
            purchase_id,
        )
        standing = await conn.fetchval(
            "select sum(mass_mg - mass_mg / 3)::bigint from orders.line where purchase_id = $1",
            purchase_id,
        )
    assert 3 * KG < standing < 4 * KG
    assert await tons(db) == [standing / 1_000_000_000]


async def test_what_is_refunded_disputed_or_never_paid_is_left_out(
    db: Database, world: World
) -> None:
    ids = await buy(db, world.team_id, *(n * KG for n in range(1, 7)))
    async with connection(db) as conn:
        await refund_lines(conn, ids[0])
        await conn.execute(
            "update orders.purchase set state = 'refunded', refunded_at = now(),"
            " refunded_minor = charge_minor where id = $1",
            ids[0],
        )
        for purchase_id, state in zip(ids[1:4], ("disputed", "failed", "pending"), strict=True):
            await conn.execute(
                "update orders.purchase set state = $2 where id = $1", purchase_id, state
            )
        # Of the fifth, all but its largest line is back; of the sixth all, though its state lags.
        await refund_lines(conn, ids[4], but_the_largest=1)
        await refund_lines(conn, ids[5])
        largest = await conn.fetchval(
            "select max(mass_mg) from orders.line where purchase_id = $1", ids[4]
        )
        await conn.execute(
            "update orders.purchase set state = 'partly_refunded', refunded_minor = 1"
            " where id = any($1)",
            ids[4:],
        )
    assert 0 < largest < 5 * KG
    assert await tons(db) == [largest / 1_000_000_000]


async def test_other_kinds_of_order_are_not_in_it_nor_looked_at_without_end(
    db: Database, world: World
) -> None:
    ids = await buy(db, world.team_id, KG, 2 * KG, 3 * KG)
    async with connection(db) as conn:
        await conn.execute("update orders.purchase set kind = 'tree' where id = any($1)", ids[1:])
        found = await history.list_recent_purchases(conn, without_ids=[], at_most=5)
        assert [purchase.id for purchase in found] == ids[:1]
        near = await list_recent_purchases(conn, without_ids=[], looked_at=2, at_most=5)
        assert near == []


async def test_a_hidden_order_makes_room_for_an_older_one(db: Database, world: World) -> None:
    ids = await buy(db, world.team_id, *(n * KG for n in range(1, FEED_ROWS + 2)))
    async with transaction(db) as conn:
        await hide_order(conn, str(ids[-1]), "  Asked\nto be  left out ", NOON)
        await hide_order(conn, str(ids[-2]), "Test", NOON)
        await hide_order(conn, str(ids[-2]), "A test of ours", NOON + timedelta(seconds=1))
        hidden = await list_hidden(conn)
    assert [(order.purchase_id, order.reason) for order in hidden] == [
        (ids[-2], "A test of ours"),
        (ids[-1], "Asked to be left out"),
    ]
    assert await tons(db) == [n / 1000 for n in range(FEED_ROWS - 1, 0, -1)]
    async with transaction(db) as conn:
        await show_order(conn, str(ids[-1]))
    assert (await tons(db))[0] == (FEED_ROWS + 1) / 1000


async def test_an_order_is_hidden_by_its_charge_too(db: Database, world: World) -> None:
    (purchase_id,) = await buy(db, world.team_id, KG)
    async with transaction(db) as conn:
        await conn.execute("insert into orders.charge values ('ch_1', $1)", purchase_id)
        await hide_order(conn, "ch_1", "Spam", NOON)
    assert await built(db) == []


async def test_what_cannot_be_hidden_or_shown_is_told(db: Database, world: World) -> None:
    (purchase_id,) = await buy(db, world.team_id, KG)
    async with connection(db) as conn:
        for nowhere in ("ch_none", "no such thing", "01a22ee6-b000-7000-8000-000000000001"):
            with pytest.raises(OrderNotFound):
                await hide_order(conn, nowhere, "Spam", NOON)
            with pytest.raises(OrderNotFound):
                await show_order(conn, nowhere)
        for reason in ("", " \n ", "x" * 501):
            with pytest.raises(ReasonRefused):
                await hide_order(conn, str(purchase_id), reason, NOON)
        with pytest.raises(OrderNotHidden):
            await show_order(conn, str(purchase_id))


async def test_a_portfolio_of_one_account_s_own_tells_nothing_unless_it_is_public(
    db: Database, world: World
) -> None:
    async with transaction(db) as conn:
        portfolio_id = await create_custom_portfolio(
            conn,
            world.team_id,
            name="Secret Industries",
            description="Ours.",
            weights_ppm={1: 1_000_000},
            now=datetime.now(UTC),
            made_by="tests",
        )
    await buy(db, world.team_id, KG, portfolio_id=portfolio_id)
    (row,) = await built(db)
    assert (row["portfolio_id"], row["portfolio_name"]) == (None, "Custom portfolio")
    await make_public(db, world.team_id)
    (row,) = await built(db)
    assert (row["portfolio_id"], row["portfolio_name"]) == (portfolio_id, "Secret Industries")


async def test_an_erased_account_is_anonymous(db: Database, world: World) -> None:
    await make_public(db, world.team_id)
    await buy(db, world.team_id, KG)
    assert [row["name"] for row in await built(db)] == ["Team"]
    async with connection(db) as conn:
        await conn.execute(
            "update accounts.account set erased_at = now() where id = $1", world.team_id
        )
    assert [row["name"] for row in await built(db)] == ["Anonymous"]


async def test_a_build_waits_for_the_one_before_and_sees_what_was_hidden(
    db: Database, world: World
) -> None:
    (purchase_id,) = await buy(db, world.team_id, KG)
    async with transaction(db) as first:
        await first.execute("insert into db.change values ('feed', 1)")
        waiting = asyncio.create_task(rebuild_feed(db, NOON))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await hide_order(first, str(purchase_id), "Spam", NOON)
    assert await waiting == 0


async def test_a_build_is_served_with_the_next_reading_of_the_changes(
    db: Database, world: World
) -> None:
    changes = ChangeFeed(db)
    cache = FeedCache(changes, db)
    await changes.read()
    assert await cache.current() is EMPTY
    await buy(db, world.team_id, KG)
    await rebuild_feed(db, NOON)
    assert await cache.current() is EMPTY
    await changes.read()
    feed = await cache.current()
    assert feed.built_at == NOON
    assert await cache.current() is feed


def test_an_operator_curates_the_feed(database_url: str, tmp_path: Path) -> None:
    def run(*words: str, code: int = 0) -> list[str]:
        env = {"DATABASE_URL": database_url, "FIELDFARE_HOME": str(tmp_path)}
        result = CliRunner().invoke(feed_app, list(words), env=env)
        assert result.exit_code == code, result.output
        return (result.stderr if code else result.stdout).splitlines()

    assert run("list") == ["There is nothing to show yet, and nothing is hidden."]
    world = asyncio.run(make_world(database_url))
    (purchase_id,) = asyncio.run(buy_at(database_url, world.team_id))
    (line,) = run("list")
    assert line.startswith(f"{purchase_id}  20")
    assert line.endswith("Z  0.001 t  Wren Climate Fund  Anonymous")
    assert run("rebuild")[0].startswith("The feed has 1 order.")
    assert run("hide", str(purchase_id), "--reason", "Spam")[0].startswith("Hidden.")
    (line,) = run("list")
    assert line.startswith(f"{purchase_id}  hidden 20")
    assert line.endswith("Z: Spam")
    assert run("rebuild")[0].startswith("The feed has 0 orders.")
    assert run("show", str(purchase_id))[0].startswith("No longer hidden.")
    assert run("show", str(purchase_id), code=1) == [
        f"fieldfare: The order {purchase_id} is not hidden. Nothing was changed."
    ]
    assert run("hide", "ch_none", "--reason", "Spam", code=1)[0].startswith(
        "fieldfare: There is no"
    )


async def buy_at(database_url: str, account_id: int) -> list[UUID]:
    """One order, for a test that is no coroutine itself."""
    database = await open_database(database_url, pool_size=2, application="tests")
    try:
        return await buy(database, account_id, KG)
    finally:
        await database.close()
