"""The mail sink as a process, and what tests ask of it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from fieldfare.db.embedded import free_port
from fieldfare.integrations.mail import Mail, MailServer

SINK = "import typer; from fieldfare.cli.simulate_mail import mail_sink; typer.run(mail_sink)"
START_SECONDS = 30.0


class MailSink:
    """`fieldfare simulate mail` in a process of its own."""

    def __init__(self, home: Path) -> None:
        self.smtp_port, self.http_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.home = home
        self.http = httpx.Client(base_url=self.url, timeout=10)
        self.process = self.spawn()

    def spawn(self) -> "subprocess.Popen[str]":
        """Another sink with the same ports and home."""
        options = {
            "--smtp-port": self.smtp_port, "--http-port": self.http_port, "--home": self.home
        }  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-c", SINK, *(str(part) for pair in options.items() for part in pair)],
            env={**os.environ, "PYTHONPATH": "src"},
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_until_ready(self) -> None:
        """Return once the list can be read."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "the sink ended"
            with contextlib.suppress(httpx.TransportError):
                self.http.get("/")
                return
            time.sleep(0.05)
        raise AssertionError("the sink does not answer")

    def restart(self, signum: signal.Signals) -> None:
        """End the process and start another in its place."""
        self.process.send_signal(signum)
        self.process.communicate(timeout=START_SECONDS)
        self.process = self.spawn()
        self.wait_until_ready()

    def stop(self) -> tuple[int, str]:
        """SIGTERM; gives the exit code and what stood on stderr."""
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=START_SECONDS)
        self.http.close()
        return self.process.returncode, errors

    @property
    def server(self) -> MailServer:
        """The sink as the product is told of it."""
        return MailServer(
            host="127.0.0.1",
            port=self.smtp_port,
            sender="Fieldfare <receipts@seller.example>",
            security="plain",
        )

    def mails(self) -> list[dict[str, Any]]:
        """All mail, newest first."""
        mails: list[dict[str, Any]] = self.http.get("/").raise_for_status().json()
        return mails

    def set_fault(self, mode: str, seconds: float = 0) -> None:
        """Fare like this from now on."""
        self.http.post("/_control", json={"mode": mode, "seconds": seconds}).raise_for_status()

    def reset(self) -> None:
        """No fault and no mail."""
        self.set_fault("ok")
        self.http.delete("/").raise_for_status()


@contextlib.contextmanager
def running_sink(home: Path) -> Iterator[MailSink]:
    """A ready sink; killed at the end if it still runs."""
    sink = MailSink(home)
    try:
        sink.wait_until_ready()
        yield sink
    finally:
        sink.http.close()
        if sink.process.poll() is None:
            sink.process.kill()
            sink.process.communicate()


def plain_mail(**changes: Any) -> Mail:
    """A mail to somebody, with some fields changed."""
    fields: dict[str, Any] = {
        "message_id": "<receipt.1@seller.example>",
        "to": "ada@buyer.example",
        "to_name": "Ada Buyer",
        "subject": "Receipt 1",
        "text": "Paid.\n.\nThank you.\n",
        "html": "<p>Paid.</p>",
    }
    return Mail(**{**fields, **changes})
