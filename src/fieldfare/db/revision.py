"""Which schema this program needs, and whether a database has it.

Kept apart from `db.migrate`, so that a process that only serves does not load what migrates.
"""

from pathlib import Path

import asyncpg

from fieldfare.db.errors import MigrationRefused
from fieldfare.db.pool import DATABASE_DOWN, Connection, Database, open_database
from fieldfare.db.queries import load_queries

OLDEST_PROGRAM = "0010"
"""The oldest program, by its newest revision, that works on this program's schema: while a release
goes out, its processes run on, and may start again. A revision that only adds leaves this as it is;
one that takes something away raises it."""
_HERE = Path(__file__).resolve()
_queries = load_queries(__file__)


def migrations_folder() -> Path:
    """Where the revisions are: in an installed package beside the code, else in the checkout."""
    installed = _HERE.parents[1] / "migrations"
    return installed if installed.is_dir() else _HERE.parents[3] / "migrations"


def known_revisions() -> list[str]:
    """The revisions of this program, oldest first; each is the number that its file starts with."""
    files = (migrations_folder() / "versions").glob("[0-9]*.sql")
    return sorted(file.name.partition("_")[0] for file in files)


def refuse_newer(found: str | None) -> None:
    """Raise `MigrationRefused` for a database that a newer program has migrated."""
    known = known_revisions()
    if found is not None and found not in known:
        raise MigrationRefused(
            f"the database is at revision {found}, which is newer than this program "
            f"({known[-1]}); start the newer version of Fieldfare, or restore a backup"
        )


async def open_migrated_database(
    url: str, *, pool_size: int, application: str, for_requests: bool = False
) -> Database:
    """A pool on a database that has this program's schema; raises `MigrationRefused` otherwise."""
    try:
        db = await open_database(
            url, pool_size=pool_size, application=application, for_requests=for_requests
        )
    except (*DATABASE_DOWN, ValueError) as error:
        raise MigrationRefused(
            f"the database at {_without_password(url)} cannot be reached "
            f"({' '.join(str(error).split()) or type(error).__name__}); start it, or correct "
            "DATABASE_URL"
        ) from error
    try:
        async with db.pool.acquire() as conn:
            await check_schema(conn)
    except BaseException:
        await db.close()
        raise
    return db


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


async def find_revision(conn: Connection) -> tuple[str | None, str | None]:
    """The revision of the database, and the oldest program that works on it; None if unknown."""
    try:
        row = await _queries.find_revision(conn)
    except asyncpg.UndefinedTableError:
        row = None
    return (None, None) if row is None else (row["revision"], row["oldest_program"])


async def check_schema(conn: Connection) -> None:
    """Raise `MigrationRefused` unless the database has this program's schema.

    Or that of a newer program which has said, when it migrated, that this one works on it.
    """
    found, oldest_program = await find_revision(conn)
    needed = known_revisions()[-1]
    if found is not None and found > needed and oldest_program and oldest_program <= needed:
        return
    refuse_newer(found)
    if found != needed:
        raise MigrationRefused(
            f"the database is at revision {found or 'none'}, this program needs {needed}; "
            "run `fieldfare migrate` first"
        )
