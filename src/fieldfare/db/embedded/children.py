"""Child processes that do not outlive us, and the logs they write.

On Linux the kernel itself signals a child whose parent has gone, so that even a `kill -9` of the
parent leaves nothing behind for long. Elsewhere the next start finds and stops what was left.
"""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_PR_SET_PDEATHSIG = 1
_LOG_KEPT_BYTES = 10_000_000
_TAIL_BYTES = 20_000


def signal_at_parent_death(signum: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn` that has the kernel send `signum` to the child once its parent dies.

    None where that cannot be had: off Linux, and off the main thread, as the kernel takes the end
    of the thread that started the child for the parent's death.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent_pid = os.getpid()

    def in_the_child() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
        if os.getppid() != parent_pid:  # it died before the line above
            os._exit(1)

    return in_the_child


def prepare_log(path: Path) -> int:
    """Make room for a log, setting one past 10 MB aside; returns the bytes already in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size_bytes = path.stat().st_size if path.exists() else 0
    if size_bytes <= _LOG_KEPT_BYTES:
        return size_bytes
    path.replace(path.with_suffix(".log.1"))
    return 0


def open_log(path: Path) -> BinaryIO:
    """A log to append to, its owner's alone."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "ab", buffering=0)


def log_tail(path: Path, *, since_bytes: int = 0, lines: int = 15) -> str:
    """The last lines of a log, indented, from what was written after its first `since_bytes`."""
    try:
        with path.open("rb") as log:
            size_bytes = log.seek(0, os.SEEK_END)
            log.seek(max(since_bytes, size_bytes - _TAIL_BYTES, 0))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return "    (no log)"
    last = text.rstrip().splitlines()[-lines:]
    return "\n".join(f"    {line}" for line in last) or "    (it logged nothing)"
