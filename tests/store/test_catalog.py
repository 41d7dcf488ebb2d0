"""The catalogue in a real database: changes, what they leave behind, and the copy in memory."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from fieldfare.accounts.errors import AccountNotFound
from fieldfare.accounts.service import open_user
from fieldfare.catalog import service, store
from fieldfare.catalog.errors import (
    CatalogueRefused,
    NothingForSale,
    PortfolioClosed,
    PortfolioNotFound,
    PriceRefused,
    PriceTooSoon,
    ProjectNotFound,
    WeightsRefused,
)
from fieldfare.catalog.model import Catalogue, Rows
from fieldfare.catalog.service import CatalogueCache
from fieldfare.db.changes import ChangeFeed
from fieldfare.db.pool import Database, connection, transaction
from tests.support.catalog_rows import portfolio_row, project_row, small_rows

PPM = 1_000_000


async def import_rows(db: Database, rows: Rows) -> service.Imported:
    """Import in a transaction of its own, with prices that hold at once."""
    async with transaction(db) as conn:
        return await service.import_catalogue(conn, rows, now=datetime.now(UTC), made_by="tests")


async def set_price(db: Database, project_id: int, micro: int, effective_at: datetime) -> None:
    """Set a price in a transaction of its own."""
    async with transaction(db) as conn:
        await service.set_price(
            conn, project_id, micro, effective_at, made_by="tests", reason="a test"
        )


async def open_account(db: Database) -> int:
    """A user to own a custom portfolio."""
    async with transaction(db) as conn:
        return await open_user(
            conn, name="Ada", billing_email="ada@example.org", now=datetime.now(UTC)
        )


async def make_custom(
    db: Database, account_id: int, weights_ppm: dict[int, int], name: str = "Our own"
) -> int:
    """A custom portfolio, in a transaction of its own."""
    async with transaction(db) as conn:
        return await service.create_custom_portfolio(
            conn,
            account_id,
            name=name,
            description="What we believe in.",
            weights_ppm=weights_ppm,
            now=datetime.now(UTC),
            made_by="tests",
        )


async def load(db: Database) -> Catalogue:
    """What is sold now."""
    return await service.load_catalogue(db, datetime.now(UTC))


async def findings(db: Database) -> list[str]:
    """What `verify` says of the catalogue."""
    async with connection(db) as conn:
        return [str(finding) async for finding in service.verify_catalogue(conn)]


async def tamper(db: Database, statement: str) -> None:
    """Change rows behind the back of every trigger, as a broken disk would."""
    async with transaction(db) as conn:
        await conn.execute("set local session_replication_role = replica")
        await conn.execute(statement)


async def revisions(db: Database) -> list[int]:
    """The revisions so far."""
    async with connection(db) as conn:
        return [revision for revision, _ in await store.list_changes(conn)]


async def test_the_demo_is_sold_as_the_sandbox_sells_it(db: Database) -> None:
    imported = await import_rows(db, service.load_preset())
    live, preset = await load(db), service.preset_catalogue()
    assert imported.revision == live.revision == 1
    assert live.portfolios == preset.portfolios
    assert live.projects == preset.projects
    assert live.listed == preset.listed


async def test_an_import_done_again_changes_nothing(db: Database) -> None:
    await import_rows(db, service.load_preset())
    again = await import_rows(db, service.load_preset())
    assert (again.change, again.revision, again.refused_prices) == (Rows(), None, ())
    assert await revisions(db) == [1]


async def test_imports_at_the_same_time_write_once(db: Database) -> None:
    done = await asyncio.gather(*(import_rows(db, small_rows()) for _ in range(4)))
    assert sorted(one.revision or 0 for one in done) == [0, 0, 0, 1]
    assert await findings(db) == []


async def test_an_import_that_is_refused_leaves_nothing(db: Database) -> None:
    wrong = msgspec.structs.replace(small_rows(), portfolios=(portfolio_row(7, {2: PPM - 1}),))
    with pytest.raises(CatalogueRefused, match=r"sum to 0\.999999"):
        await import_rows(db, wrong)
    async with connection(db) as conn:
        assert await store.list_rows(conn) == Rows()
    assert (await load(db)).revision == 0


async def test_the_default_and_the_tree_provider_can_move(db: Database) -> None:
    await import_rows(db, service.load_preset())
    rows = service.load_preset()
    trees = next(row for row in rows.projects if row.is_tree_provider)
    other = msgspec.structs.replace(trees, id=40, provider_name="Another")
    price = next(row for row in rows.prices if row.project_id == trees.id)
    await import_rows(
        db,
        Rows(
            projects=(other,),
            portfolios=(portfolio_row(2, {2: PPM}, is_default=True),),
            prices=(msgspec.structs.replace(price, project_id=40),),
        ),
    )
    catalogue = await load(db)
    assert (catalogue.default_portfolio_id, catalogue.tree_provider_id) == (2, 40)
    assert not catalogue.portfolios[12].is_default
    assert await findings(db) == []


async def test_a_price_takes_effect_at_its_instant(db: Database) -> None:
    await import_rows(db, small_rows())
    change_at = datetime.now(UTC) + timedelta(minutes=5)
    await set_price(db, 1, 3_000_000_000, change_at)
    before = await load(db)
    after = await service.load_catalogue(db, change_at)
    assert before.valid_until == change_at
    assert before.portfolios[12].cost_per_ton_cents == 2667
    assert after.portfolios[12].cost_per_ton_cents == 3429
    assert after.valid_until is None
    assert (before.revision, after.revision) == (2, 2)


async def test_a_price_that_cannot_be_set_leaves_nothing(db: Database) -> None:
    await import_rows(db, small_rows())
    now = datetime.now(UTC)
    tomorrow = now + timedelta(days=1)
    with pytest.raises(PriceTooSoon):
        await set_price(db, 1, 3_000_000_000, now + timedelta(seconds=4))
    with pytest.raises(ProjectNotFound):
        await set_price(db, 99, 3_000_000_000, tomorrow)
    with pytest.raises(PriceRefused, match="no unit"):
        await set_price(db, 4, 3_000_000_000, tomorrow)
    with pytest.raises(PriceRefused, match="10000"):
        await set_price(db, 1, 2**70, tomorrow)
    await set_price(db, 1, 3_000_000_000, tomorrow)
    with pytest.raises(PriceRefused, match="already"):
        await set_price(db, 1, 3_500_000_000, tomorrow)
    assert await revisions(db) == [1, 2]


async def test_the_notice_counts_from_when_our_turn_came(db: Database) -> None:
    await import_rows(db, small_rows())
    async with transaction(db) as busy:
        await store.lock_revisions(busy)
        effective_at = datetime.now(UTC) + timedelta(seconds=5, milliseconds=300)
        waiting = asyncio.create_task(set_price(db, 1, 3_000_000_000, effective_at))
        await asyncio.sleep(0.6)
    with pytest.raises(PriceTooSoon):
        await waiting


async def test_changes_at_the_same_time_each_get_a_revision(db: Database) -> None:
    await import_rows(db, small_rows())
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await asyncio.gather(
        *(set_price(db, 1, 3_000_000_000 + i, tomorrow + timedelta(i)) for i in range(6))
    )
    assert await revisions(db) == [1, 2, 3, 4, 5, 6, 7]
    assert await findings(db) == []


async def test_a_file_does_not_change_a_price_that_is_there(db: Database) -> None:
    await import_rows(db, small_rows())
    first, *rest = small_rows().prices
    dearer = msgspec.structs.replace(first, unit_price_micro=9_000_000_000)
    imported = await import_rows(db, msgspec.structs.replace(small_rows(), prices=(dearer, *rest)))
    assert imported.revision is None
    assert [price.unit_price_micro for price in imported.refused_prices] == [9_000_000_000]
    assert (await load(db)).projects[1].unit_price_micro == 2_000_000_000


@pytest.mark.parametrize(
    "statement",
    [
        "update catalog.price set unit_price_micro = unit_price_micro + 1",
        "delete from catalog.price",
        "update catalog.revision set made_by = 'somebody else'",
        "delete from catalog.revision",
        "update catalog.weight set weight_ppm = weight_ppm - 1",
        "update catalog.weight set project_id = 3 where portfolio_id = 7",
        "update catalog.weight set project_id = 4 where portfolio_id = 7",
        "update catalog.portfolio set is_default = true",
        "update catalog.project set partner_share_ppm = 699999",
    ],
)
async def test_the_database_itself_refuses(db: Database, statement: str) -> None:
    await import_rows(db, small_rows())
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        async with transaction(db) as conn:
            await conn.execute(statement)


async def test_a_custom_portfolio_is_seen_by_its_account_only(db: Database) -> None:
    await import_rows(db, small_rows())
    account_id = await open_account(db)
    portfolio_id = await make_custom(db, account_id, {1: 250_000, 2: 750_000})
    catalogue = await load(db)
    assert portfolio_id >= 1000
    assert service.get_portfolio(catalogue, portfolio_id, account_id).cost_per_ton_cents == 3200
    seen = service.portfolios_for
    assert [one.id for one in seen(catalogue, account_id)] == [12, 7, portfolio_id]
    assert [one.id for one in seen(catalogue, account_id + 1)] == [12, 7]
    assert [one.id for one in seen(catalogue, None)] == [12, 7]
    for asker in (account_id + 1, None):
        with pytest.raises(PortfolioNotFound) as not_yours:
            service.get_portfolio(catalogue, portfolio_id, asker)
        with pytest.raises(PortfolioNotFound) as not_there:
            service.get_portfolio(catalogue, portfolio_id + 1, asker)
        text = not_yours.value.message.replace(str(portfolio_id), "N")
        assert text == not_there.value.message.replace(str(portfolio_id + 1), "N")


async def test_a_custom_portfolio_that_cannot_be_is_refused(db: Database) -> None:
    await import_rows(db, small_rows())
    account_id = await open_account(db)
    with pytest.raises(AccountNotFound):
        await make_custom(db, account_id + 1, {1: PPM})
    with pytest.raises(WeightsRefused):
        await make_custom(db, account_id, {1: PPM - 1})
    with pytest.raises(WeightsRefused):
        await make_custom(db, account_id, {1: PPM, 2: 0})
    with pytest.raises(CatalogueRefused, match="name"):
        await make_custom(db, account_id, {1: PPM}, name="")
    with pytest.raises(WeightsRefused):
        await make_custom(db, account_id, {1: 2 * PPM, 2: -PPM})
    assert await revisions(db) == [1]


async def test_asking_for_no_portfolio_gives_the_default(db: Database) -> None:
    with pytest.raises(NothingForSale):
        service.get_portfolio(await load(db), None, 1)
    await import_rows(db, small_rows())
    assert service.get_portfolio(await load(db), None, 1).id == 12
    await import_rows(db, Rows(projects=(project_row(1, is_open=False),)))
    catalogue = await load(db)
    with pytest.raises(NothingForSale):
        service.get_portfolio(catalogue, None, 1)
    with pytest.raises(PortfolioClosed):
        service.get_portfolio(catalogue, 12, 1)


async def test_callers_at_the_same_time_share_one_reading(db: Database) -> None:
    await import_rows(db, small_rows())
    feed = ChangeFeed(db)
    cache = CatalogueCache(feed, db)
    now = datetime.now(UTC)
    stale = await asyncio.gather(*(cache.current(now) for _ in range(20)))
    assert len({id(one) for one in stale}) == 1
    await feed.read()
    fresh = await asyncio.gather(*(cache.current(now) for _ in range(20)))
    assert len({id(one) for one in (stale[0], *fresh)}) == 2
    assert await cache.current(now) is fresh[0]


async def test_nothing_kept_is_used_while_the_feed_is_stale(db: Database) -> None:
    await import_rows(db, small_rows())
    cache = CatalogueCache(ChangeFeed(db), db)
    now = datetime.now(UTC)
    assert await cache.current(now) is not await cache.current(now)


async def test_a_change_is_seen_with_the_next_reading_of_the_feed(db: Database) -> None:
    await import_rows(db, small_rows())
    feed = ChangeFeed(db)
    cache = CatalogueCache(feed, db)
    now = datetime.now(UTC)
    await feed.read()
    before = await cache.current(now)
    await import_rows(db, Rows(projects=(project_row(1, name="Renamed"),)))
    await feed.read()
    after = await cache.current(now)
    assert (before.projects[1].name, after.projects[1].name) == ("Project 1", "Renamed")
    assert await cache.current(now) is after


async def test_a_kept_catalogue_ends_when_its_next_price_begins(db: Database) -> None:
    await import_rows(db, small_rows())
    change_at = datetime.now(UTC) + timedelta(minutes=5)
    await set_price(db, 1, 3_000_000_000, change_at)
    feed = ChangeFeed(db)
    cache = CatalogueCache(feed, db)
    await feed.read()
    just_before = change_at - timedelta(microseconds=1)
    before = await cache.current(just_before)
    assert await cache.current(just_before) is before
    after = await cache.current(change_at)
    assert before.projects[1].unit_price_micro == 2_000_000_000
    assert after.projects[1].unit_price_micro == 3_000_000_000


async def test_a_caller_that_goes_away_takes_no_other_along(db: Database) -> None:
    await import_rows(db, small_rows())
    cache = CatalogueCache(ChangeFeed(db), db)
    now = datetime.now(UTC)
    first = asyncio.create_task(cache.current(now))
    second = asyncio.create_task(cache.current(now))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).revision == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_reading_that_failed_is_tried_again(db: Database) -> None:
    await import_rows(db, small_rows())
    cache = CatalogueCache(ChangeFeed(db), db)
    now = datetime.now(UTC)
    async with connection(db) as conn:
        await conn.execute("alter table catalog.price rename to away")
        with pytest.raises(asyncpg.UndefinedTableError):
            await cache.current(now)
        await conn.execute("alter table catalog.away rename to price")
    assert (await cache.current(now)).revision == 1


async def test_a_catalogue_changed_in_every_way_is_proven(db: Database) -> None:
    await import_rows(db, service.load_preset())
    await set_price(db, 18, 25_000_000_000, datetime.now(UTC) + timedelta(days=1))
    portfolio_id = await make_custom(db, await open_account(db), {1: 500_000, 18: 500_000})
    await import_rows(db, Rows(portfolios=(portfolio_row(2, {2: 400_000, 3: 600_000}),)))
    assert portfolio_id >= 1000
    assert await findings(db) == []


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        (
            "update catalog.price set unit_price_micro = unit_price_micro + 256 "
            "where project_id = 1",
            "unit_price_micro is 2000000256, catalog.revision says 2000000000",
        ),
        (
            "update catalog.project set partner_share_ppm = 800001 where id = 2",
            "catalog.project id=2: partner_share_ppm is 800001, catalog.revision says 800000",
        ),
        (
            "update catalog.weight set weight_ppm = 500001 where project_id = 1",
            "catalog.weight portfolio_id=12 project_id=1: weight_ppm is 500001, "
            "catalog.revision says 500000",
        ),
        (
            "update catalog.partner set payout_currency = 'EUR'",
            "catalog.partner id=1: payout_currency is 'EUR', catalog.revision says 'USD'",
        ),
        (
            "delete from catalog.weight where project_id = 1",
            "catalog.weight portfolio_id=12 project_id=1: the row is missing",
        ),
        (
            "update catalog.revision set change = "
            "jsonb_set(change, '{prices,0,unit_price_micro}', '1999999999')",
            "unit_price_micro is 2000000000, catalog.revision says 1999999999",
        ),
    ],
)
async def test_an_altered_row_is_named(db: Database, statement: str, line: str) -> None:
    await import_rows(db, small_rows())
    await tamper(db, statement)
    (found,) = await findings(db)
    assert line in found


async def test_a_price_is_named_by_project_and_instant(db: Database) -> None:
    await import_rows(db, small_rows())
    await tamper(db, "update catalog.price set unit_price_micro = 1000000 where project_id = 2")
    (found,) = await findings(db)
    async with connection(db) as conn:
        at: Any = await conn.fetchval("select effective_at from catalog.price where project_id = 2")
    assert found.startswith(f"catalog.price project_id=2 effective_at={at.isoformat()}: ")


async def test_a_revision_that_cannot_be_read_is_named(db: Database) -> None:
    await import_rows(db, small_rows())
    await set_price(db, 1, 3_000_000_000, datetime.now(UTC) + timedelta(days=1))
    await tamper(db, "update catalog.revision set change = '{\"prices\": 1}' where revision = 2")
    found = await findings(db)
    assert found[0].startswith("catalog.revision revision=2: the change cannot be read")
    assert "catalog.revision does not tell of it" in found[1]
