"""A process and its children: how many there are, and how much memory they hold."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.refusal import BenchmarkRefused

_PROC = Path("/proc")
BYTES_PER_KIB = 1_024


def resident_bytes(pid: int) -> int:
    """What they hold at this moment; raises `BenchmarkRefused` where the kernel does not tell."""
    return sum(_read(member, "VmRSS") for member in family(pid))


def begin_peak(pid: int) -> None:
    """Forget the highest that each has held so far."""
    for member in family(pid):
        # 5 resets the high-water mark: proc_pid_clear_refs(5).
        (_PROC / str(member) / "clear_refs").write_text("5", encoding="ascii")


def peak_bytes(pid: int) -> int:
    """The highest that each has held since `begin_peak`, added up."""
    return sum(_read(member, "VmHWM") for member in family(pid))


def count_workers(pid: int) -> int:
    """How many of them do the work: the children, or the process itself if it has none."""
    return max(1, len(list(family(pid))) - 1)


def family(pid: int) -> Iterator[int]:
    """A process, its children, and theirs; raises `BenchmarkRefused` elsewhere than on Linux."""
    if not (_PROC / "self" / "task").exists():
        raise BenchmarkRefused("only Linux tells which processes another one has started")
    yield pid
    for thread in (_PROC / str(pid) / "task").glob("*"):
        # Gone in between, it has no children left.
        with contextlib.suppress(OSError):
            for child in (thread / "children").read_text(encoding="ascii").split():
                yield from family(int(child))


def _read(pid: int, field: str) -> int:
    return read_status((_PROC / str(pid) / "status").read_text(encoding="utf-8"), field)


def read_status(status: str, field: str) -> int:
    """One of the fields in kB of `/proc/PID/status`, in bytes."""
    found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise BenchmarkRefused(f"the kernel does not tell {field}")
    return int(found.group(1)) * BYTES_PER_KIB
