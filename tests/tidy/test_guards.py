"""What the database itself refuses, whoever writes: the last wall behind the program's own."""

from uuid import UUID

import psycopg
import pytest
from psycopg.errors import CheckViolation, RestrictViolation
from uuid_utils.compat import uuid7

ROW_ID = UUID("01a22ee6-b000-7000-8000-000000000001")
ROWS = {
    "ledger.entry": f"""
        insert into ledger.entry values ('{ROW_ID}', 1001, 1, 'top_up', 5, 5, null, 'x', now())
    """,
    "ledger.journal": f"""
        insert into ledger.journal (
            id, movement_id, kind, book, currency, amount_micro, memo, created_at
        ) values
            ('{ROW_ID}', '{ROW_ID}', 'top_up', 'credits', 'USD', 7, 'x', now()),
            ('01a22ee6-b000-7000-8000-000000000002', '{ROW_ID}', 'top_up', 'bank', 'USD', -7, 'x',
                now())
    """,
    "catalog.price": "insert into catalog.price values (1, now(), 15630000, now())",
    "catalog.revision": "insert into catalog.revision values (1, now(), 'me', 'why', '{}')",
    "payments.exchange_rate": """
        insert into payments.exchange_rate values ('EUR', now(), 0.9, now(), 'operator')
    """,
}
SOME_COLUMN = {
    "ledger.entry": "description",
    "ledger.journal": "memo",
    "catalog.price": "recorded_at",
    "catalog.revision": "made_by",
    "payments.exchange_rate": "source",
}


@pytest.fixture(scope="module")
def books(migrated: psycopg.Connection) -> psycopg.Connection:
    """A database with two projects per tonne, one per tree, a portfolio and a wallet."""
    migrated.execute("""
        insert into catalog.partner
        values (1, 'Partner', 'DE', 'EUR', 'bank_transfer', null, now());
        insert into catalog.project (
            id, partner_id, name, description, unit, partner_share_ppm, standing,
            certification_status, methodology, vintage, durability, risk_note, country, latitude,
            longitude, sdgs, created_at
        )
        select n, 1, 'Project', '', case n when 3 then 'tree' else 'tonne' end, 900000, 'certified',
            '', '', '', '', '', 'DE', 0, 0, '{13}', now()
        from generate_series(1, 3) as n;
        insert into catalog.portfolio (id, name, description, created_at)
        values (1, 'All', '', now());
        insert into ledger.wallet (account_id, balance_cents) values (1001, 100);
    """)
    return migrated


def test_every_table_that_is_written_once_is_tried(migrated: psycopg.Connection) -> None:
    guarded = migrated.execute("""
        select t.tgrelid::regclass::text
        from pg_trigger t join pg_class c on c.oid = t.tgrelid
        where t.tgfoid = 'db.refuse_change_v1'::regproc and not c.relispartition
    """).fetchall()
    assert {table for (table,) in guarded} == set(ROWS)


@pytest.mark.parametrize("table", sorted(ROWS))
def test_what_is_written_once_stays_as_it_is(table: str, books: psycopg.Connection) -> None:
    books.execute(ROWS[table])
    row = books.execute(f"select tableoid::regclass::text from {table}").fetchone()
    assert row is not None
    column = SOME_COLUMN[table]
    for name in {table, row[0]}:
        for change in (f"update {name} set {column} = {column}", f"delete from {name}"):
            with pytest.raises(RestrictViolation, match="append-only: write a new row instead"):
                books.execute(change)


def move(conn: psycopg.Connection, *legs: tuple[str, int]) -> None:
    """Write one movement, each leg a currency and an amount, and commit it."""
    with conn.transaction():
        movement = uuid7()
        for currency, amount_micro in legs:
            conn.execute(
                """
                insert into ledger.journal (
                    id, movement_id, kind, book, currency, amount_micro, memo, created_at
                ) values (%s, %s, 'exchange', 'exchange', %s, %s, '', now())
                """,
                [uuid7(), movement, currency, amount_micro],
            )


def test_a_movement_must_balance_in_each_currency_when_it_is_committed(
    books: psycopg.Connection,
) -> None:
    move(books, ("USD", 7), ("USD", -7), ("EUR", 1), ("EUR", -1))
    for wrong in ([("USD", 7)], [("USD", 7), ("USD", -6)], [("USD", 7), ("EUR", -7)]):
        with pytest.raises(CheckViolation, match="do not sum to zero"):
            move(books, *wrong)
    kept = books.execute("select count(*) from ledger.journal where kind = 'exchange'").fetchone()
    assert kept == (4,)


def test_a_balance_never_falls_below_zero(books: psycopg.Connection) -> None:
    with pytest.raises(CheckViolation):
        books.execute("update ledger.wallet set balance_cents = balance_cents - 101")
    books.execute("update ledger.wallet set balance_cents = balance_cents - 100")


def weigh(conn: psycopg.Connection, **weights_ppm: int) -> None:
    """Give portfolio 1 these weights, by project: `p2=500_000`."""
    with conn.transaction():
        conn.execute("delete from catalog.weight")
        for project, weight_ppm in weights_ppm.items():
            conn.execute(
                "insert into catalog.weight values (1, %s, %s)", [int(project[1:]), weight_ppm]
            )


def test_weights_must_sum_to_one_when_they_are_committed(books: psycopg.Connection) -> None:
    weigh(books, p1=400_000, p2=600_000)
    for wrong in ({"p1": 1}, {"p1": 400_000, "p2": 600_001}, {"p1": 999_999}):
        with pytest.raises(CheckViolation, match="the weights of portfolio 1 sum to"):
            weigh(books, **wrong)
    kept = books.execute("select sum(weight_ppm) from catalog.weight").fetchone()
    assert kept == (1_000_000,)


def test_no_weight_can_be_taken_away_alone(books: psycopg.Connection) -> None:
    weigh(books, p1=400_000, p2=600_000)
    with pytest.raises(CheckViolation):
        books.execute("delete from catalog.weight where project_id = 1")
    with pytest.raises(CheckViolation):
        books.execute("update catalog.weight set weight_ppm = 1 where project_id = 1")


def test_a_project_priced_per_tree_is_in_no_portfolio(books: psycopg.Connection) -> None:
    with pytest.raises(CheckViolation, match="priced per tree"):
        weigh(books, p1=500_000, p3=500_000)


def test_a_line_is_its_partner_and_margin_parts(books: psycopg.Connection) -> None:
    line = """
        insert into orders.line (
            id, purchase_id, account_id, project_id, partner_id, kind, standing,
            certification_status, weight_ppm, mass_mg, trees, amount_micro, billed_micro,
            partner_share_ppm, partner_micro, margin_micro, created_at
        ) values (%s, %s, 1, 1, 1, 'offset', 'certified', '', 1, 1, 0, 10, 10, 900000, 9, %s, now())
    """
    with pytest.raises(CheckViolation):
        books.execute(line, [ROW_ID, ROW_ID, 2])
    books.execute(line, [ROW_ID, ROW_ID, 1])
