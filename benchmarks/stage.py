"""What a benchmark runs on: a database server of its own, and one API process.

The server is the embedded one at its durable defaults, migrated and stocked, in a new folder on the
disk where the demo keeps its state: one in memory would make commits free. No run is kept.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from benchmarks.months import cut_past_months
from benchmarks.refusal import BenchmarkRefused
from fieldfare.catalog.service import import_catalogue, load_preset
from fieldfare.db import embedded
from fieldfare.db.embedded.children import log_tail, open_log, signal_at_parent_death
from fieldfare.db.embedded.install import choose_user, find_install
from fieldfare.db.migrate import migrate
from fieldfare.db.pool import open_database, transaction
from fieldfare.settings import DEFAULT_HOME

PRODUCT = (sys.executable, "-m", "fieldfare.cli.main")
MONTH = timedelta(days=31)
READY_SECONDS = 30.0
STOP_SECONDS = 30.0
UNLIMITED = {
    "FIELDFARE_RATE_PER_SECOND": "1000000",
    "FIELDFARE_ADDRESS_RATE_PER_SECOND": "1000000",
}
"""What is measured is how fast it can be, not how fast a caller may."""


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """A migrated database with the demo's catalogue, and where its server's programs lie."""

    folder: Path
    """For whatever the run has to write; it goes with the stage."""
    database_url: str
    """By the server's own socket, as in the demo; the limits are measured by it too."""
    programs: Path


class Api(msgspec.Struct, frozen=True):
    """The product's API, as it runs for a benchmark."""

    base_url: str
    pid: int
    """Of `fieldfare serve` itself; whatever it starts are its children."""


@contextmanager
def database_stage(*, months_past: int = 0) -> Iterator[Stage]:
    """Have a fresh server for as long as the block runs.

    It is like one of a house that opened so many months ago: each of them has its partitions.
    """
    home = Path(DEFAULT_HOME).absolute()
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=home) as name:
        folder = Path(name)
        server = embedded.start(folder, embedded.free_port())
        try:
            migrate(server.url)
            if months_past:
                cut_past_months(server.url, months_past)
            asyncio.run(_stock(server.url, datetime.now(UTC) - MONTH * months_past))
            programs = find_install(choose_user(server.data_dir)).bin_dir
            yield Stage(folder=folder, database_url=server.local_url, programs=programs)
        finally:
            embedded.stop(server)


@contextmanager
def api_process(stage: Stage) -> Iterator[Api]:
    """Run `fieldfare serve` as an operator gets it; gives it once it is ready."""
    port = embedded.free_port()
    base_url = f"http://127.0.0.1:{port}"
    log_path = stage.folder / "api.log"
    with open_log(log_path) as log:
        process = subprocess.Popen(
            [*PRODUCT, "serve"],
            env=product_environment(stage.database_url) | {"FIELDFARE_PORT": str(port)},
            stdout=log,
            stderr=log,
            preexec_fn=signal_at_parent_death(signal.SIGTERM),
        )
    try:
        wait_until_ready(process, base_url, log_path)
        yield Api(base_url, process.pid)
    finally:
        end_process(process)


def verify_books(database_url: str) -> float:
    """`fieldfare verify`; gives the seconds that it took.

    Raises `BenchmarkRefused` with its findings if the books disagree.
    """
    started = time.monotonic()
    verified = subprocess.run(
        [*PRODUCT, "verify"],
        env=product_environment(database_url),
        capture_output=True,
        text=True,
        check=False,
    )
    if verified.returncode != 0:
        end = (verified.stdout + verified.stderr).strip()[-2_000:]
        raise BenchmarkRefused(f"the books do not agree after the run:\n{end}")
    return time.monotonic() - started


def product_environment(database_url: str) -> dict[str, str]:
    """Our environment with every setting at its default but the database and the rate limits."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FIELDFARE_", "DATABASE_URL"))
    }
    return {**kept, **UNLIMITED, "DATABASE_URL": database_url}


async def _stock(database_url: str, opened_at: datetime) -> None:
    db = await open_database(database_url, pool_size=2, application="benchmark")
    try:
        async with transaction(db) as conn:
            await import_catalogue(conn, load_preset(), now=opened_at, made_by="benchmark")
    finally:
        await db.close()


def wait_until_ready(process: subprocess.Popen[bytes], base_url: str, log_path: Path) -> None:
    """Wait until a server says so at `/readyz`; raises `BenchmarkRefused` if it does not."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _is_ready(base_url):
            return
        time.sleep(0.05)
    raise BenchmarkRefused(f"{process.args!r} does not get ready; its log:\n{log_tail(log_path)}")


def _is_ready(base_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base_url}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end; after half a minute it is made to."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
