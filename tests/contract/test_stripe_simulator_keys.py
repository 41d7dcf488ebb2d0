"""The simulator's idempotency, faults and memory, driven through the official SDK over HTTP."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from fieldfare.db.embedded import free_port
from tests.support.stripe_simulator import StripeProcess, StripeSimulator, running_stripe

HOUR_S = 3_600


@pytest.fixture(scope="module")
def running() -> Iterator[StripeSimulator]:
    """One simulator for the module."""
    with running_stripe() as simulator:
        yield simulator


@pytest.fixture
def sim(running: StripeSimulator) -> StripeSimulator:
    """The simulator without a memory of other tests."""
    running.reset()
    return running


def charge(
    sim: StripeSimulator, key: str | None, amount: int = 1_000, card: str = "pm_card_visa",
    **settings: Any,
) -> stripe.PaymentIntent:  # fmt: skip
    """One payment under an idempotency key."""
    params: Any = {
        "amount": amount, "currency": "usd", "payment_method": card, "confirm": True,
        "off_session": True, "metadata": {"order": key or ""},
    }  # fmt: skip
    options: Any = {"idempotency_key": key} if key else {}
    return sim.client(**settings).v1.payment_intents.create(params, options)


def post(sim: StripeSimulator, path: str, key: str, **form: str) -> httpx.Response:
    """A call as its bytes are, for what the SDK does not show."""
    headers = {"Authorization": f"Bearer {sim.secret_key}", "Idempotency-Key": key}
    return sim.http.post(path, data=form, headers=headers)


def paid(sim: StripeSimulator) -> int:
    """How many charges were truly paid."""
    return sum(charge["paid"] for charge in sim.truth("charges"))


def statuses(sim: StripeSimulator) -> list[tuple[int | None, bool, bool]]:
    """Status, effect and replay of every call of the API, from the log."""
    return [(row["status"], row["took_effect"], row["replayed"]) for row in sim.truth("requests")]


def test_a_key_gives_one_effect_and_one_answer(sim: StripeSimulator) -> None:
    """The second answer is the first, byte for byte, and says so."""
    first = post(sim, "/v1/customers", "k", email="a@example.com")
    second = post(sim, "/v1/customers", "k", email="a@example.com")
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["original-request"] == first.headers["request-id"]
    assert second.headers["request-id"] != first.headers["request-id"]
    assert len(sim.truth("customers")) == 1
    assert statuses(sim) == [(200, True, False), (200, False, True)]


def test_a_decline_is_kept(sim: StripeSimulator) -> None:
    """402 again, and no second failed charge."""
    messages = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            charge(sim, "k", card="pm_card_visa_chargeDeclined")
        messages.append((caught.value.http_status, caught.value.http_body))
    assert messages[0] == messages[1]
    assert len(sim.truth("charges")) == 1


@pytest.mark.parametrize(
    ("path", "form", "what"),
    [
        ("/v1/customers", {"email": "b@example.com"}, "same parameters"),
        ("/v1/customers", {"email": "a@example.com", "name": "x"}, "same parameters"),
        ("/v1/refunds", {"email": "a@example.com"}, "same endpoint"),
    ],
)
def test_other_parameters_under_a_key(
    sim: StripeSimulator, path: str, form: dict[str, str], what: str
) -> None:
    """400 `idempotency_error`, without effect, and the first answer stays."""
    first = post(sim, "/v1/customers", "k", email="a@example.com")
    other = post(sim, path, "k", **form)
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    assert what in other.json()["error"]["message"]
    assert post(sim, "/v1/customers", "k", email="a@example.com").content == first.content
    assert len(sim.truth("customers")) == 1


def test_the_order_of_parameters_does_not_matter(sim: StripeSimulator) -> None:
    """The same parameters are the same however they are sent."""
    first = post(sim, "/v1/customers", "k", email="a@example.com", name="A")
    assert post(sim, "/v1/customers", "k", name="A", email="a@example.com").content == first.content


def test_what_never_began_is_not_kept(sim: StripeSimulator) -> None:
    """Validation, 401 and 429 leave the key unused."""
    assert post(sim, "/v1/customers", "k", colour="red").status_code == 400
    headers = {"Authorization": "Bearer sk_test_wrong_wrong_wrong", "Idempotency-Key": "k"}
    assert sim.http.post("/v1/customers", headers=headers).status_code == 401
    sim.fault("429", retry_after_s=7)
    limited = post(sim, "/v1/customers", "k", name="A")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert limited.json()["error"]["code"] == "rate_limit"
    assert post(sim, "/v1/customers", "k", name="B").status_code == 200


def test_a_refusal_of_a_request_that_began_is_kept(sim: StripeSimulator) -> None:
    """A refund over the amount stays refused under its key; another key is free."""
    intent = charge(sim, None).id
    post(sim, "/v1/refunds", "first", payment_intent=intent, amount="1000")
    over = [post(sim, "/v1/refunds", "k", payment_intent=intent) for _ in range(2)]
    assert [answer.status_code for answer in over] == [400, 400]
    assert over[1].headers["idempotent-replayed"] == "true"
    assert len(sim.truth("refunds")) == 1


def test_the_length_of_a_key(sim: StripeSimulator) -> None:
    """255 characters, and not one more."""
    assert post(sim, "/v1/customers", "k" * 255).status_code == 200
    assert post(sim, "/v1/customers", "k" * 256).status_code == 400
    assert len(sim.truth("customers")) == 1


def test_a_key_is_known_for_a_day(sim: StripeSimulator) -> None:
    """At 23:59 h the answer is replayed, at 24:01 h the request takes effect again."""
    first = charge(sim, "k")
    sim.advance(23 * HOUR_S + 59 * 60)
    assert charge(sim, "k").id == first.id
    assert paid(sim) == 1
    sim.advance(2 * 60)
    assert charge(sim, "k").id != first.id
    assert paid(sim) == 2


def test_a_key_in_use(sim: StripeSimulator) -> None:
    """While the first request runs a second is a 409; afterwards it is replayed."""
    sim.fault("hang", s=0.8, when="before", path="/v1/payment_intents")
    results: list[Any] = []
    first = threading.Thread(target=lambda: results.append(charge(sim, "k")))
    first.start()
    time.sleep(0.3)
    with pytest.raises(stripe.APIError) as caught:
        charge(sim, "k")
    assert caught.value.error is not None
    assert (caught.value.http_status, caught.value.error.code) == (409, "idempotency_key_in_use")
    with pytest.raises(stripe.IdempotencyError):
        charge(sim, "k", amount=999)
    first.join()
    assert charge(sim, "k").id == results[0].id
    assert paid(sim) == 1


def test_one_key_from_many_threads(sim: StripeSimulator) -> None:
    """Fifty at once make one charge; each gets it or a 409."""
    sim.post("latency", s=0.05)
    outcomes: list[str] = []

    def once() -> None:
        try:
            outcomes.append(charge(sim, "k").id)
        except stripe.APIError as error:
            outcomes.append(str(error.http_status))

    threads = [threading.Thread(target=once) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 50
    assert len({outcome for outcome in outcomes if outcome != "409"}) == 1
    assert paid(sim) == 1


@pytest.mark.parametrize(("when", "charged"), [("before", 0), ("after", 1)])
def test_a_500_is_kept_whether_it_charged_or_not(
    sim: StripeSimulator, when: str, charged: int
) -> None:
    """The same key gives 500 for a day; a new one after it charges once more."""
    sim.fault("500", when=when, path="/v1/payment_intents")
    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            charge(sim, "k")
        assert caught.value.http_status == 500
    assert paid(sim) == charged
    assert statuses(sim) == [(500, bool(charged), False), (500, False, True)]
    charge(sim, "other")
    assert paid(sim) == charged + 1


@pytest.mark.parametrize("kind", ["reset", "half"])
@pytest.mark.parametrize(("when", "charged"), [("before", 0), ("after", 1)])
def test_a_connection_that_breaks(sim: StripeSimulator, kind: str, when: str, charged: int) -> None:
    """The caller cannot know; the retry with the key charges once in all."""
    sim.fault(kind, when=when)
    with pytest.raises(stripe.APIConnectionError):
        charge(sim, "k")
    assert paid(sim) == charged
    charge(sim, "k")
    assert paid(sim) == 1
    first, second = statuses(sim)
    assert (first[1], second[1:]) == (bool(charged), (not charged, bool(charged)))


def test_a_reset_is_a_reset(sim: StripeSimulator) -> None:
    """Not an end of the stream: the peer's kernel sees RST."""
    sim.fault("reset")
    host, port = sim.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(
            b"GET /v1/balance HTTP/1.1\r\nHost: x\r\n"
            b"Authorization: Bearer sk_test_fieldfare\r\n\r\n"
        )
        with pytest.raises(ConnectionResetError):
            connection.recv(100)


def test_half_an_answer_is_half(sim: StripeSimulator) -> None:
    """The head promises more than comes."""
    sim.fault("half", when="after")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        post(sim, "/v1/customers", "k")
    assert len(sim.truth("customers")) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_answer_after_the_time_out(sim: StripeSimulator, when: str) -> None:
    """The caller gives up, and the charge is made all the same."""
    sim.fault("hang", s=0.6, when=when)
    with pytest.raises(stripe.APIConnectionError):
        charge(sim, "k", timeout_s=0.2)
    assert paid(sim) == (1 if when == "after" else 0)
    deadline = time.monotonic() + 5
    while paid(sim) == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    while "k" not in (answer := _again(sim)):
        assert answer == "409"
        time.sleep(0.05)
    assert paid(sim) == 1


def _again(sim: StripeSimulator) -> str:
    """What the retry is told: the order's key in its metadata, or the status of a refusal."""
    try:
        return str(charge(sim, "k").metadata["order"])
    except stripe.APIError as error:
        return str(error.http_status)


@pytest.mark.parametrize(
    ("kind", "status"), [("401", 401), ("409", 409), ("429", 429), ("500", 500)]
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_faults_by_their_status(sim: StripeSimulator, kind: str, status: int, when: str) -> None:
    """Each has Stripe's shape, and takes effect or not as scripted."""
    sim.fault(kind, when=when, method="POST", path="/v1/customers")
    answer = post(sim, "/v1/customers", "k")
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == (
        "api_error" if status == 500 else "invalid_request_error"
    )
    assert len(sim.truth("customers")) == (1 if when == "after" else 0)


def test_which_calls_a_fault_strikes(sim: StripeSimulator) -> None:
    """The nth that matches by method, path and metadata, and those after it, as counted."""
    sim.fault("500", path="/v1/payment_intents", metadata={"order": "x"}, nth=2, count=2)
    sim.fault("429", method="GET", path="/v1/bal*", count=0)
    outcomes = []
    for n in range(4):
        charge(sim, f"other-{n}")
        try:
            outcomes.append(
                bool(
                    sim.client().v1.payment_intents.create(
                        {"amount": 100, "currency": "usd", "metadata": {"order": "x"}}
                    )
                )
            )
        except stripe.APIError:
            outcomes.append(False)
    assert outcomes == [True, False, False, True]
    for _ in range(3):
        with pytest.raises(stripe.RateLimitError):
            sim.client().v1.balance.retrieve()
    sim.delete("faults")
    sim.client().v1.balance.retrieve()


def test_a_fault_by_the_metadata_of_what_the_path_names(sim: StripeSimulator) -> None:
    """So the cancellation of one order's intent can be made to fail."""
    intents = [
        sim.client().v1.payment_intents.create(
            {"amount": 100, "currency": "usd", "metadata": {"order": order}}
        )
        for order in ("a", "b")
    ]
    sim.fault("500", path="/v1/payment_intents/*/cancel", metadata={"order": "b"})
    sim.client().v1.payment_intents.cancel(intents[0].id)
    with pytest.raises(stripe.APIError):
        sim.client().v1.payment_intents.cancel(intents[1].id)


def test_the_rate_limit(sim: StripeSimulator) -> None:
    """Calls beyond so many a second are a 429."""
    sim.post("rate_limit", per_s=5)
    answers = [post(sim, "/v1/customers", f"k{n}").status_code for n in range(8)]
    assert answers == [200] * 5 + [429] * 3
    assert len(sim.truth("customers")) == 5


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("faults", {"kind": "sneeze"}),
        ("faults", {"kind": "500", "colour": "red"}),
        ("clock", {"advance_s": "soon"}),
        ("search_lag", {"s": -1}),
        ("settings", {"usd_per_unit": {"eur": "1,1"}}),
        ("settings", {"usd_per_unit": {"xxx": "1"}}),
        ("dispute", {"charge": "ch_none"}),
        ("nothing", {}),
    ],
)
def test_control_refuses_what_it_does_not_know(
    sim: StripeSimulator, name: str, body: dict[str, Any]
) -> None:
    """A typing error in a test's script is told, and changes nothing."""
    before = sim.get("settings")
    assert sim.http.post(f"/_control/{name}", json=body).status_code in {400, 404}
    assert sim.get("settings") == before


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", b"431"),
        (
            b"POST /v1/customers HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n"
            + b"a" * 1_500_000,
            b"413",
        ),
    ],
)
def test_bytes_that_are_no_request(sim: StripeSimulator, data: bytes, status: bytes) -> None:
    """They are refused within bounds, and the simulator lives on."""
    host, port = sim.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        try:
            connection.sendall(data)
            assert connection.recv(100).split()[1] == status
        except ConnectionError:
            assert status == b"413"  # closed while we were still sending
    assert sim.get("health")["ok"]


def test_requests_on_one_connection_keep_their_order(sim: StripeSimulator) -> None:
    """Three at once on the wire are answered one after the other."""
    host, port = sim.url.removeprefix("http://").split(":")
    head = "GET /v1/{} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk_test_fieldfare\r\n{}\r\n"
    wanted = ["balance", "customers", "charges"]
    requests = [head.format(n, "Connection: close\r\n" * (n == "charges")) for n in wanted]
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall("".join(requests).encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b"")).decode()
    places = [answer.index(text) for text in ('"available"', '"/v1/customers"', '"/v1/charges"')]
    assert places == sorted(places)
    assert answer.count("HTTP/1.1 200 OK") == 3


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
