"""What a process counts is in its file: all of it in the end, whole at any time."""

import asyncio
import os
from pathlib import Path

from fieldfare.settings import Settings
from fieldfare.telemetry.families import RESTARTS
from fieldfare.telemetry.snapshots import keeping, look, snapshot_folder

TIMES = 300
ROLE = "test"


async def test_the_last_that_is_written_is_what_was_counted_in_the_end(tmp_path: Path) -> None:
    """Whoever is still writing when the end comes does not write over it later."""
    settings = Settings(home=tmp_path, metrics_port=3009)
    wrong = []
    for number in range(1, TIMES + 1):
        async with keeping(settings, ROLE, every_s=0):
            await asyncio.sleep(0.001)
            RESTARTS.add(ROLE)
        # A thread that was left behind would need less than this.
        await asyncio.sleep(0.001)
        wrong += [number] if _counted(tmp_path) != number else []
    assert wrong == []
    assert [path.name.startswith(ROLE) for path in snapshot_folder(settings).iterdir()] == [True]


def _counted(home: Path) -> int:
    (snapshot,) = look(home / "metrics").living
    assert (snapshot.role, snapshot.pid) == (ROLE, os.getpid())
    samples = snapshot.counted[RESTARTS.name]
    counts = [cell for labels, cell in samples if tuple(labels) == (ROLE,)]
    return sum(int(count) for (count,) in counts)
