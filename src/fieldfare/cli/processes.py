"""The API's processes, started and watched by one that does nothing else.

What must hold: one that dies is started again, after a pause that grows while it keeps dying; a
signal to stop is passed on, and we end when the last of them has drained; none outlives us, `kill
-9` included, because the kernel then kills them too. If no process of the API can serve by its
settings, we end as one alone would: to start it again would change nothing.
"""

import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from types import FrameType

import structlog

from fieldfare.db.embedded.children import signal_at_parent_death
from fieldfare.telemetry.families import RESTARTS
from fieldfare.telemetry.snapshots import EVERY_S, Keeper

SERVE = (sys.executable, "-m", "fieldfare.cli.serving")
EXPORT = (sys.executable, "-m", "fieldfare.cli.exporting")
FIRST_REST_S = 0.2
LONGEST_REST_S = 10.0
STEADY_S = 60.0
"""Who has lived this long did not die of its start: its next rest is the first one again."""
SETTINGS_REFUSED = 78
"""How a process ends that cannot serve by its settings (`EX_CONFIG` of BSD's sysexits)."""
END_PATIENCE_S = 28.0
"""Longer than a process drains, and shorter than our own supervisor's patience."""
_POLL_S = 0.05
_log = structlog.get_logger(__name__)


@dataclass
class _Place:
    """A process, or the rest before the next one takes its place."""

    role: str
    command: tuple[str, ...]
    passed: tuple[int, ...] = ()
    """Open files that it inherits."""
    process: subprocess.Popen[bytes] | None = None
    started_at: float = field(default_factory=time.monotonic)
    rest_s: float = FIRST_REST_S
    start_at: float = 0.0
    """On the monotonic clock."""
    is_refused: bool = False
    """Whether the last process was ended by its settings, and none has taken its place yet."""


def serve_by_processes(
    count: int, metrics: socket.socket | None = None, keeper: Keeper | None = None
) -> int:
    """Run `count` processes until SIGTERM or SIGINT; gives the exit code, 0 if all ended well.

    With a socket for `metrics`, one more answers there for all of them; `keeper` writes what we
    count ourselves.
    """
    stop = _listen_for_stop()
    places = [_Place("api", SERVE) for _ in range(count)]
    if metrics is not None:
        metrics.listen()
        passed = metrics.fileno()
        places.append(_Place("metrics", (*EXPORT, "--fd", str(passed)), (passed,)))
    for place in places:
        # Told from the start: a rate cannot be reckoned from what was not there before.
        RESTARTS.add(place.role, by=0)
    write_at = 0.0
    while not stop:
        for place in places:
            _tend(place)
        if all(place.is_refused for place in places[:count]):
            # Each has said why.
            _end([place.process for place in places if place.process is not None])
            return 1
        if keeper is not None and time.monotonic() >= write_at:
            keeper.try_to_write(keeper.encode())
            write_at = time.monotonic() + EVERY_S
        time.sleep(_POLL_S)
    return _end([place.process for place in places if place.process is not None])


def _listen_for_stop() -> list[int]:
    """A list that the signals which ask us to stop are put into."""
    asked: list[int] = []

    def on_signal(signum: int, _frame: FrameType | None) -> None:
        asked.append(signum)

    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, on_signal)
    return asked


def _tend(place: _Place) -> None:
    now = time.monotonic()
    if place.process is not None:
        status = place.process.poll()
        if status is not None:
            _bury(place, place.process.pid, status, now)
    elif now >= place.start_at:
        _start(place, now)


def _bury(place: _Place, pid: int, status: int, now: float) -> None:
    RESTARTS.add(place.role)
    if now - place.started_at > STEADY_S:
        place.rest_s = FIRST_REST_S
    _log.error(f"{place.role}_process_died", pid=pid, status=status, starts_again_in_s=place.rest_s)
    place.process = None
    place.is_refused = status == SETTINGS_REFUSED
    _rest(place, now)


def _start(place: _Place, now: float) -> None:
    try:
        place.process = subprocess.Popen(
            place.command,
            pass_fds=place.passed,
            stdin=subprocess.DEVNULL,
            preexec_fn=signal_at_parent_death(signal.SIGKILL),
            # Ctrl-C goes to our whole group; they are to hear of it once, from us.
            start_new_session=True,
        )
    except OSError as error:  # no more processes, or no memory for one
        _log.error(
            f"{place.role}_process_not_started", reason=str(error), starts_again_in_s=place.rest_s
        )
        _rest(place, now)
    else:
        place.started_at = now
        place.is_refused = False


def _rest(place: _Place, now: float) -> None:
    place.start_at = now + place.rest_s
    place.rest_s = min(place.rest_s * 2, LONGEST_REST_S)


def _end(processes: list[subprocess.Popen[bytes]]) -> int:
    """Ask all of them to stop, and wait; 1 if one ended badly or had to be killed."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + END_PATIENCE_S
    statuses = [_wait(process, deadline) for process in processes]
    # Who had not yet come to listening for signals has simply ended.
    return 0 if set(statuses) <= {0, -signal.SIGTERM} else 1


def _wait(process: subprocess.Popen[bytes], deadline: float) -> int:
    try:
        return process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        _log.error("api_process_killed", pid=process.pid, waited_s=END_PATIENCE_S)
        process.kill()
        return process.wait()
