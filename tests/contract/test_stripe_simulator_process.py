"""The simulator as a process: what it remembers when killed, how it stops, when it cannot start."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
import stripe

from fieldfare.db.embedded import free_port
from tests.support.stripe_calls import charge, paid
from tests.support.stripe_simulator import StripeProcess, StripeSimulator

HOUR_S = 3_600


def test_a_killed_simulator_remembers(tmp_path: Path) -> None:
    """Charges, keys, clock and faults are there again after `kill -9`."""
    process = StripeProcess(tmp_path / "stripe", free_port())
    sim = process.start()
    first = charge(sim, "k")
    sim.advance(HOUR_S)
    sim.fault("500", path="/v1/balance")
    process.kill()
    sim = process.start()
    try:
        assert charge(sim, "k").id == first.id
        assert paid(sim) == 1
        assert sim.get("clock")["offset_s"] == HOUR_S
        with pytest.raises(stripe.APIError):
            sim.client().v1.balance.retrieve()
    finally:
        assert process.stop() == 0


def test_killed_while_charging(tmp_path: Path) -> None:
    """Whatever was answered is there, and the retry of the rest charges each key once."""
    process = StripeProcess(tmp_path / "stripe", free_port())
    sim = process.start()
    answered: dict[str, str] = {}

    def work(worker: int) -> None:
        for n in range(200):
            key = f"{worker}-{n}"
            try:
                answered[key] = charge(sim, key).id
            except stripe.StripeError:
                return

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.6)
    process.kill()
    for thread in threads:
        thread.join()
    sim = process.start()
    try:
        known = {intent["id"] for intent in sim.truth("payment_intents")}
        assert answered
        assert set(answered.values()) <= known
        for key, identifier in list(answered.items())[-5:]:
            assert charge(sim, key).id == identifier
    finally:
        process.stop()


def test_it_stops_within_a_second(tmp_path: Path) -> None:
    """SIGTERM, with a call that hangs and a connection that idles."""
    process = StripeProcess(tmp_path / "stripe", free_port())
    sim = process.start()
    sim.fault("hang", s=60, path="/v1/payment_intents")
    hanging = threading.Thread(target=lambda: _ignore_errors(sim))
    hanging.start()
    time.sleep(0.3)
    started = time.monotonic()
    assert process.stop() == 0
    assert time.monotonic() - started < 1.5
    hanging.join()


def _ignore_errors(sim: StripeSimulator) -> None:
    with pytest.raises(stripe.APIConnectionError):
        charge(sim, "k")


def test_two_on_one_home(tmp_path: Path) -> None:
    """The second is told in one line whose the folder is."""
    process = StripeProcess(tmp_path / "stripe", free_port())
    process.start()
    try:
        other = StripeProcess(tmp_path / "stripe", free_port())
        with pytest.raises(AssertionError, match=r"cannot use .*--home"):
            other.start()
    finally:
        process.stop()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """One line that names the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AssertionError, match=rf"cannot listen on 127.0.0.1 port {port}"):
            StripeProcess(tmp_path / "stripe", port).start()


def simulate(*arguments: str) -> subprocess.Popen[str]:
    """The command as an operator gives it."""
    program = "from fieldfare.cli.simulate import simulate_app; simulate_app()"
    return subprocess.Popen(
        [sys.executable, "-c", program, "stripe", *arguments],
        env={**os.environ, "PYTHONPATH": "src"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command() -> None:
    """It tells its address, logs each call at debug without secrets, and stops on SIGTERM."""
    process = simulate("--port", "0", "--secret-key", "sk_test_canary", "--log-level", "debug")
    assert process.stdout is not None
    url = process.stdout.readline().strip().removeprefix("Stripe simulator on ")
    headers = {"Authorization": "Bearer sk_test_canary"}
    answer = httpx.post(f"{url}/v1/customers", data={"name": "Ada"}, headers=headers)
    assert answer.status_code == 200
    process.terminate()
    output, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")
    (line,) = [json.loads(line) for line in output.splitlines() if "stripe_request" in line]
    assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/customers", 200)
    assert (line["effect"], line["request_id"]) == (True, answer.headers["request-id"])
    assert "sk_test_canary" not in output
    assert "Ada" not in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--webhook", "http://127.0.0.1:1/"], "one --webhook-secret with each --webhook"),
        (["--webhook", "nowhere", "--webhook-secret", "whsec_x"], "give an http:// or https://"),
    ],
)
def test_a_command_that_cannot_start(arguments: list[str], said: str) -> None:
    """One line that names the next step, and exit code 1."""
    process = simulate("--port", "0", *arguments)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert said in errors
    assert len(errors.splitlines()) == 1
