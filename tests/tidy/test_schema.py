"""`migrations/schema.sql` is what the migrations make of an empty database, to the letter."""

import difflib

import psycopg
import pytest

from tests.tidy.write_schema import SCHEMA_FILE, dump_schema

DUMPED_BY = 18


def test_schema_file_is_what_the_migrations_make(
    migrated: psycopg.Connection, migrated_url: str
) -> None:
    if migrated.info.server_version // 10_000 != DUMPED_BY:
        pytest.skip("other versions of PostgreSQL word the same schema differently")
    made = dump_schema(migrated_url).splitlines()
    written = SCHEMA_FILE.read_text(encoding="utf-8").splitlines()
    differences = list(difflib.unified_diff(written, made, "written", "made", lineterm="", n=1))
    if differences:
        pytest.fail(
            "migrations/schema.sql is not what the migrations make; run `make schema`, commit it:\n"
            + "\n".join(differences[:60]),
            pytrace=False,
        )


def test_only_what_people_enter_is_counted_in_small_integers(migrated: psycopg.Connection) -> None:
    """What grows by itself has a UUID, a bigint or a text as its key."""
    small = migrated.execute("""
        select distinct c.relnamespace::regnamespace::text
        from pg_index i
        join pg_class c on c.oid = i.indrelid
        join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey::smallint[])
        where i.indisprimary and a.atttypid in ('integer'::regtype, 'smallint'::regtype)
            and c.relnamespace::regnamespace::text !~ '^pg'
    """).fetchall()
    assert small == [("catalog",)]
