"""The large tables: every row finds its month, and each month is made in time."""

import psycopg
import pytest

PLACE = """
    insert into orders.party (purchase_id) values (db.uuid_floor_v1(%s::timestamptz))
    returning tableoid::regclass::text
"""


def value(conn: psycopg.Connection, query: str, *parameters: object) -> object:
    """The one value that a query gives."""
    row = conn.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]


def test_every_partitioned_table_is_known_to_what_makes_partitions(
    migrated: psycopg.Connection,
) -> None:
    partitioned = migrated.execute(
        "select n.nspname || '.' || c.relname from pg_partitioned_table p"
        " join pg_class c on c.oid = p.partrelid join pg_namespace n on n.oid = c.relnamespace"
    ).fetchall()
    assert partitioned, "no table is partitioned"
    assert sorted(partitioned) == sorted(migrated.execute("select parent from db.partitioned"))


def test_the_next_thirteen_months_are_made(migrated: psycopg.Connection) -> None:
    missing = migrated.execute("""
        select parent || to_char(month, '_YYYY_MM')
        from db.partitioned, generate_series(
            greatest(date_trunc('month', now() at time zone 'UTC'), timestamp '2026-12-01'),
            date_trunc('month', now() at time zone 'UTC') + interval '13 months', '1 month'
        ) as month
        where to_regclass(parent || to_char(month, '_YYYY_MM')) is null
    """).fetchall()
    assert missing == []


def test_making_partitions_again_makes_none(conn: psycopg.Connection) -> None:
    assert value(conn, "select db.make_partitions_v1(13)") == 0
    parents = value(conn, "select count(*) from db.partitioned")
    assert value(conn, "select db.make_partitions_v1(15)") == 2 * int(str(parents))


def test_a_partition_is_made_while_orders_are_written(
    conn: psycopg.Connection, database_url: str
) -> None:
    with psycopg.connect(database_url) as order:
        order.execute(PLACE, ["2026-06-15 12:00Z"])
        conn.execute("set lock_timeout = '2s'")
        assert value(conn, "select db.make_partitions_v1(14)") != 0


def test_an_id_of_long_ago_goes_to_the_first_partition(migrated: psycopg.Connection) -> None:
    for instant in ("2026-06-15 12:00Z", "1970-01-01 00:00Z", "2026-11-30 23:59:59.999Z"):
        assert value(migrated, PLACE, instant) == "orders.party_first"


def test_months_begin_and_end_to_the_millisecond(migrated: psycopg.Connection) -> None:
    assert value(migrated, PLACE, "2026-12-01 00:00Z") == "orders.party_2026_12"
    assert value(migrated, PLACE, "2026-12-31 23:59:59.999Z") == "orders.party_2026_12"
    assert value(migrated, PLACE, "2027-01-01 00:00Z") == "orders.party_2027_01"


def test_an_id_finds_its_partition_alone(migrated: psycopg.Connection) -> None:
    plan = migrated.execute(
        "explain select from orders.purchase where id = db.uuid_floor_v1('2027-01-15 00:00Z')"
    ).fetchall()
    text = "\n".join(line for (line,) in plan)
    assert "purchase_2027_01" in text
    assert "purchase_2026_12" not in text


@pytest.mark.parametrize("kind", ["pg_constraint", "pg_trigger", "pg_index"])
def test_a_month_is_guarded_as_its_table_is(kind: str, migrated: psycopg.Connection) -> None:
    """As many keys, checks, triggers and indexes on a month as on the whole."""
    owner = {"pg_constraint": "conrelid", "pg_trigger": "tgrelid", "pg_index": "indrelid"}[kind]
    unlike = migrated.execute(f"""
        select i.inhrelid::regclass
        from pg_inherits i join db.partitioned p on i.inhparent = p.parent::regclass
        where (select count(*) from {kind} where {owner} = i.inhrelid)
            <> (select count(*) from {kind} where {owner} = i.inhparent)
    """).fetchall()
    assert unlike == []


def test_every_month_tells_the_planner_what_its_table_tells(migrated: psycopg.Connection) -> None:
    told = migrated.execute(
        "select p.parent, a.attname, bool_and(c.attoptions = a.attoptions), count(*)"
        " from db.partitioned p"
        " join pg_attribute a on a.attrelid = p.parent::regclass and a.attoptions is not null"
        " join pg_inherits i on i.inhparent = a.attrelid"
        " join pg_attribute c on c.attrelid = i.inhrelid and c.attname = a.attname"
        " group by 1, 2 order by 1"
    ).fetchall()
    assert {"orders.line", "orders.purchase", "ledger.entry"} <= {table for table, *_ in told}
    assert all(alike and months > 12 for _, _, alike, months in told), told
