"""Migrations: one line of plain SQL files, safe twice and from many hosts, never in the way.

A later version of the program is made for some of these by copying it and adding a revision, laid
out as an installed package is: the migrations beside the code.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from fieldfare.db.errors import MigrationRefused
from fieldfare.db.migrate import migrate
from fieldfare.db.revision import OLDEST_PROGRAM, known_revisions, open_migrated_database
from tests.tidy.house import ROOT, SOURCE, VERSIONS

NEXT_NUMBER = f"{len(list(VERSIONS.glob('*.sql'))) + 1:04}"
NEXT_PY = f'''
from alembic import op
from fieldfare.db.migrate import run_plain_sql

revision = "{NEXT_NUMBER}"
down_revision = "{int(NEXT_NUMBER) - 1:04}"


def upgrade():
    run_plain_sql(op.get_bind(), __file__)
'''
NEXT_SQL = "alter table accounts.account add column pronouns text;"
MIGRATE = """
import sys
from fieldfare.db.errors import MigrationRefused
from fieldfare.db.migrate import migrate
try:
    print(migrate(sys.argv[1]))
except MigrationRefused as error:
    sys.exit(str(error))
"""


def start_migration(url: str, source: Path = SOURCE.parent) -> "subprocess.Popen[str]":
    """A process that migrates a database as the program in `source` would."""
    return subprocess.Popen(
        [sys.executable, "-c", MIGRATE, url],
        env=os.environ | {"PYTHONPATH": str(source)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def later_program(tmp_path: Path) -> Path:
    """The folder of a copy of the program that has one more revision."""
    ignored = shutil.ignore_patterns("__pycache__", "static")
    shutil.copytree(SOURCE, tmp_path / "fieldfare", ignore=ignored)
    migrations = tmp_path / "fieldfare" / "migrations"
    shutil.copytree(ROOT / "migrations", migrations, ignore=ignored)
    (migrations / "versions" / f"{NEXT_NUMBER}_later.py").write_text(NEXT_PY)
    (migrations / "versions" / f"{NEXT_NUMBER}_later.sql").write_text(NEXT_SQL)
    return tmp_path


def test_revisions_form_one_line_of_numbered_files() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.set_main_option("path_separator", "os")
    newest_first = list(ScriptDirectory.from_config(config).walk_revisions())
    numbers = [script.revision for script in reversed(newest_first)]
    assert numbers == [f"{n:04}" for n in range(1, len(numbers) + 1)]
    assert [script.down_revision for script in newest_first] == [*numbers[-2::-1], None]
    for script in newest_first:
        path = Path(script.path)
        assert re.fullmatch(rf"{script.revision}(_[a-z0-9]+)+\.py", path.name)
        assert path.with_suffix(".sql").read_text(encoding="utf-8").strip()
    assert len(list(VERSIONS.glob("*.sql"))) == len(numbers)


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    first = migrate(empty_url)
    with psycopg.connect(empty_url) as conn:
        before = conn.execute("select max(oid), count(*) from pg_class").fetchone()
        assert migrate(empty_url) == first
        assert conn.execute("select max(oid), count(*) from pg_class").fetchone() == before


def test_two_hosts_migrate_at_once(empty_url: str) -> None:
    hosts = [start_migration(empty_url) for _ in range(2)]
    ends = [(*host.communicate(timeout=60), host.returncode) for host in hosts]
    assert {code for _, _, code in ends} == {0}, ends
    assert {out.strip() for out, _, _ in ends} == {f"{int(NEXT_NUMBER) - 1:04}"}


async def test_a_database_that_was_never_migrated_is_not_served(empty_url: str) -> None:
    with pytest.raises(MigrationRefused, match=r"^.* run `fieldfare migrate` first$"):
        await open_migrated_database(empty_url, pool_size=2, application="tests")


async def test_a_newer_schema_is_neither_migrated_nor_served(database_url: str) -> None:
    with psycopg.connect(database_url) as conn:
        conn.execute("update alembic_version set version_num = '9999'")
        conn.execute("comment on table alembic_version is 'Programs from revision 9998 on.'")
    newer = re.compile(r"^.*revision 9999, which is newer than this program.*; start the newer.*$")
    with pytest.raises(MigrationRefused, match=newer):
        migrate(database_url)
    with pytest.raises(MigrationRefused, match=newer):
        await open_migrated_database(database_url, pool_size=2, application="tests")


async def test_an_older_program_starts_where_the_newer_one_lets_it(database_url: str) -> None:
    with psycopg.connect(database_url) as conn:
        said = conn.execute("select obj_description('alembic_version'::regclass)").fetchone()
        conn.execute("update alembic_version set version_num = '9999'")
    assert said == (f"Programs from revision {OLDEST_PROGRAM} on work on this schema.",)
    assert known_revisions()[0] <= OLDEST_PROGRAM <= known_revisions()[-1]
    db = await open_migrated_database(database_url, pool_size=2, application="tests")
    await db.close()


async def test_a_migration_gives_up_rather_than_hold_up_orders(
    database_url: str, later_program: Path
) -> None:
    with psycopg.connect(database_url) as reader:
        reader.execute("select count(*) from accounts.account")
        started = time.monotonic()
        _, refusal = start_migration(database_url, later_program).communicate(timeout=30)
        waited = time.monotonic() - started
    assert refusal.startswith("the migration from revision")
    assert "lock timeout" in refusal
    assert refusal.count("\n") == 1
    assert 4 <= waited < 20
    # Nothing of it is left: this program serves the database until the later one gets through.
    served = await open_migrated_database(database_url, pool_size=2, application="tests")
    await served.close()
    out, err = start_migration(database_url, later_program).communicate(timeout=30)
    assert (out.strip(), err) == (NEXT_NUMBER, "")
    with pytest.raises(MigrationRefused, match=f"revision {NEXT_NUMBER}, which is newer"):
        migrate(database_url)
