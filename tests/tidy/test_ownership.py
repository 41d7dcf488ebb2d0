"""A feature's tables are its own: no other feature's SQL, foreign key or trigger sees them.

Statements of the features' `.sql` files, bodies of functions and views as the migrated database has
them. What a feature needs of another one it gets from a function that the lower one lends.
"""

from collections.abc import Iterator

import psycopg
import pytest

from tests.tidy.house import NamedQuery, below, named_queries, stack
from tests.tidy.sql import Names, names_in, names_in_function, stars_over_tables

SCHEMAS = {name for layer in stack() for name in layer}
GUESTS = {("public", "alembic_version"), ("pgqueuer", None)}
"""Tables that a library makes for itself: one by name, or all of a schema."""
UNQUALIFIED = {
    ("db", name) for name in ("alembic_version", "pg_attribute", "pg_class", "pg_inherits")
}
"""Alembic looks for its table along the search path, so we do as well; and what lays out partitions
asks the server which there are."""
QUERIES = [pytest.param(query, id=query.full_name) for query in named_queries()]
OUR_SCHEMAS = "n.nspname = any(%s)"
FUNCTIONS = f"""
    select n.nspname, p.proname, pg_get_functiondef(p.oid)
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where {OUR_SCHEMAS} order by 1, 2
"""
VIEWS = f"""
    select n.nspname, c.relname, pg_get_viewdef(c.oid)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where {OUR_SCHEMAS} and c.relkind in ('v', 'm') order by 1, 2
"""
TRIGGERS = f"""
    select n.nspname, t.tgname, fn.nspname
    from pg_trigger t
    join pg_class c on c.oid = t.tgrelid
    join pg_namespace n on n.oid = c.relnamespace
    join pg_proc p on p.oid = t.tgfoid
    join pg_namespace fn on fn.oid = p.pronamespace
    where {OUR_SCHEMAS} and not t.tgisinternal
"""
FOREIGN_KEYS = f"""
    select k.conrelid::regclass::text, k.conname, k.confrelid::regclass::text
    from pg_constraint k
    join pg_class c on c.oid = k.conrelid
    join pg_namespace n on n.oid = c.relnamespace
    join pg_class rc on rc.oid = k.confrelid
    where {OUR_SCHEMAS} and k.contype = 'f' and rc.relnamespace <> c.relnamespace
        and not k.condeferred
"""


def trespasses(feature: str, names: Names) -> Iterator[str]:
    """What a feature's SQL names and must not."""
    for schema, table in sorted(names.relations):
        if schema != feature and (schema or (feature, table) not in UNQUALIFIED):
            yield f"the table {schema or '(no schema)'}.{table}"
    for schema, function in sorted(names.functions):
        if schema not in {"", "pg_catalog", feature} | below(feature):
            yield f"the function {schema}.{function}"
    for text in sorted(names.texts):
        schema, dot, _ = text.partition(".")
        if dot and schema in SCHEMAS - {feature}:
            yield f"the text {text!r}, which names a table of another feature"


def rows(conn: psycopg.Connection, query: str) -> list[tuple[str, str, str]]:
    """What the catalogue of the database says of our schemas."""
    return conn.execute(query, [sorted(SCHEMAS)]).fetchall()


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_names_only_what_its_feature_may_see(query: NamedQuery) -> None:
    assert list(trespasses(query.feature, names_in(query.sql))) == []


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_lists_the_columns_it_wants_of_a_table(query: NamedQuery) -> None:
    assert stars_over_tables(query.sql) == []


def test_a_function_names_only_what_its_feature_may_see(migrated: psycopg.Connection) -> None:
    functions = rows(migrated, FUNCTIONS)
    found = {
        f"{schema}.{name}": list(trespasses(schema, names_in_function(definition)))
        for schema, name, definition in functions
    }
    assert found, "no function was looked at"
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_only_the_database_part_puts_statements_together(migrated: psycopg.Connection) -> None:
    dynamic = {
        schema
        for schema, _, definition in rows(migrated, FUNCTIONS)
        if names_in_function(definition).is_dynamic
    }
    assert dynamic == {"db"}


def test_a_view_names_only_what_its_feature_may_see(migrated: psycopg.Connection) -> None:
    views = rows(migrated, VIEWS)
    assert views, "no view was looked at"
    faults = [(s, v, f) for s, v, d in views for f in trespasses(s, names_in(d))]
    assert faults == []


def test_a_trigger_calls_its_own_feature_or_one_below(migrated: psycopg.Connection) -> None:
    triggers = rows(migrated, TRIGGERS)
    assert triggers, "no trigger was looked at"
    assert [t for t in triggers if t[2] not in {t[0]} | below(t[0])] == []


def test_no_foreign_key_crosses_features_unless_deferred(migrated: psycopg.Connection) -> None:
    assert rows(migrated, FOREIGN_KEYS) == []


def test_every_table_lies_in_the_schema_of_a_part_of_the_house(
    migrated: psycopg.Connection,
) -> None:
    tables = migrated.execute("select schemaname, tablename from pg_tables").fetchall()
    strangers = {
        (schema, table)
        for schema, table in tables
        if schema not in SCHEMAS | {"pg_catalog", "information_schema"}
        and not {(schema, table), (schema, None)} & GUESTS
    }
    assert strangers == set()


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("select 1 from ledger.wallet", "the table ledger.wallet"),
        ("with w as (select 1 from ledger.entry) select from w", "the table ledger.entry"),
        ("select 1 from wallet", "the table (no schema).wallet"),
        ("delete from orders.line using catalog.price", "the table catalog.price"),
        ("select impact.rank_v1(1)", "the function impact.rank_v1"),
        ("select nextval('ledger.entry_id')", "the text 'ledger.entry_id', "),
    ],
)
def test_a_trespass_is_seen(sql: str, fault: str) -> None:
    (found,) = trespasses("orders", names_in(sql))
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("select * from ledger.wallet", ["ledger.wallet"]),
        ("select e.* from ledger.wallet w join ledger.entry e on true", ["ledger.entry"]),
        ("with w as (delete from ledger.wallet returning *) select * from w", ["ledger.wallet"]),
        ("with w as (select 1) select * from w cross join unnest($1::int[]) u", []),
        ("select count(*) from ledger.wallet", []),
    ],
)
def test_a_star_over_a_table_is_seen(sql: str, tables: list[str]) -> None:
    assert stars_over_tables(sql) == tables
