"""The product's processes as an operator runs them, to be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from fieldfare.db.embedded import free_port

UNLIMITED = {
    "FIELDFARE_RATE_PER_SECOND": "1000000",
    "FIELDFARE_ADDRESS_RATE_PER_SECOND": "1000000",
}
"""A crowd is most easily made of one account."""
READY_SECONDS = 90.0
"""Of a machine that is busy with much else; an idle one takes two."""


class ApiProcess:
    """`fieldfare serve` in a process of its own."""

    def __init__(
        self,
        database_url: str,
        log: Path,
        port: int | None = None,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port or free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.log = log
        variables = {
            **os.environ,
            # What is killed here is to be all there is, unless a test asks for more.
            "FIELDFARE_PROCESSES": "1",
            **UNLIMITED,
            "PYTHONPATH": "src",
            **(environment or {}),
            "DATABASE_URL": database_url,
            "FIELDFARE_PORT": str(self.port),
        }
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fieldfare.cli.main", "serve"],
                env=variables,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """Of the process whose end is the end of all."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Return once /readyz answers 200; fails with the log if the process ends first."""
        deadline = time.monotonic() + READY_SECONDS
        with httpx.Client(base_url=self.base_url, timeout=2) as http:
            while time.monotonic() < deadline:
                assert self._process.poll() is None, self.log.read_text()[-2_000:]
                with suppress(httpx.HTTPError):
                    if http.get("/readyz").status_code == 200:
                        return
                time.sleep(0.05)
        raise AssertionError(f"not ready: {self.log.read_text()[-2_000:]}")

    def kill(self) -> None:
        """`kill -9`, at whatever line it is."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=READY_SECONDS)


@contextmanager
def api_processes(database_url: str, folder: Path, count: int) -> Iterator[list[ApiProcess]]:
    """`count` ready API processes on one database; stopped at the end."""
    processes = [ApiProcess(database_url, folder / f"api-{n}.log") for n in range(count)]
    try:
        for process in processes:
            process.wait_until_ready()
        yield processes
    finally:
        for process in processes:
            process.stop()


def run_verify(database_url: str) -> subprocess.CompletedProcess[str]:
    """`fieldfare verify` on a database."""
    return subprocess.run(
        [sys.executable, "-m", "fieldfare.cli.main", "verify"],
        env={**os.environ, "DATABASE_URL": database_url, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
