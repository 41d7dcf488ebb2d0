"""Running the parts of the product as child processes, in the foreground.

What must hold: no part outlives us by more than its own shut-down, whether we are asked to stop, a
part dies, or we are killed; a part's death is told with the end of its log; and a start first ends
what an earlier, killed one left behind, and nothing else.
"""

import contextlib
import http.client
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import msgspec
import psutil

from fieldfare.cli.steps import note
from fieldfare.db.embedded.children import (
    log_tail,
    open_log,
    prepare_log,
    signal_at_parent_death,
)

READY_PATIENCE_S = 60.0
DRAIN_PATIENCE_S = 30.0
_POLL_S = 0.05
_SAME_START_S = 2.0


class UpRefused(RuntimeError):
    """The product cannot be brought up, or fell; the message is for people."""


class StopRequested(BaseException):
    """SIGINT, SIGTERM or SIGHUP came; no error, so nothing that handles errors may catch it."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the product: how it is started and how one sees that it answers."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    ready_url: str | None = None


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A process that must not end before we do."""

    name: str
    process: subprocess.Popen[bytes]
    log_path: Path
    log_start_bytes: int


@contextlib.contextmanager
def stop_on_signals() -> Iterator[None]:
    """Within the block the first signal to stop raises `StopRequested`; later ones are ignored."""
    asked = False

    def on_signal(_signum: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise StopRequested

    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # `nohup` asks to live on
        signals.append(signal.SIGHUP)
    before = {signum: signal.signal(signum, on_signal) for signum in signals}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def start_part(part: Part, home: Path) -> Running:
    """Start one part with its log in `home`/log, and note its pid for a start after a kill."""
    log_path = home / "log" / f"{part.name}.log"
    log_start_bytes = prepare_log(log_path)
    with open_log(log_path) as log_file:
        process = subprocess.Popen(
            part.argv,
            env=dict(part.env),
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            preexec_fn=signal_at_parent_death(signal.SIGTERM),
            # Ctrl-C goes to our whole group, but the parts stop in our order.
            start_new_session=True,
        )
    _note_pid(home, part.name, process.pid)
    return Running(
        name=part.name, process=process, log_path=log_path, log_start_bytes=log_start_bytes
    )


def wait_until_ready(part: Part, running: Sequence[Running]) -> None:
    """Return once `part` answers 200; raises `UpRefused` if a process dies or after a minute."""
    deadline = time.monotonic() + READY_PATIENCE_S
    while part.ready_url and not _answers(part.ready_url):
        check_alive(running)
        if time.monotonic() > deadline:
            log_path = next(one.log_path for one in running if one.name == part.name)
            raise UpRefused(
                f"the {part.name} does not answer at {part.ready_url} after "
                f"{READY_PATIENCE_S:.0f} s; the end of {log_path}:\n{log_tail(log_path)}"
            )
        time.sleep(_POLL_S)


def watch(running: Sequence[Running]) -> None:
    """Never returns: raises `UpRefused` once a process has died."""
    while True:
        check_alive(running)
        time.sleep(_POLL_S * 4)


def check_alive(running: Sequence[Running]) -> None:
    """Raise `UpRefused`, with the end of its log, if a process has died."""
    for one in running:
        status = one.process.poll()
        if status is not None:
            how = f"exit status {status}" if status >= 0 else signal.Signals(-status).name
            tail = log_tail(one.log_path, since_bytes=one.log_start_bytes)
            raise UpRefused(
                f"the {one.name} stopped by itself ({how}); the end of {one.log_path}:\n{tail}"
            )


def stop_part(running: Running, home: Path) -> None:
    """Ask a part to finish what it does and stop; kill it only if that takes half a minute."""
    with contextlib.suppress(ProcessLookupError):
        running.process.terminate()
    try:
        running.process.wait(DRAIN_PATIENCE_S)
    except subprocess.TimeoutExpired:
        note(f"the {running.name} did not stop within {DRAIN_PATIENCE_S:.0f} s and is killed")
        running.process.kill()
        running.process.wait()
    _pid_file(home, running.name).unlink(missing_ok=True)


def end_orphans(home: Path) -> None:
    """End the parts that a killed run of `home` left; to be called with the lock on it held."""
    for pid_file in sorted((home / "run").glob("*.pid")):
        orphan = _find_orphan(pid_file)
        if orphan is not None:
            note(f"stopping the {pid_file.stem} that an earlier run left behind (pid {orphan.pid})")
            _end(orphan)
        pid_file.unlink()


def _answers(url: str) -> bool:
    address = urlsplit(url)
    # Not urllib: a proxy named in the environment has no business here.
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
    try:
        connection.request("GET", address.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _pid_file(home: Path, name: str) -> Path:
    return home / "run" / f"{name}.pid"


def _note_pid(home: Path, name: str, pid: int) -> None:
    path = _pid_file(home, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(psutil.NoSuchProcess):  # it died at once, which the watch will see
        path.write_text(f"{pid} {psutil.Process(pid).create_time()}\n", encoding="ascii")


def _find_orphan(pid_file: Path) -> psutil.Process | None:
    """The process that the file means: a pid alone may by now be anybody's."""
    try:
        pid, started = pid_file.read_text(encoding="ascii", errors="replace").split()
        process = psutil.Process(int(pid))
        same = abs(process.create_time() - float(started)) < _SAME_START_S
    except (ValueError, psutil.Error):
        return None
    return process if same and process.pid != os.getpid() else None


def _end(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(DRAIN_PATIENCE_S)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(DRAIN_PATIENCE_S)
