"""The base backup of a whole server, and the archive of the log that continues it.

`pg_receivewal` streams the log into the archive as it is written, the unfinished file included, so
what is lost with the server is what was committed in the last moments, not the last minutes. The
server keeps what the archive has not got yet (a replication slot). Each life of a server (its
system identifier and timeline, both new after a restore) has a folder of its own in the archive.
"""

import os
from datetime import datetime
from pathlib import Path

import msgspec
import psycopg

from fieldfare.db.backup.manifest import Base
from fieldfare.db.backup.tools import Tools, address_of, find_tools, run_program
from fieldfare.db.embedded.progress import Log
from fieldfare.db.errors import BackupRefused

BASE = "base"
BASE_PROGRAMS = ("pg_basebackup", "pg_verifybackup")
ARCHIVE_PROGRAMS = ("pg_receivewal", "pg_archivecleanup")
SLOT = "fieldfare_archive"
OLDEST_TOOLS = 18
"""Older ones cannot verify a base backup that is packed."""


class Server(msgspec.Struct, frozen=True):
    """What a server says of itself."""

    major: int
    wal_folder: str
    segment_bytes: int
    is_archived: bool
    """Whether somebody reads its log for the archive now."""


class _Range(msgspec.Struct, rename={"timeline": "Timeline", "start": "Start-LSN"}):
    timeline: int
    start: str


class _BaseManifest(msgspec.Struct, rename={"ranges": "WAL-Ranges"}):
    ranges: list[_Range]


def read_server(url: str) -> Server:
    """Ask the server at `url`; raises `BackupRefused` if it does not answer."""
    try:
        with psycopg.connect(url, connect_timeout=10) as conn:
            row = conn.execute(
                "select s.system_identifier::text || '-' || c.timeline_id,"
                " (select setting::bigint from pg_settings where name = 'wal_segment_size'),"
                " exists (select from pg_replication_slots where slot_name = %s and active)"
                " from pg_control_system() s, pg_control_checkpoint() c",
                [SLOT],
            ).fetchone()
            assert row is not None
            return Server(conn.info.server_version // 10_000, *row)
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise BackupRefused(
            f"the server does not answer ({reason}); start it, or correct DATABASE_URL"
        ) from error


def write_base(url: str, server: Server, folder: Path, log: Log) -> Base:
    """Copy the whole server into `folder`/base, packed, and have every file in it verified."""
    if not server.is_archived:
        raise BackupRefused(
            "FIELDFARE_ARCHIVE is set and nobody reads the server's log for it; start "
            "`fieldfare archive` and leave it running, or unset FIELDFARE_ARCHIVE for a dump alone"
        )
    tools = find_tools(max(server.major, OLDEST_TOOLS), BASE_PROGRAMS)
    address = address_of(url)
    target = folder / BASE
    run_program(
        [
            *(tools.path("pg_basebackup"), f"--pgdata={target}", "--format=tar"),
            *("--compress=client-gzip:1", "--wal-method=stream", "--checkpoint=fast"),
            *("--manifest-checksums=SHA256", "--no-password", f"--dbname={address.conninfo}"),
        ],
        address.environment,
        doing="copying the server",
        log=log,
    )
    run_program(
        [tools.path("pg_verifybackup"), "--no-parse-wal", "--quiet", str(target)],
        address.environment,
        doing="verifying the copy of the server",
        log=log,
    )
    return Base(
        taken_by=_now(url),
        wal_folder=server.wal_folder,
        first_segment=_first_segment(target / "backup_manifest", server.segment_bytes),
    )


def _now(url: str) -> datetime:
    with psycopg.connect(url, connect_timeout=10) as conn:
        row = conn.execute("select now()").fetchone()
        assert row is not None
        now: datetime = row[0]
        return now


def _first_segment(manifest: Path, segment_bytes: int) -> str:
    """The name of the file of the log in which a base backup begins."""
    first = msgspec.json.decode(manifest.read_bytes(), type=_BaseManifest).ranges[0]
    high, _, low = first.start.partition("/")
    number = ((int(high, 16) << 32) + int(low, 16)) // segment_bytes
    each = (1 << 32) // segment_bytes
    return f"{first.timeline:08X}{number // each:08X}{number % each:08X}"


def follow_log(url: str, archive: Path, log: Log) -> None:
    """Become the program that streams the server's log into `archive` until it is stopped.

    Raises `BackupRefused` if it cannot begin.
    """
    server = read_server(url)
    tools = find_tools(server.major, ARCHIVE_PROGRAMS)
    folder = archive / server.wal_folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BackupRefused(
            f"{folder} cannot be made ({error.strerror}); set FIELDFARE_ARCHIVE to a folder of "
            "your own"
        ) from error
    address = address_of(url)
    receive = [
        *(tools.path("pg_receivewal"), f"--directory={folder}", f"--slot={SLOT}"),
        *("--no-password", f"--dbname={address.conninfo}"),
    ]
    run_program(
        [*receive, "--create-slot", "--if-not-exists"],
        address.environment,
        doing="asking the server to keep its log for the archive",
        log=log,
    )
    log(f"the server's log is streamed to {folder}")
    os.umask(0o077)
    os.execve(receive[0], receive, dict(address.environment))  # noqa: S606 - needs no shell


def trim_archive(tools: Tools, archive: Path, bases: list[Base], log: Log) -> None:
    """Delete what no base backup that is kept needs any more."""
    for folder in archive.iterdir():
        first = min((b.first_segment for b in bases if b.wal_folder == folder.name), default=None)
        # A folder without a base backup is of a life that was just begun, or that a person ends.
        if first is not None:
            run_program(
                [tools.path("pg_archivecleanup"), str(folder), first],
                os.environ,
                doing="trimming the archive",
                log=log,
            )
