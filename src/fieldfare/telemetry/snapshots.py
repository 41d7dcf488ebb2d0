"""What each process has counted, as a file of its own that it writes anew every second.

Who answers a scrape (`fieldfare metrics`) reads them all, so no process is asked anything while it
works. What must hold: a reader sees a file whole; what a process counted until it ended stays in
the sums for ever, also after `kill -9`, but for its last second; and one that lives and is silent
is seen to be so.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec
import structlog

from fieldfare.settings import Settings, SettingsRefused
from fieldfare.telemetry.families import COUNTED, WATCHED
from fieldfare.telemetry.meters import Meter, Samples, add_up

EVERY_S = 1.0
ENDED = "ended.json"
_SAME_START_S = 2.0

ByName: TypeAlias = dict[str, Samples]
_log = structlog.get_logger(__name__)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a process had counted at an instant, and what there was of what it watches."""

    role: str
    pid: int
    started_at: float
    """As the system says; with the pid, it names a process for good."""
    taken_at: float
    """Both in seconds since 1970."""
    counted: ByName
    watched: ByName


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of all processes that have ended, and the files that are in them."""

    files: frozenset[str] = frozenset()
    counted: ByName = msgspec.field(default_factory=dict)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Every process of this machine: those that live, and what is left of the others."""

    living: list[Snapshot]
    ended: Ended


_snapshots = msgspec.json.Decoder(Snapshot)
_ended = msgspec.json.Decoder(Ended)


def snapshot_folder(settings: Settings) -> Path:
    """Where the processes of this machine write."""
    return settings.home / "metrics"


class Keeper:
    """A process's file in the folder of all."""

    def __init__(self, folder: Path, role: str) -> None:
        self._role = role
        self._started_at = _start_of(os.getpid()) or time.time()
        self._path = folder / f"{role}-{os.getpid()}-{self._started_at:.0f}.json"

    def encode(self) -> bytes:
        """What is counted by now."""
        snapshot = Snapshot(
            role=self._role,
            pid=os.getpid(),
            started_at=self._started_at,
            taken_at=time.time(),
            counted=_samples_of(COUNTED),
            watched=_samples_of(WATCHED),
        )
        return msgspec.json.encode(snapshot)

    def write(self, content: bytes) -> None:
        """Put it in the place of what was written before. Raises `OSError`."""
        _replace(self._path, content)

    def try_to_write(self, content: bytes) -> None:
        """The same, where a full disk must not end what works."""
        try:
            self.write(content)
        except OSError as error:
            _log.warning("metrics_not_written", reason=str(error))


def open_keeper(settings: Settings, role: str) -> Keeper | None:
    """This process's file, written once; None if no metrics are asked for.

    Raises `SettingsRefused` if the folder cannot be written to.
    """
    if settings.metrics_port is None:
        return None
    folder = snapshot_folder(settings)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        keeper = Keeper(folder, role)
        keeper.write(keeper.encode())
    except OSError as error:
        raise SettingsRefused(
            f"metrics are asked for by FIELDFARE_METRICS_PORT, and their folder {folder} cannot be "
            f"written to ({error.strerror}); set FIELDFARE_HOME to a folder of yours, the same for "
            "all processes of this machine, or unset FIELDFARE_METRICS_PORT"
        ) from error
    return keeper


@contextlib.asynccontextmanager
async def keeping(
    settings: Settings, role: str, *, every_s: float = EVERY_S
) -> AsyncIterator[None]:
    """Within the block, what this process counts is written every second, and at its end.

    Raises `SettingsRefused` like `open_keeper`.
    """
    keeper = open_keeper(settings, role)
    if keeper is None:
        yield
        return
    stop = asyncio.Event()
    task = asyncio.create_task(_keep(keeper, every_s, stop))
    try:
        yield
    finally:
        # It ends by writing. Were it cut off, its thread would go on, beside who writes the end.
        stop.set()
        await task


async def _keep(keeper: Keeper, every_s: float, stop: asyncio.Event) -> None:
    """Write every so often, each time when the last one is done, and once more after `stop`."""
    is_last = False
    while not is_last:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every_s)
        is_last = stop.is_set()
        # A disk may take its time, and no request has to wait for it.
        await asyncio.to_thread(keeper.try_to_write, keeper.encode())


@contextlib.contextmanager
def kept_once(settings: Settings, role: str) -> Iterator[None]:
    """What a command counts is written at its end, where metrics are kept already."""
    try:
        yield
    finally:
        folder = snapshot_folder(settings)
        if any(meter.samples() for meter in COUNTED) and folder.is_dir():
            keeper = Keeper(folder, role)
            keeper.try_to_write(keeper.encode())


def look(folder: Path) -> Seen:
    """Every process that has written to `folder`; who ended is added to the sums of the ended.

    One reader at a time. Raises `OSError`.
    """
    ended, living, dead = _read_ended(folder), [], {}
    for path in sorted(folder.glob("[a-z]*-[0-9]*.json")):
        snapshot = _read(path)
        if path.name in ended.files:
            path.unlink(missing_ok=True)
        elif snapshot is not None and _lives(snapshot):
            living.append(snapshot)
        elif snapshot is not None:
            dead[path] = snapshot
    if dead:
        ended = _bury(folder, ended, dead)
    return Seen(living=living, ended=ended)


def _bury(folder: Path, ended: Ended, dead: dict[Path, Snapshot]) -> Ended:
    """First the sums with the names of what is in them, then the files: nothing counts twice."""
    sums = sum_up([ended.counted, *(snapshot.counted for snapshot in dead.values())])
    buried = Ended(files=frozenset(path.name for path in dead), counted=sums)
    _replace(folder / ENDED, msgspec.json.encode(buried))
    for path in dead:
        path.unlink(missing_ok=True)
    return buried


def sum_up(many: Iterable[ByName]) -> ByName:
    """The sums of what several processes counted, by name and labels."""
    all_of_them = list(many)
    names = {name for one in all_of_them for name in one}
    return {name: list(add_up(one.get(name, []) for one in all_of_them)) for name in names}


def _samples_of(meters: Iterable[Meter]) -> ByName:
    return {meter.name: meter.samples() for meter in meters}


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(content)
    beside.replace(path)


def _read(path: Path) -> Snapshot | None:
    try:
        return _snapshots.decode(path.read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        # Gone since it was listed, or another release's: not a process of ours.
        return None


def _read_ended(folder: Path) -> Ended:
    try:
        return _ended.decode((folder / ENDED).read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return Ended()


def _lives(snapshot: Snapshot) -> bool:
    started_at = _start_of(snapshot.pid)
    return started_at is not None and abs(started_at - snapshot.started_at) < _SAME_START_S


def _start_of(pid: int) -> float | None:
    """When a process began; None if there is none, or if it only waits to be buried."""
    # Loaded here: who keeps no metrics does not pay for it.
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None
