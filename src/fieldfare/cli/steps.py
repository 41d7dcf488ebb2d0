"""What a person sees of a long command: one ticked line for each step, printed at once."""

import contextlib
import sys
import time
from collections.abc import Iterator


def say(line: str = "") -> None:
    """Print a line now, whatever the output's encoding, even if nobody reads it any longer."""
    encoding = sys.stdout.encoding or "utf-8"
    with contextlib.suppress(BrokenPipeError):
        print(line.encode(encoding, "replace").decode(encoding), flush=True)


def note(line: str) -> None:
    """A line about a step that is still under way."""
    say(f"  … {line}")


@contextlib.contextmanager
def step(text: str) -> Iterator[None]:
    """Do what is in the block, then tick it off with the seconds it took."""
    started = time.monotonic()
    yield
    say(f"  ✓ {text} ({time.monotonic() - started:.1f} s)")


def complain(line: str) -> None:
    """Print a refusal where errors belong."""
    encoding = sys.stderr.encoding or "utf-8"
    with contextlib.suppress(BrokenPipeError):
        text = f"fieldfare: {line}"
        print(text.encode(encoding, "replace").decode(encoding), file=sys.stderr, flush=True)
