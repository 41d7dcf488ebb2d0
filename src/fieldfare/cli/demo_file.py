"""`demo.json`: where everything of a running `fieldfare up` is, for tests, benchmarks and people.

It is there exactly while everything answers: written whole at the end of the start, removed first
when stopping, and one that a killed run left is removed by the next start. Only its owner may read
it, as it holds tokens.
"""

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec


def demo_path(home: Path) -> Path:
    """Where the file of a home is."""
    return home / "demo.json"


def write_demo(home: Path, fields: Mapping[str, object]) -> None:
    """Write the file in one step, so that no reader ever sees a part of it."""
    content = msgspec.json.format(msgspec.json.encode(fields), indent=2)
    descriptor, name = tempfile.mkstemp(prefix=".demo-", suffix=".json", dir=home)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content + b"\n")
        Path(name).replace(demo_path(home))
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def remove_demo(home: Path) -> None:
    """Take the file away; none there is fine."""
    demo_path(home).unlink(missing_ok=True)
