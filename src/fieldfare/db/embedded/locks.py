"""A lock that one process holds on a folder, and that the kernel lets go of however it ends."""

import fcntl
import os
from pathlib import Path


class LockHeldError(RuntimeError):
    """Another process holds the lock; `pid` is what it wrote into it."""

    def __init__(self, pid: str) -> None:
        super().__init__(pid)
        self.pid = pid


def take_lock(path: Path) -> int:
    """Lock the file `path`, made if need be, for this process; close the descriptor to let go.

    Raises `LockHeldError` at once if another process has it. The file is never removed: whoever
    removed it could leave two processes with a lock on two files of one name.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise LockHeldError(holder or "unknown") from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor
