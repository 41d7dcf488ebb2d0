"""Bringing the embedded server back to an instant: base backup, then the log up to there.

What must hold: the data directory appears under its name only once the server has come to the
instant, is closed and was stopped; whatever is cut off before that leaves the home as it was. The
log is laid into the data itself, because the server's user may not be able to enter the archive.
"""

import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from fieldfare.db import embedded
from fieldfare.db.backup.base import BASE
from fieldfare.db.backup.dump import AFTER_RESTORE_SQL
from fieldfare.db.backup.manifest import Base
from fieldfare.db.embedded.cluster import SUPERUSER, password_of
from fieldfare.db.embedded.folders import fsync_folder
from fieldfare.db.embedded.progress import Log, Progress
from fieldfare.db.errors import BackupRefused

STAGING = "restoring"
_TRUST = "local all all trust\n"
_PARTIAL = ".partial"


def restore_to(
    home: Path, backup: Path, base: Base, archive: Path, to: datetime | None, log: Log
) -> None:
    """Make the data directory of `home` as the server was at `to`, or at the end of the archive.

    Raises `BackupRefused` if there is one already, or if the archive does not reach that far.
    """
    if to is not None and to < base.taken_by:
        raise BackupRefused(
            f"this backup begins at {base.taken_by.isoformat()}; for an earlier instant name an "
            "earlier one"
        )
    folder = home / "postgres"
    refuse_data(folder / "data")
    with _staged(home) as staging:
        data = staging / "postgres" / "data"
        _unpack(backup / BASE, data, log)
        _lay_log(archive / base.wal_folder, data / "pg_wal", base.first_segment)
        _recover(staging, data, to, password_of(folder, folder / "data"), log)
        data.rename(folder / "data")
        fsync_folder(folder)


def refuse_data(data: Path) -> None:
    """Raise `BackupRefused` if a server's data is there."""
    if data.exists() and any(data.iterdir()):
        raise BackupRefused(
            f"{data} holds a database already; move {data.parent} away, or set FIELDFARE_HOME to "
            "another folder"
        )
    if data.exists():
        data.rmdir()


@contextmanager
def _staged(home: Path) -> Iterator[Path]:
    """A home of its own for the server while it recovers."""
    (home / "postgres").mkdir(parents=True, exist_ok=True)
    staging = home / STAGING
    if staging.exists():
        embedded.clear_leftovers(staging)
        shutil.rmtree(staging)
    (staging / "postgres").mkdir(mode=0o700, parents=True)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unpack(base: Path, data: Path, log: Log) -> None:
    data.mkdir(mode=0o700)
    progress = Progress(log, "still unpacking")
    for packed, into in (("base.tar.gz", data), ("pg_wal.tar.gz", data / "pg_wal")):
        with tarfile.open(base / packed) as members:
            for member in members:
                progress.tick()
                members.extract(member, into, filter="tar")


def _lay_log(log_folder: Path, into: Path, first_segment: str) -> None:
    """The files of the log from a base backup on; one that was still being written is as good."""
    for path in sorted(log_folder.iterdir()):
        name = path.name.removesuffix(_PARTIAL)
        if name >= first_segment and len(name) == len(first_segment):
            shutil.copyfile(path, into / name)


def _recover(staging: Path, data: Path, to: datetime | None, password: str, log: Log) -> None:
    """Let the server come to the instant; then nobody gets in but us, by its private socket."""
    hba = data / "pg_hba.conf"
    lets_in = hba.read_text(encoding="utf-8")
    hba.write_text(_TRUST, encoding="utf-8")
    (data / "recovery.signal").touch()
    password_of(staging / "postgres", data.with_name("none"))
    try:
        server = embedded.start(
            staging, embedded.free_port(), options=_recovery_options(to), log=log
        )
    except embedded.EmbeddedRefused as refusal:
        if "ended before configured recovery target" not in str(refusal):
            raise
        raise BackupRefused(
            "the archive ends before that instant, or nothing was committed after it; `--to end` "
            "restores all that it holds"
        ) from refusal
    try:
        _close(server, password)
    finally:
        embedded.stop(server, log=log)
    hba.write_text(lets_in, encoding="utf-8")


def _recovery_options(to: datetime | None) -> dict[str, str]:
    options = {
        # It looks into its own folder of the log for what this does not bring.
        "restore_command": "false",
        "recovery_target_action": "promote",
        "recovery_target_timeline": "current",
        # It answers only once it has come to the end.
        "hot_standby": "off",
    }
    if to is not None:
        options["recovery_target_time"] = to.astimezone(UTC).isoformat(sep=" ")
    return options


def _close(server: embedded.RunningServer, password: str) -> None:
    """Give the role the password that is kept in the home, and every database of ours its mark."""
    url = (
        f"postgresql://{SUPERUSER}@/{embedded.DEFAULT_DATABASE}?host={quote(str(server.socket_dir))}"
        f"&port={server.port}"
    )
    with psycopg.connect(url) as conn:
        conn.execute(AFTER_RESTORE_SQL)
        conn.execute(
            sql.SQL("alter role {} password {}").format(
                sql.Identifier(SUPERUSER), sql.Literal(password)
            )
        )
