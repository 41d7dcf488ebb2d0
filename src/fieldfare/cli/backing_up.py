"""How `fieldfare backup` does it: one snapshot, counted and dumped, then the base backup.

What must hold: what the manifest says of rows and books was read in the very snapshot that is
dumped, so that a restore can be held against it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from fieldfare.cli.context import database_url, open_cli_database
from fieldfare.cli.counting import count_books, count_rows
from fieldfare.cli.steps import note, step
from fieldfare.db.backup import base, dump
from fieldfare.db.backup.folders import list_backups, locked_folder, new_backup, remove_older
from fieldfare.db.backup.manifest import (
    FORMAT,
    MANIFEST,
    Base,
    Manifest,
    check_files,
    describe_file,
    read_manifest,
    write_manifest,
)
from fieldfare.db.backup.tools import find_tools
from fieldfare.db.pool import Connection, connection
from fieldfare.db.revision import find_revision
from fieldfare.settings import read_settings


class _Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What one snapshot of the database says, which others can see too while it is exported."""

    name: str
    taken_at: datetime
    revision: str
    rows: dict[str, int]
    books: dict[str, int]


async def back_up(parent: Path, keep: int | None) -> Path:
    """Write a backup into `parent`; gives its folder. Raises `BackupRefused`."""
    settings = read_settings()
    url = database_url(settings)
    server = base.read_server(url)
    tools = find_tools(server.major, dump.DUMP_PROGRAMS)
    with locked_folder(parent):
        async with _snapshot() as snapshot:
            with new_backup(parent, snapshot.taken_at) as folder:
                with step("dump, read back to its end"):
                    dump.write_dump(tools, url, snapshot.name, folder, note)
                copied = None
                if settings.archive is not None:
                    with step("base backup, verified"):
                        copied = base.write_base(url, server, folder, note)
                with step("manifest, and every file held against it"):
                    _finish(folder, snapshot, server.major, copied)
        made = list_backups(parent)[-1]
        if keep is not None:
            _remove_old(parent, keep, settings.archive)
    return made


@asynccontextmanager
async def _snapshot() -> AsyncIterator[_Snapshot]:
    async with (
        open_cli_database() as db,
        connection(db) as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        for timeout in ("statement_timeout", "idle_in_transaction_session_timeout"):
            await conn.execute(f"set local {timeout} = 0")
        with step("rows counted, books added up"):
            snapshot = await _read(conn)
        yield snapshot


async def _read(conn: Connection) -> _Snapshot:
    taken_at: datetime = await conn.fetchval("select now()")
    revision, _ = await find_revision(conn)
    assert revision is not None, "the database was opened as one that is migrated"
    return _Snapshot(
        name=await conn.fetchval("select pg_export_snapshot()"),
        taken_at=taken_at,
        revision=revision,
        rows=await count_rows(conn),
        books=await count_books(conn),
    )


def _finish(folder: Path, snapshot: _Snapshot, server_major: int, copied: Base | None) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    manifest = Manifest(
        format=FORMAT,
        taken_at=snapshot.taken_at,
        program=_program(),
        server_major=server_major,
        revision=snapshot.revision,
        rows=snapshot.rows,
        books=snapshot.books,
        files={str(path.relative_to(folder)): describe_file(path, note) for path in files},
        base=copied,
    )
    write_manifest(folder, manifest)
    check_files(folder, read_manifest(folder), note)


def _program() -> str:
    try:
        return version("fieldfare")
    except PackageNotFoundError:  # run from a checkout
        return "from a checkout"


def _remove_old(parent: Path, keep: int, archive: Path | None) -> None:
    for gone in remove_older(parent, keep):
        note(f"{gone.name} is deleted")
    bases = [read_manifest(path).base for path in list_backups(parent)]
    kept = [one for one in bases if one is not None]
    if archive is not None and kept:
        tools = find_tools(0, base.ARCHIVE_PROGRAMS)
        base.trim_archive(tools, archive, kept, note)
