"""Folders in memory, for what a disk is not needed for.

A killed process loses nothing of either. But a busy disk keeps a new database, and each time that
one is told to be durable, waiting for seconds.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import getpid
from pathlib import Path

import psutil

IN_MEMORY = Path("/dev/shm")
ROOM_BYTES = 3_000_000_000
"""Ten times what a server of tests comes to hold."""
_PREFIX = "fieldfare-tests-"


@contextmanager
def quick_folder(else_in: Path) -> Iterator[Path]:
    """A folder to be thrown away: in memory where that has room, or else `else_in` itself."""
    if not _has_room(IN_MEMORY):
        yield else_in
        return
    _remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{getpid()}-", dir=IN_MEMORY))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _has_room(folder: Path) -> bool:
    try:
        return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > ROOM_BYTES
    except OSError:  # there is no such folder: not every system has one
        return False


def _remove_leftovers() -> None:
    # Of a run that was killed; its server has ended with it.
    for left in IN_MEMORY.glob(f"{_PREFIX}*"):
        if not psutil.pid_exists(int(left.name.removeprefix(_PREFIX).partition("-")[0])):
            shutil.rmtree(left, ignore_errors=True)
