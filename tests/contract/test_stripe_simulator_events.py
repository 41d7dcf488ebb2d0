"""The simulator's events: what is sent, how it is signed, and how it can go wrong."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from fieldfare.db.embedded import free_port
from tests.support.stripe_simulator import (
    WEBHOOK_SECRET,
    EventSink,
    StripeProcess,
    StripeSimulator,
    event_sink,
    running_stripe,
)


@pytest.fixture
def sink() -> Iterator[EventSink]:
    """Where events go."""
    with event_sink() as one:
        yield one


@pytest.fixture
def sim(sink: EventSink) -> Iterator[StripeSimulator]:
    """A simulator that sends every event to the sink."""
    with running_stripe(webhook=sink.url) as simulator:
        yield simulator


def pay(sim: StripeSimulator, card: str = "pm_card_visa") -> stripe.PaymentIntent:
    """One payment, its balance transaction at once."""
    params: Any = {
        "amount": 1_000, "currency": "usd", "payment_method": card, "confirm": True,
        "off_session": True, "capture_method": "automatic", "metadata": {"order": "o-1"},
    }  # fmt: skip
    return sim.client().v1.payment_intents.create(params, {"idempotency_key": "key-1"})


PAID = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def test_events_are_signed_and_soon(sim: StripeSimulator, sink: EventSink) -> None:
    """The SDK verifies them; each carries the object, the request and its key."""
    started = time.monotonic()
    intent = pay(sim)
    sink.wait_for(3)
    assert time.monotonic() - started < 1
    assert sorted(sink.types()) == sorted(PAID)
    (paid,) = [event for event in sink.events() if event.type == "payment_intent.succeeded"]
    assert paid.data.object["id"] == intent.id
    assert paid.data.object["metadata"]["order"] == "o-1"
    assert paid.api_version == "2026-10-28.endive"
    assert paid.request is not None
    assert paid.request.idempotency_key == "key-1"
    stored = sim.client().v1.events.retrieve(paid.id)
    assert stored.data.object["id"] == intent.id


@pytest.mark.parametrize("age_s", [301, -100_000])
def test_signatures_of_another_time(sim: StripeSimulator, sink: EventSink, age_s: int) -> None:
    """Too old is refused by the SDK; the future is for the receiver to see."""
    sim.post("events", signature_age_s=age_s)
    pay(sim)
    sink.wait_for(3)
    body, signature = sink.received[0]
    claimed = int(signature.partition(",")[0].removeprefix("t="))
    assert abs(time.time() - age_s - claimed) < 5
    if age_s > 0:
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body, signature, WEBHOOK_SECRET)


def test_every_type_of_a_life(sim: StripeSimulator, sink: EventSink) -> None:
    """From the customer to the lost dispute, nothing that happens is silent."""
    sdk = sim.client()
    customer = sdk.v1.customers.create({"payment_method": "pm_card_visa"})
    sdk.v1.customers.update(customer.id, {"name": "Ada"})
    sdk.v1.setup_intents.create(
        {"customer": customer.id, "payment_method": "pm_card_visa", "confirm": True}
    )
    intent = pay(sim)
    sdk.v1.refunds.create({"payment_intent": intent.id, "amount": 100})
    with pytest.raises(stripe.CardError):
        sdk.v1.payment_intents.create(
            {"amount": 500, "currency": "usd", "payment_method": "pm_card_chargeDeclined",
             "confirm": True, "off_session": True}
        )  # fmt: skip
    waiting = sdk.v1.payment_intents.create(
        {"amount": 500, "currency": "usd", "payment_method": "pm_card_authenticationRequired",
         "confirm": True, "return_url": "http://127.0.0.1:1/"}
    )  # fmt: skip
    sdk.v1.payment_intents.cancel(waiting.id)
    sim.post("balance", amount=10_000, currency="usd")
    account = sdk.v1.accounts.create({})
    sdk.v1.transfers.create({"amount": 10, "currency": "usd", "destination": account.id})
    sim.post("dispute", charge=intent.latest_charge)
    sim.post("dispute", charge=intent.latest_charge, outcome="won")
    sdk.v1.customers.delete(customer.id)
    wanted = {
        "charge.dispute.closed", "charge.dispute.created", "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn", "charge.failed", "charge.refunded", "charge.succeeded",
        "charge.updated", "customer.created", "customer.deleted", "customer.updated",
        "payment_intent.canceled", "payment_intent.created", "payment_intent.payment_failed",
        "payment_intent.requires_action", "payment_intent.succeeded", "payment_method.attached",
        "payment_method.detached", "refund.created", "setup_intent.created",
        "setup_intent.succeeded", "transfer.created",
    }  # fmt: skip
    recorded = [event["type"] for event in sim.truth("events")]
    assert set(recorded) == wanted
    sink.wait_for(len(recorded))
    assert sorted(sink.types()) == sorted(recorded)


def test_events_come_late(sim: StripeSimulator, sink: EventSink) -> None:
    """A delay counts on the simulator's clock."""
    sim.post("events", delay_s=3_600, types=["payment_intent.succeeded"])
    pay(sim)
    sink.wait_for(2)
    time.sleep(0.1)
    assert "payment_intent.succeeded" not in sink.types()
    sim.advance(3_600)
    sink.wait_for(3)
    assert sink.types()[2] == "payment_intent.succeeded"


def test_events_come_twice(sim: StripeSimulator, sink: EventSink) -> None:
    """The same event with the same id."""
    sim.post("events", duplicate=1, types=["payment_intent.*"])
    pay(sim)
    sink.wait_for(5)
    ids = [event.id for event in sink.events()]
    assert sorted(ids.count(one) for one in set(ids)) == [1, 2, 2]


@pytest.mark.parametrize("order", ["in_order", "reversed", "shuffled"])
def test_events_wait_and_come_in_any_order(
    sim: StripeSimulator, sink: EventSink, order: str
) -> None:
    """Paused, they pile up; a flush sends them one by one and tells each answer."""
    sim.post("events", paused=True)
    pay(sim)
    time.sleep(0.1)
    assert sink.received == []
    flushed = sim.post("events/flush", order=order)["data"]
    assert [row["status"] for row in flushed] == [200] * 3
    assert sink.types() == [row["type"] for row in flushed]
    if order != "shuffled":
        assert sink.types() == (PAID if order == "in_order" else PAID[::-1])
    assert sorted(sink.types()) == sorted(PAID)


def test_events_are_lost(sim: StripeSimulator, sink: EventSink) -> None:
    """Dropped, they stand in the list all the same, and can be sent again by hand."""
    sim.post("events", drop=True)
    pay(sim)
    time.sleep(0.15)
    assert sink.received == []
    listed = sim.client().v1.events.list({"type": "payment_intent.succeeded"}).data
    assert len(listed) == 1
    results = sim.post(f"events/{listed[0].id}/resend", times=2)["data"]
    assert [row["status"] for row in results] == [200, 200]
    assert [event.id for event in sink.events()] == [listed[0].id] * 2


def test_a_refused_event_is_tried_again(sim: StripeSimulator, sink: EventSink) -> None:
    """After each delay of the simulator's clock, until it is taken or given up."""
    sim.post("events", retry_delays_s=[10, 20], types=["*"])
    sink.statuses = [500] * 3
    sim.client().v1.customers.create({})
    sink.wait_for(1)
    for count, wait_s in ((2, 10), (3, 20)):
        until_waiting(sim)
        sim.advance(wait_s)
        sink.wait_for(count)
    assert until_state(sim, "failed")["attempt"] == 3
    assert len({event.id for event in sink.events()}) == 1
    sink.statuses = [302]
    sim.client().v1.customers.create({})
    sink.wait_for(4)
    until_waiting(sim)
    sim.advance(10)
    sink.wait_for(5)
    assert until_state(sim, "sent")["attempt"] == 2
    assert sim.truth("events")[1]["pending_webhooks"] == 0


def until_waiting(sim: StripeSimulator) -> dict[str, Any]:
    """The last delivery, once it waits for its next attempt."""
    return until_state(sim, "waiting")


def until_state(sim: StripeSimulator, state: str) -> dict[str, Any]:
    """The last delivery, once it is in a state."""
    deadline = time.monotonic() + 5
    while (last := sim.truth("deliveries")[-1])["state"] != state or not last["attempt"]:
        assert time.monotonic() < deadline, last
        time.sleep(0.01)
    return last


def test_an_endpoint_of_ones_own(sim: StripeSimulator, sink: EventSink) -> None:
    """It gets only its types, signed with a secret that is told once."""
    sdk = sim.client()
    with event_sink() as other:
        endpoint = sdk.v1.webhook_endpoints.create(
            {"url": other.url, "enabled_events": ["charge.succeeded"]}
        )
        assert endpoint.secret is not None
        assert "secret" not in sdk.v1.webhook_endpoints.retrieve(endpoint.id).to_dict()
        pay(sim)
        sink.wait_for(3)
        other.wait_for(1)
        body, signature = other.received[0]
        event = stripe.Webhook.construct_event(body, signature, endpoint.secret)
        assert event.type == "charge.succeeded"
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body, signature, WEBHOOK_SECRET)
        sdk.v1.webhook_endpoints.delete(endpoint.id)
        sdk.v1.customers.create({})
        sink.wait_for(4)
        assert len(other.received) == 1
    assert len(sdk.v1.webhook_endpoints.list().data) == 1


def test_events_survive_a_kill(sink: EventSink, tmp_path: Path) -> None:
    """What waited when the process was killed is sent by the next one."""
    process = StripeProcess(
        tmp_path / "stripe", free_port(), "--webhook", sink.url, "--webhook-secret", WEBHOOK_SECRET
    )
    sim = process.start()
    sim.post("events", paused=True)
    pay(sim)
    process.kill()
    assert sink.received == []
    sim = process.start()
    try:
        sim.post("events", paused=False)
        sink.wait_for(3)
        assert sorted(sink.types()) == sorted(PAID)
        assert len(sim.truth("webhook_endpoints")) == 1
    finally:
        process.stop()


def test_events_by_time_and_type(sim: StripeSimulator) -> None:
    """The list that repairs lost deliveries: exact, by types and from an instant on."""
    pay(sim)
    sim.advance(100)
    start = int(sim.get("clock")["now_s"])
    sim.client().v1.customers.create({})
    events = sim.client().v1.events
    assert [event.type for event in events.list({"created": {"gte": start}}).data] == [
        "customer.created"
    ]
    found = events.list({"types": ["payment_intent.*", "customer.created"], "limit": 2})
    assert [event.type for event in found.data] == ["customer.created", PAID[2]]
    assert found.has_more
    assert len(list(found.auto_paging_iter())) == 3
