"""Folders and their owners: the private one of a running server, and what must survive a crash.

A socket's path must be short, so the private folder lies in `/tmp`. Its name is kept in the home,
so that the one of a killed run is removed by the next.
"""

import os
import shutil
import tempfile
from pathlib import Path

from fieldfare.db.embedded.errors import EmbeddedRefused
from fieldfare.db.embedded.install import ServerUser

_PARENT = Path("/tmp")  # noqa: S108  # only ever through mkdtemp
_PREFIX = "fieldfare-pg-"


def make_private(folder: Path, user: ServerUser) -> Path:
    """A new folder that only `user` may enter, remembered in `folder`; an earlier one goes."""
    note = folder / "private-folder"
    if note.exists():
        _remove_remembered(Path(note.read_text(encoding="utf-8", errors="replace").strip()), user)
    private = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_PARENT))
    note.write_text(f"{private}\n", encoding="utf-8")
    give_to(private, user)
    return private


def give_to(path: Path, user: ServerUser) -> None:
    """Make `user` the owner of one file or folder."""
    if not user.switch:
        return
    try:
        os.chown(path, user.uid, user.gid, follow_symlinks=False)
    except OSError as error:
        raise EmbeddedRefused(
            f"root may not give {path} to the user {user.name} here ({error.strerror}); "
            f"start as another user, or set DATABASE_URL"
        ) from error


def fsync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_remembered(private: Path, user: ServerUser) -> None:
    # /tmp is everybody's: a name there proves nothing before its owner is known.
    if private.parent != _PARENT or not private.name.startswith(_PREFIX):
        return
    if private.is_symlink() or not private.is_dir():
        return
    if private.stat().st_uid in (user.uid, os.geteuid()):
        shutil.rmtree(private, ignore_errors=True)
