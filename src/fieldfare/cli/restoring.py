"""How `fieldfare restore` does it: check the backup, bring it back closed, compare, verify.

What must hold: nothing that is there is touched; the database that comes to be is closed from its
first commit on; and it is not called restored before its rows and books are those of the manifest.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psycopg

from fieldfare.cli.checks import CHECKS, carry_out_all
from fieldfare.cli.context import get_archive
from fieldfare.cli.counting import count_books, count_rows
from fieldfare.cli.steps import note, say, step
from fieldfare.db import embedded
from fieldfare.db.backup import dump
from fieldfare.db.backup.manifest import Manifest, check_files, read_manifest
from fieldfare.db.backup.point_in_time import refuse_data, restore_to
from fieldfare.db.backup.tools import find_tools
from fieldfare.db.errors import BackupRefused
from fieldfare.db.migrate import migrate
from fieldfare.db.pool import Database, connection, open_database
from fieldfare.db.revision import open_migrated_database, refuse_newer
from fieldfare.settings import Settings, SettingsRefused, read_settings

HOLDS_SOMETHING = """
    select exists (
        select from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    ) or exists (
        select from pg_namespace
        where nspname !~ '^pg_' and nspname not in ('information_schema', 'public')
    )
"""
OTHERS_CONNECTED = """
    select count(*) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
"""


async def restore(backup: Path, *, to_instant: bool, instant: datetime | None) -> int:
    """Restore `backup`; gives how much `fieldfare verify` then finds.

    `to_instant` asks for the base backup and the log up to `instant`, or to the end of the archive
    if that is None. Raises `BackupRefused`, `SettingsRefused`, `MigrationRefused`.
    """
    try:
        return await _restore(read_settings(), backup, to_instant=to_instant, instant=instant)
    except embedded.EmbeddedRefused as refusal:
        raise BackupRefused(str(refusal)) from refusal


async def _restore(
    settings: Settings, backup: Path, *, to_instant: bool, instant: datetime | None
) -> int:
    manifest = read_manifest(backup)
    refuse_newer(manifest.revision)
    with step("every file is what was written"):
        check_files(backup, manifest, note)
    if to_instant:
        _bring_to(settings, backup, manifest, instant)
        with _server_of(settings) as url:
            return await _finish(url, manifest, is_whole_dump=False)
    if settings.database_url is None:
        refuse_data(settings.home / "postgres" / "data")
    with _server_of(settings) as url:
        _load(url, backup, manifest)
        return await _finish(url, manifest, is_whole_dump=True)


def _bring_to(
    settings: Settings, backup: Path, manifest: Manifest, instant: datetime | None
) -> None:
    if settings.database_url is not None:
        raise SettingsRefused(
            "--to makes a server of its own in FIELDFARE_HOME: unset DATABASE_URL, or see "
            "docs/operating/backup.md for how another server is brought to an instant"
        )
    archive = get_archive(settings)
    if manifest.base is None:
        raise BackupRefused(
            "this backup is a dump alone, as FIELDFARE_ARCHIVE was not set when it was taken; "
            "leave out --to, or name a backup with a base backup"
        )
    with step("server brought to the instant, closed"):
        restore_to(settings.home, backup, manifest.base, archive, instant, note)


@contextmanager
def _server_of(settings: Settings) -> Iterator[str]:
    """The address of the database to work on: the one that is named, or one in the home."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    server = embedded.start(settings.home, embedded.free_port(), log=note)
    try:
        yield server.url
    finally:
        embedded.stop(server, log=note)


def _load(url: str, backup: Path, manifest: Manifest) -> None:
    major = _refuse_what_is_there(url)
    if major < manifest.server_major:
        raise BackupRefused(
            f"the server is PostgreSQL {major} and the backup is of {manifest.server_major}; "
            f"restore it on {manifest.server_major} or newer"
        )
    tools = find_tools(manifest.server_major, dump.LOAD_PROGRAMS, newest=True)
    with step("dump loaded, closed in the same transaction"):
        dump.load_dump(tools, url, backup, note)
    with step("statistics of the tables"), psycopg.connect(url, autocommit=True) as conn:
        conn.execute("analyze")


def _refuse_what_is_there(url: str) -> int:
    """Raise `BackupRefused` unless the database is empty and ours alone; gives the version."""
    try:
        with psycopg.connect(url, connect_timeout=10) as conn:
            holds = conn.execute(HOLDS_SOMETHING).fetchone()
            others = conn.execute(OTHERS_CONNECTED).fetchone()
            major = conn.info.server_version // 10_000
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise BackupRefused(
            f"the database cannot be reached ({reason}); make it with `createdb`, start the "
            "server, or correct DATABASE_URL"
        ) from error
    if holds is None or holds[0]:
        raise BackupRefused(
            "the database holds something, and a restore overwrites nothing; name an empty one, "
            "such as `createdb` makes"
        )
    if others is None or others[0]:
        raise BackupRefused(
            "somebody else is connected to the database; stop the API and the workers first"
        )
    return major


async def _finish(url: str, manifest: Manifest, *, is_whole_dump: bool) -> int:
    if is_whole_dump:
        with step("every table has the rows that were counted"):
            await _compare(url, manifest.rows, "rows")
    with step("schema is up to date"):
        migrate(url)
    db = await open_migrated_database(url, pool_size=2, application="fieldfare-restore")
    try:
        if is_whole_dump:
            with step("the books are those that were added up"):
                await _compare_books(db, manifest.books)
        say("The restored books, held against each other:")
        return await carry_out_all(db, CHECKS)
    finally:
        await db.close()


async def _compare(url: str, expected: dict[str, int], what: str) -> None:
    db = await open_database(url, pool_size=2, application="fieldfare-restore")
    try:
        async with connection(db) as conn, conn.transaction(readonly=True):
            await conn.execute("set local statement_timeout = 0")
            _refuse_differences(expected, await count_rows(conn), what)
    finally:
        await db.close()


async def _compare_books(db: Database, expected: dict[str, int]) -> None:
    async with connection(db) as conn, conn.transaction(readonly=True):
        await conn.execute("set local statement_timeout = 0")
        _refuse_differences(expected, await count_books(conn), "book")


def _refuse_differences(expected: dict[str, int], found: dict[str, int], what: str) -> None:
    differences = [
        f"{name}: {found.get(name, 0)}, should be {expected.get(name, 0)}"
        for name in sorted({*expected, *found})
        if found.get(name, 0) != expected.get(name, 0)
    ]
    if differences:
        raise BackupRefused(
            f"the restored database differs from the backup ({what}): {'; '.join(differences)}; "
            "it is closed, drop it and restore another backup"
        )
