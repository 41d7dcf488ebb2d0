"""What an earlier, killed run may have left of a data directory's server, and its clean-up.

What must hold: after `clear` no server process of that data directory lives and no lock file of one
remains, while no process but those is ever signalled. Ours are known by the tag that we give each
server as its `cluster_name`: it stands in the command line of the postmaster and in the title of
every backend, is readable by anyone, and is made of the data directory's device and inode.
"""

import signal
import time
from pathlib import Path

import psutil

from fieldfare.db.embedded.errors import EmbeddedRefused
from fieldfare.db.embedded.progress import Log, Progress

_PATIENCE_S = 60.0
_FORCE_S = 10.0


def tag_of(data_dir: Path) -> str:
    """The name by which the processes of the server on `data_dir` are known on this machine."""
    status = data_dir.stat()
    return f"fieldfare-{status.st_dev:x}-{status.st_ino:x}"


def clear(data_dir: Path, log: Log) -> None:
    """Stop what still runs on `data_dir` and remove what dead servers left; rows stay as they are.

    Raises `EmbeddedRefused` if a process of that server cannot be stopped.
    """
    stop_processes(data_dir, log)
    # Whatever process it names now, it is none of this data directory's.
    (data_dir / "postmaster.pid").unlink(missing_ok=True)


def stop_processes(data_dir: Path, log: Log) -> None:
    """End every server process of `data_dir`: asked to first, then told to, then forced."""
    if not _processes(data_dir):
        return
    log("stopping the database server that an earlier run left behind")
    # SIGINT is a fast shutdown for a postmaster and ends only the current query of a backend;
    # backends whose postmaster is gone end by themselves, or at SIGQUIT.
    for signum, patience_s in (
        (signal.SIGINT, _PATIENCE_S),
        (signal.SIGQUIT, _FORCE_S),
        (signal.SIGKILL, _FORCE_S),
    ):
        _signal(data_dir, signum)
        if _gone(data_dir, patience_s, log):
            return
    pids = ", ".join(str(process.pid) for process in _processes(data_dir))
    raise EmbeddedRefused(f"the database server of {data_dir} does not end (pid {pids}); end it")


def _processes(data_dir: Path) -> list[psutil.Process]:
    tag, owner = tag_of(data_dir), data_dir.stat().st_uid
    return [process for process in psutil.process_iter() if _is_ours(process, tag, owner)]


def _is_ours(process: psutil.Process, tag: str, owner: int) -> bool:
    try:
        words = " ".join(process.cmdline()).replace("=", " ").replace(":", " ").split()
        return (
            tag in words
            and process.name() == "postgres"
            and process.uids().real == owner
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.Error:  # it ended meanwhile, or is hidden from us and so not of our user
        return False


def _signal(data_dir: Path, signum: signal.Signals) -> None:
    processes = _processes(data_dir)
    pids = {process.pid for process in processes}
    for process in processes:
        try:
            # A backend of a living postmaster is the postmaster's to end.
            if process.ppid() not in pids:
                process.send_signal(signum)
        except psutil.NoSuchProcess:
            continue


def _gone(data_dir: Path, patience_s: float, log: Log) -> bool:
    progress = Progress(log, "still waiting for the earlier database server to end")
    deadline = time.monotonic() + patience_s
    while _processes(data_dir):
        if time.monotonic() > deadline:
            return False
        progress.tick()
        time.sleep(0.05)
    return True
