"""The folder of all backups: how a new one gets its name, and which old ones go.

A backup is written under another name, made durable file by file, and renamed; so whatever is cut
off leaves only a folder that the next backup clears away, under the lock that both take.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from fieldfare.db.backup.manifest import MANIFEST
from fieldfare.db.embedded.folders import fsync_folder
from fieldfare.db.embedded.locks import LockHeldError, take_lock
from fieldfare.db.errors import BackupRefused

_STAGING_PREFIX = ".new-"
_NAME = re.compile(r"\d{8}T\d{6}Z", re.ASCII)


def name_of(taken_at: datetime) -> str:
    """What a backup of that instant is called; names sort as their instants do."""
    return taken_at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


@contextmanager
def locked_folder(parent: Path) -> Iterator[None]:
    """Be the only one who writes backups there, and clear away what was cut off.

    Raises `BackupRefused` if somebody else writes one, or if it may not be written to.
    """
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = take_lock(parent / ".lock")
    except LockHeldError as held:
        raise BackupRefused(
            f"the process {held.pid} writes a backup to {parent}; wait until it is done"
        ) from held
    except OSError as error:
        raise BackupRefused(
            f"{parent} cannot be written to ({error.strerror}); name a folder of your own"
        ) from error
    try:
        for leftover in parent.glob(f"{_STAGING_PREFIX}*"):
            shutil.rmtree(leftover)
        yield
    finally:
        os.close(lock)


@contextmanager
def new_backup(parent: Path, taken_at: datetime) -> Iterator[Path]:
    """A private folder to write to; after the block it has its name, or is gone if that failed.

    Raises `BackupRefused` if there is one of that name already.
    """
    final = parent / name_of(taken_at)
    if final.exists():
        raise BackupRefused(f"{final} is there already and is kept; try again in a second")
    staging = Path(tempfile.mkdtemp(prefix=_STAGING_PREFIX, dir=parent))  # mode 0700
    try:
        yield staging
        make_durable(staging)
        staging.rename(final)
        fsync_folder(parent)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def make_durable(folder: Path) -> None:
    """Have everything in a folder on disk, readable by its owner only."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            with path.open("rb") as file:
                os.fsync(file.fileno())
    fsync_folder(folder)


def list_backups(parent: Path) -> list[Path]:
    """The whole backups of a folder, oldest first."""
    return sorted(
        path
        for path in parent.iterdir()
        if _NAME.fullmatch(path.name) and (path / MANIFEST).is_file()
    )


def remove_older(parent: Path, keep: int) -> list[Path]:
    """Delete all but the newest `keep` backups; gives those that went."""
    gone = list_backups(parent)[:-keep]
    for path in gone:
        # Without its manifest a half deleted one is no backup any more.
        (path / MANIFEST).unlink()
        shutil.rmtree(path)
    return gone
