"""The Stripe simulator for tests: in a thread, or as a process to be killed; and a sink for events.

Everything is reached over HTTP, as the product reaches it.
"""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import requests
import stripe

from fieldfare.simulators.stripe.process import DEFAULT_STRIPE_KEY, Options, bind, serve

START_SECONDS = 20.0
WEBHOOK_SECRET = "whsec_tests"


class StripeSimulator:
    """A running simulator: its address, an SDK client for it, and its control."""

    secret_key = DEFAULT_STRIPE_KEY

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=30)
        self._sessions: list[requests.Session] = []

    def client(self, *, timeout_s: float = 30.0, api_key: str | None = None) -> stripe.StripeClient:
        """The official SDK, its own retries off."""
        session = requests.Session()
        session.trust_env = False
        self._sessions.append(session)
        return stripe.StripeClient(
            api_key or self.secret_key,
            base_addresses={"api": self.url},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=timeout_s, session=session),
        )

    def close(self) -> None:
        """Close every connection to it."""
        self.http.close()
        for session in self._sessions:
            session.close()

    def get(self, name: str) -> Any:
        """What a control tells, such as `clock` or `events`."""
        return _content(self.http.get(f"/_control/{name}"))

    def post(self, name: str, **body: Any) -> Any:
        """Tell a control, such as `clock` with `advance_s`."""
        return _content(self.http.post(f"/_control/{name}", json=body))

    def delete(self, name: str) -> Any:
        """Clear `faults` or the options of `events`."""
        return _content(self.http.delete(f"/_control/{name}"))

    def truth(self, name: str) -> list[dict[str, Any]]:
        """All of `charges`, `refunds`, `requests` and so on, oldest first."""
        rows: list[dict[str, Any]] = self.get(name)["data"]
        return rows

    def fault(self, kind: str, **fields: Any) -> None:
        """Script a fault for the next matching call."""
        self.post("faults", kind=kind, **fields)

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        self.post("clock", advance_s=seconds)

    def reset(self) -> None:
        """Forget everything but the endpoints given at the start."""
        self.post("reset")


def _content(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


@contextmanager
def running_stripe(
    home: Path | None = None, webhook: str | None = None
) -> Iterator[StripeSimulator]:
    """The simulator in a thread of its own, on a free port; events go to `webhook`."""
    webhooks = ((webhook, WEBHOOK_SECRET),) if webhook else ()
    options = Options(port=0, home=home, webhooks=webhooks)
    started = threading.Event()
    found: dict[str, Any] = {}

    async def main(listener: Any) -> None:
        found["loop"], found["stop"] = asyncio.get_running_loop(), asyncio.Event()

        def ready(url: str) -> None:
            found["url"] = url
            started.set()

        await serve(options, listener, found["stop"], ready)

    def work() -> None:
        try:
            with bind(options.host, options.port) as listener:
                asyncio.run(main(listener))
        except BaseException as failure:  # noqa: BLE001 - handed to the test that waits
            found["failure"] = failure
            started.set()

    thread = threading.Thread(target=work, name="stripe")
    thread.start()
    assert started.wait(START_SECONDS), "the Stripe simulator did not start"
    if "failure" in found:
        raise found["failure"]
    simulator = StripeSimulator(found["url"])
    try:
        yield simulator
    finally:
        simulator.close()
        found["loop"].call_soon_threadsafe(found["stop"].set)
        thread.join(START_SECONDS)
        assert not thread.is_alive(), "the Stripe simulator did not stop"


class StripeProcess:
    """The simulator as a process of its own, to be killed and started again on its home."""

    def __init__(self, home: Path, port: int, *arguments: str) -> None:
        self._command = [
            sys.executable, "-m", "fieldfare.simulators.stripe",
            "--port", str(port), "--home", str(home), *arguments,
        ]  # fmt: skip
        self._url = f"http://127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> StripeSimulator:
        """Start it and wait until it answers; fails with what it says if it ends first."""
        environment = {**os.environ, "PYTHONPATH": "src"}
        self._process = subprocess.Popen(
            self._command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self.simulator = StripeSimulator(self._url)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self.simulator.close()
                raise AssertionError(self._process.communicate()[1].decode()[-2_000:])
            try:
                self.simulator.http.get("/_control/health", timeout=1).raise_for_status()
            except httpx.TransportError:
                time.sleep(0.02)
            else:
                return self.simulator
        self.kill()
        raise AssertionError("the Stripe simulator does not answer")

    def kill(self) -> None:
        """`kill -9`, at whatever line it is."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, signum: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(signum)
        self._process.communicate(timeout=START_SECONDS)
        self.simulator.close()
        return self._process.returncode


class EventSink:
    """An endpoint that records what it gets and answers as told."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.statuses: list[int] = []
        """What the next requests are answered with; 200 once they are used up."""
        self.received: list[tuple[bytes, str]] = []
        """Body and signature header of each request."""

    def events(self) -> list[stripe.Event]:
        """What came, each verified by the SDK with the signing secret."""
        return [
            stripe.Webhook.construct_event(body, signature, WEBHOOK_SECRET)
            for body, signature in list(self.received)
        ]

    def types(self) -> list[str]:
        """The types of what came, in the order of arrival."""
        return [event.type for event in self.events()]

    def wait_for(self, count: int, seconds: float = 5.0) -> None:
        """Return once `count` requests came; fails after `seconds`."""
        deadline = time.monotonic() + seconds
        while len(self.received) < count:
            assert time.monotonic() < deadline, f"{len(self.received)} of {count} events came"
            time.sleep(0.005)


@contextmanager
def event_sink() -> Iterator[EventSink]:
    """An endpoint for events on a free port."""
    sink: EventSink

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = sink.statuses.pop(0) if sink.statuses else 200
            sink.received.append((body, self.headers["Stripe-Signature"]))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any, **__: Any) -> None:
            """Tests print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sink = EventSink(f"http://127.0.0.1:{server.server_address[1]}/hook")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
