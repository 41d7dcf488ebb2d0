"""PostgreSQL's own programs: which ones to run, and how they learn where the server is.

Those of the server's own version are the best, a newer one reads an older server, an older one
refuses a newer server. A password reaches them by their environment, which other users cannot read;
the command line, which they can, never has it.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from fieldfare.db.embedded import EmbeddedRefused
from fieldfare.db.embedded.install import server_programs
from fieldfare.db.embedded.progress import Log, Progress
from fieldfare.db.errors import BackupRefused

DISTRIBUTION = Path("/usr/lib/postgresql")
_POLL_S = 0.05
_TOLD = 10


class Tools(msgspec.Struct, frozen=True):
    """A folder of programs of one major version."""

    folder: Path
    major: int

    def path(self, name: str) -> str:
        """Where a program is."""
        return str(self.folder / name)


class Address(msgspec.Struct, frozen=True):
    """A server, as a program is told of it: the part that all may see, and the environment."""

    conninfo: str
    environment: Mapping[str, str]


def address_of(url: str) -> Address:
    """What a program needs to connect to `url`."""
    known = conninfo_to_dict(url, connect_timeout=10)
    password = known.pop("password", None)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    secret = {} if password is None else {"PGPASSWORD": str(password)}
    return Address(make_conninfo("", **known), {**kept, **secret, "LC_ALL": "C"})


def find_tools(server_major: int, needed: Sequence[str], *, newest: bool = False) -> Tools:
    """Programs for a server of that version; raises `BackupRefused` if there are none.

    The oldest that will do, or the `newest` that there are, which read what any older one wrote.
    """
    found = [tools for tools in _all_tools(needed) if tools.major >= server_major]
    if not found:
        raise BackupRefused(
            f"no {' and '.join(needed)} of PostgreSQL {server_major} or newer is there; install "
            f"the client programs (on Debian: postgresql-client-{server_major}), or put them on "
            "PATH"
        )
    choose = max if newest else min
    return choose(found, key=lambda tools: tools.major)


def _all_tools(needed: Sequence[str]) -> Iterator[Tools]:
    for folder in _folders(needed[0]):
        if all((folder / name).exists() for name in needed):
            major = _major(folder / needed[0])
            if major is not None:
                yield Tools(folder, major)


def _folders(program: str) -> Iterator[Path]:
    on_path = shutil.which(program)
    if on_path is not None:
        yield Path(on_path).parent
    yield from sorted(DISTRIBUTION.glob("*/bin"))
    try:
        yield server_programs()
    except EmbeddedRefused:
        return


def _major(program: Path) -> int | None:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\(PostgreSQL\) (\d+)", said.stdout)
    return int(found.group(1)) if said.returncode == 0 and found else None


def run_program(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    doing: str,
    log: Log,
    stdin: IO[bytes] | None = None,
) -> None:
    """Run a program to its end, telling now and then that it is still `doing` something.

    Raises `BackupRefused` with what it said last if it fails. If we are interrupted, so is it.
    """
    with subprocess.Popen(
        arguments,
        env=dict(environment),
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        umask=0o077,
    ) as process:
        try:
            said = _wait(process, Progress(log, f"still {doing}"))
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise BackupRefused(f"{doing} failed: {told_by(Path(arguments[0]).name, said)}")


def told_by(program: str, said: bytes) -> str:
    """The last that a program said, in one line."""
    lines = said.decode("utf-8", "replace").strip().splitlines()[-_TOLD:]
    return f"{program} said: {' / '.join(line.strip() for line in lines) or 'nothing'}"


def _wait(process: "subprocess.Popen[bytes]", progress: Progress) -> bytes:
    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)
    said = b""
    while True:
        ended = process.poll() is not None
        said = (said + (process.stderr.read() or b""))[-20_000:]
        if ended:
            return said
        progress.tick()
        time.sleep(_POLL_S)
