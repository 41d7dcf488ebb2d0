"""`fieldfare verify` knows trees and amounts for a project as it knows tonnes.

One history of both, from credits and by card, around a change of price; whatever is damaged of it
is named by its row.
"""

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fieldfare.catalog.service import load_catalogue, set_price
from fieldfare.db.pool import Connection, open_database, transaction
from fieldfare.orders import store
from tests.support.damage import BYTES, damaged, drop_checks, findings, names, turned, write
from tests.support.databases import new_database
from tests.support.history import open_card_order, pay_card_order
from tests.support.placing import placing, project_order_of, tree_order_of
from tests.support.world import build_world

TREE_PROJECT, PRICED, GIFTS = 30, 2, 31
LINE_COLUMNS = (
    "amount_micro", "billed_micro", "margin_micro", "mass_mg", "partner_micro",
    "partner_share_ppm", "trees", "unit_price_micro", "weight_ppm",
)  # fmt: skip
PURCHASE_COLUMNS = (
    "amount_cents", "charge_minor", "mass_mg", "project_id", "rate", "tax_minor", "tax_rate_ppm",
    "trees",
)  # fmt: skip


@pytest.fixture(scope="module")
def books(server_url: str, template: str) -> Iterator[str]:
    """The address of a database with a history of trees and projects."""
    with new_database(server_url, template=template, name="kinds") as url:
        asyncio.run(write_history(url))
        yield url


async def write_history(url: str) -> None:
    """Trees, tonnes of a project and donations, before and after their prices change."""
    db = await open_database(url, pool_size=2, application="tests")
    try:
        world = await build_world(db)
        now = datetime.now(UTC)
        change_at = now + timedelta(seconds=10)
        async with transaction(db) as conn:
            for project_id, micro in ((TREE_PROJECT, 7_300_001), (PRICED, 9_999_999_999)):
                await set_price(conn, project_id, micro, change_at, made_by="tests", reason="test")
        old, new = await load_catalogue(db, now), await load_catalogue(db, change_at)
        team, second, later = world.team_id, world.second_id, change_at + timedelta(minutes=2)
        orders = [
            tree_order_of(old, team, 5),
            tree_order_of(new, second, 3, at=later),
            # Priced a moment before the change, numbered a moment after it.
            tree_order_of(old, team, 7, at=change_at + timedelta(seconds=1)),
            project_order_of(old, team, PRICED, 1_234),
            project_order_of(new, second, PRICED, 4_321, at=later),
            project_order_of(new, team, GIFTS, 150, at=later),
        ]
        async with transaction(db) as conn:
            for order in orders:
                (verdict,) = await store.place_on_credit(conn, [placing(order)])
                assert verdict.balance_after_cents is not None
        paid = tree_order_of(new, team, 100, at=later)
        await pay_card_order(db, await open_card_order(db, paid), "ch_1")
        await open_card_order(db, project_order_of(new, team, GIFTS, 2_000, at=later))
        await open_card_order(db, project_order_of(new, team, PRICED, 2_000, at=later))
        await open_card_order(db, tree_order_of(old, team, 9))
    finally:
        await db.close()


async def test_books_that_agree_have_no_findings(conn: Connection) -> None:
    for page_rows in (1, 3, 1000):
        assert await findings(conn, page_rows) == []


async def test_the_history_has_every_kind(conn: Connection) -> None:
    rows = await conn.fetch(
        "select p.kind, coalesce(l.kind, p.state) as line, count(*) from orders.purchase p"
        " left join orders.line l on l.purchase_id = p.id group by 1, 2 order by 1, 2"
    )
    assert [tuple(row) for row in rows] == [
        ("project", "donation", 1),
        ("project", "offset", 2),
        ("project", "pending", 2),
        ("tree", "pending", 1),
        ("tree", "tree", 4),
    ]


@pytest.mark.parametrize(
    ("table", "column"),
    [
        *(("orders.line", column) for column in LINE_COLUMNS),
        *(("orders.purchase", column) for column in PURCHASE_COLUMNS),
    ],
)
async def test_a_byte_turned_in_any_row_names_it(conn: Connection, table: str, column: str) -> None:
    rng = random.Random(table + column)
    missed = []
    async with damaged(conn):
        await drop_checks(conn, table)
        rows = await conn.fetch(
            f"select id, {column}, pg_typeof({column})::text as type from {table}"
            f" where {column} is not null order by id"
        )
        assert rows
        for row in rows:
            width = BYTES[row["type"]]
            value = turned(row[column], rng.randrange(width), width, rng)
            async with damaged(conn):
                await write(conn, table, column, row, value)
                found = names(await findings(conn))
            if (table, f"id={row['id']}") not in found:
                missed.append(f"{row['id']}: {row[column]} became {value}")
    assert missed == []


OF_KIND = "from orders.purchase p where p.kind = '{}' and p.state = '{}'"
TREE, PAID_PROJECT = OF_KIND.format("tree", "paid"), OF_KIND.format("project", "paid")
GIFT = f"{PAID_PROJECT} and p.mass_mg = 0"
DAMAGE: list[Any] = [
    ("another kind", TREE, "kind = 'project'", None),
    ("a project as trees", PAID_PROJECT, "kind = 'tree'", None),
    ("tonnes of no portfolio", PAID_PROJECT, "kind = 'offset'", None),
    ("trees of another project", TREE, "project_id = 2", None),
    ("trees of no project", TREE, "project_id = null", None),
    ("a project that is none", PAID_PROJECT, "project_id = 4711", None),
    ("a project sold by trees", PAID_PROJECT, "project_id = 30", None),
    ("another project", PAID_PROJECT, "project_id = 1", None),
    ("a portfolio", TREE, "portfolio_id = 12", None),
    ("a portfolio of a project", PAID_PROJECT, "portfolio_id = 12", None),
    ("a price per ton", TREE, "unit_price_cents = 1", None),
    ("a price per ton of a project", GIFT, "unit_price_cents = 1", None),
    ("a revision that is none", TREE, "price_revision = 99", None),
    ("a revision that is none of a project", GIFT, "price_revision = 99", None),
    (
        "bought before there was a price",
        TREE,
        "created_at = p.created_at - interval '1 year'",
        None,
    ),
    ("a tree more", TREE, "trees = p.trees + 1", "trees = trees + 1"),
    ("a milligram more", PAID_PROJECT, "mass_mg = p.mass_mg + 1", "mass_mg = mass_mg + 1"),
    ("a gift with a mass", GIFT, "mass_mg = 1", "mass_mg = 1"),
    ("a gift of a tree", GIFT, "trees = 1", "trees = 1"),
    ("trees with a mass", TREE, "mass_mg = 1", "mass_mg = 1"),
    ("another account", TREE, "account_id = 1002", "account_id = 1002"),
    ("no frozen quote", OF_KIND.format("tree", "pending"), "quote = null", None),
    (
        "a tree more, frozen",
        OF_KIND.format("tree", "pending"),
        "trees = p.trees + 1, quote = jsonb_set(p.quote, '{lines,0,trees}', '10')",
        None,
    ),
    (
        "a gift's project, frozen",
        OF_KIND.format("project", "pending") + " and p.mass_mg = 0",
        "quote = jsonb_set(p.quote, '{lines,0,project_id}', '32')",
        None,
    ),
]


@pytest.mark.parametrize(
    ("rows", "of_purchase", "of_line"), [case[1:] for case in DAMAGE], ids=[c[0] for c in DAMAGE]
)
async def test_what_the_catalogue_never_sold_is_named(
    conn: Connection, rows: str, of_purchase: str, of_line: str | None
) -> None:
    """Purchase and line may tell the same lie: the catalogue does not."""
    async with damaged(conn):
        await drop_checks(conn, "orders.purchase")
        await drop_checks(conn, "orders.line")
        (victim, *_) = await conn.fetch(f"select p.id {rows} order by p.id")
        done = await conn.execute(
            f"update orders.purchase p set {of_purchase} where id = $1", victim["id"]
        )
        assert done == "UPDATE 1"
        if of_line is not None:
            await conn.execute(
                f"update orders.line set {of_line} where purchase_id = $1", victim["id"]
            )
        found = names(await findings(conn))
    assert ("orders.purchase", f"id={victim['id']}") in found


DOUBLED = """
    insert into orders.line (
        id, purchase_id, account_id, project_id, partner_id, kind, standing, certification_status,
        weight_ppm, unit_price_micro, mass_mg, trees, amount_micro, billed_micro,
        partner_share_ppm, partner_micro, margin_micro, created_at
    )
    select overlay(id::text placing 'ffffffffffff' from 25)::uuid, purchase_id, account_id,
        project_id, partner_id, kind, standing, certification_status, weight_ppm, unit_price_micro,
        0, 0, 0, 0, partner_share_ppm, 0, 0, created_at
    from orders.line where purchase_id = $1
"""


@pytest.mark.parametrize("kind", ["tree", "project"])
@pytest.mark.parametrize(
    "damage",
    [
        "delete from orders.line where purchase_id = $1",
        "update orders.line set project_id = 4711 where purchase_id = $1",
        "update orders.line set kind = case kind when 'tree' then 'offset' else 'tree' end"
        " where purchase_id = $1",
        "update orders.line set standing = case standing when 'certified' then 'uncertified'"
        " else 'certified' end where purchase_id = $1",
        DOUBLED,
    ],
    ids=["gone", "another project", "another kind", "another standing", "twice"],
)
async def test_a_line_gone_moved_or_doubled_is_named(
    conn: Connection, kind: str, damage: str
) -> None:
    async with damaged(conn):
        victim = await conn.fetchrow(
            "select p.id as purchase, l.id as line from orders.purchase p"
            " join orders.line l on l.purchase_id = p.id where p.kind = $1 order by p.id limit 1",
            kind,
        )
        assert victim is not None
        await conn.execute(damage, victim["purchase"])
        lines = await conn.fetch(
            "select id from orders.line where purchase_id = $1", victim["purchase"]
        )
        found = names(await findings(conn))
    named = {("orders.line", f"id={row['id']}") for row in lines}
    assert found & (named or {("orders.purchase", f"id={victim['purchase']}")})


async def test_an_accounts_trees_are_held_against_its_lines(conn: Connection) -> None:
    async with damaged(conn):
        row = await conn.fetchrow(
            "update ledger.wallet set trees = trees + 1 where trees > 0 returning account_id"
        )
        assert row is not None
        found = names(await findings(conn))
    assert ("ledger.wallet", f"account_id={row['account_id']}") in found
