"""The simulator's faults: which calls they strike, and what they leave behind."""

import socket
import time
from typing import Any

import httpx
import pytest
import stripe

from tests.support.stripe_calls import charge, paid, post, statuses
from tests.support.stripe_simulator import StripeSimulator


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
