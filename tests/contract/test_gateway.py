"""What the gateway makes of the processor's answers: exactly what they prove, in bounded time."""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from fieldfare.db.pool import Database, transaction
from fieldfare.integrations.stripe.errors import ProcessorAway
from fieldfare.integrations.stripe.gateway import (
    StripeGateway,
    cancel_intent,
    close_gateway,
    create_intent,
    customer_exists,
    find_intent,
    list_charged,
    look_up_intent,
    open_gateway,
)
from fieldfare.integrations.stripe.model import (
    Card,
    Charged,
    Declined,
    NeedsAuthentication,
    NotExecuted,
    Outcome,
    Unknown,
)
from tests.support.gateways import (
    LIMIT_S,
    answering,
    card_of,
    charge,
    charge_request,
    http_answer,
)
from tests.support.stripe_simulator import StripeSimulator
from tests.support.waiting import wait_until

INTENTS = "/v1/payment_intents"
SLACK = timedelta(minutes=5)


async def test_a_charge_is_told_with_all_that_it_must_match(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    card, subject_id = await card_of(gateway), uuid4()
    outcome = await charge(gateway, card, subject_id=subject_id)
    (made,) = sim.truth("charges")
    assert outcome == Charged(
        intent_id=made["payment_intent"], charge_id=made["id"], amount_minor=704, currency="USD",
        customer=card.customer, subject_id=str(subject_id),
    )  # fmt: skip
    assert await look_up_intent(gateway, made["payment_intent"]) == outcome


async def test_the_version_of_the_api_is_pinned(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    seen: list[bytes] = []
    async with answering(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", seen) as url:
        other = open_gateway(sim.secret_key, url, request_s=LIMIT_S)
        await create_intent(other, charge_request(Card("cus_1", "pm_1")), "our-key")
        await close_gateway(other)
    head = seen[0].decode().lower()
    assert "stripe-version: 2026-10-28.endive" in head
    assert "idempotency-key: our-key" in head
    assert len(seen) == 1, "the SDK's own retries are off"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("pm_card_visa_chargeDeclined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
    ],
)
async def test_a_decline_names_its_reason_and_the_intent_to_close(
    sim: StripeSimulator, gateway: StripeGateway, kind: str, code: str
) -> None:
    card, subject_id = await card_of(gateway, kind), uuid4()
    outcome = await charge(gateway, card, subject_id=subject_id)
    (intent,) = sim.truth("payment_intents")
    assert outcome == Declined(code=code, intent_id=intent["id"])
    since = datetime.now(UTC) - SLACK
    found = await find_intent(
        gateway, customer=card.customer, created_from=since, subject_id=str(subject_id)
    )
    assert found == outcome
    assert await cancel_intent(gateway, intent["id"])
    assert await look_up_intent(gateway, intent["id"]) == Declined(code=code, intent_id=None)
    # Once more, for a caller whose first answer was lost.
    assert await cancel_intent(gateway, intent["id"])


async def test_a_charge_that_needs_its_owner_says_so(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    card = await card_of(gateway, "pm_card_authenticationRequired")
    outcome = await charge(gateway, card)
    (intent,) = sim.truth("payment_intents")
    assert outcome == NeedsAuthentication(intent_id=intent["id"])
    assert await look_up_intent(gateway, intent["id"]) == outcome
    assert await cancel_intent(gateway, intent["id"])


async def test_what_was_paid_cannot_be_closed(sim: StripeSimulator, gateway: StripeGateway) -> None:
    await charge(gateway, await card_of(gateway))
    (intent,) = sim.truth("payment_intents")
    assert not await cancel_intent(gateway, intent["id"])


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("429", NotExecuted(reason="busy", code="rate_limit", message="")),
        ("401", NotExecuted(reason="unauthorized", code="unknown", message="")),
        ("409", Unknown(reason="APIError 409 idempotency_key_in_use")),
        ("500", Unknown(reason="APIError 500")),
        ("reset", Unknown(reason="APIConnectionError")),
        ("half", Unknown(reason="APIConnectionError")),
        ("hang", Unknown(reason="APIConnectionError")),
    ],
)
async def test_each_fault_proves_what_it_proves(
    sim: StripeSimulator, gateway: StripeGateway, fault: str, expected: Outcome
) -> None:
    card = await card_of(gateway)
    sim.fault(fault, path=INTENTS, s=2 * LIMIT_S)
    outcome = await charge(gateway, card)
    if isinstance(outcome, NotExecuted):
        outcome = msgspec.structs.replace(outcome, message="")
    assert outcome == expected
    # One that hangs is still under way, and would show among the next test's requests.
    wait_until(lambda: any(one["path"] == INTENTS for one in sim.truth("requests")))


async def test_a_request_that_cannot_be_is_refused_with_its_reason(
    gateway: StripeGateway,
) -> None:
    outcome = await charge(gateway, Card("cus_none", "pm_none"))
    assert isinstance(outcome, NotExecuted)
    assert (outcome.reason, outcome.code) == ("refused", "resource_missing")
    assert "No such customer" in outcome.message


async def test_other_parameters_under_a_key_prove_nothing(gateway: StripeGateway) -> None:
    card = await card_of(gateway)
    await create_intent(gateway, charge_request(card), "key")
    outcome = await create_intent(gateway, charge_request(card, amount_minor=705), "key")
    assert outcome == Unknown(reason="IdempotencyError 400")


async def test_an_intent_is_found_on_any_page_of_its_customers_list(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    card, wanted = await card_of(gateway), uuid4()
    oldest = await charge(gateway, card, subject_id=wanted)
    for _ in range(101):
        await charge(gateway, card)
    since = datetime.now(UTC) - SLACK
    found = await find_intent(
        gateway, customer=card.customer, created_from=since, subject_id=str(wanted)
    )
    assert found == oldest
    stranger = await card_of(gateway)
    assert await find_intent(
        gateway, customer=stranger.customer, created_from=since, subject_id=str(wanted)
    ) is None  # fmt: skip
    # A list that breaks off on its second page has not shown that there is none.
    sim.fault("500", method="GET", path=INTENTS, nth=2)
    broken = await find_intent(
        gateway, customer=card.customer, created_from=since, subject_id=str(uuid4())
    )
    assert isinstance(broken, Unknown)


async def test_every_charge_of_a_time_is_listed_whoever_made_it(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    await charge(gateway, await card_of(gateway))
    await charge(gateway, await card_of(gateway, "pm_card_visa_chargeDeclined"))
    nobodys: Any = {
        "amount": 900, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True,
        "off_session": True,
    }  # fmt: skip
    sim.client().v1.payment_intents.create(nobodys)
    now = datetime.now(UTC)
    listed = [one async for one in list_charged(gateway, created_from=now - SLACK,
                                                created_to=now + SLACK)]  # fmt: skip
    assert [(c.amount_minor, c.currency, c.customer == "", c.subject_id is None)
            for c in listed] == [(900, "EUR", True, True), (704, "USD", False, False)]  # fmt: skip
    sim.fault("500", method="GET", path=INTENTS)
    with pytest.raises(ProcessorAway, match="APIError 500"):
        [one async for one in list_charged(gateway, created_from=now, created_to=now)]


async def test_a_customer_that_is_gone_does_not_exist(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    card = await card_of(gateway)
    assert await customer_exists(gateway, card.customer)
    sim.client().v1.customers.delete(card.customer)
    assert not await customer_exists(gateway, card.customer)
    assert not await customer_exists(gateway, "cus_none")


async def test_nothing_is_called_inside_a_transaction(
    sim: StripeSimulator, gateway: StripeGateway, db: Database
) -> None:
    card = Card("cus_1", "pm_1")
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: charge(gateway, card),
        lambda: look_up_intent(gateway, "pi_1"),
        lambda: cancel_intent(gateway, "pi_1"),
        lambda: find_intent(
            gateway, customer="cus_1", created_from=datetime.now(UTC), subject_id="x"
        ),
        lambda: customer_exists(gateway, "cus_1"),
        lambda: card_of(gateway),
    ]
    async with transaction(db):
        for call in calls:
            with pytest.raises(AssertionError, match="a transaction is open"):
                await call()
    assert sim.truth("requests") == []


# ------------------------------------------------------------------- answers that are none


STRANGE = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "200 of HTML": http_answer("200 OK", b"<html>A proxy's page</html>"),
    "200 of nothing": http_answer("200 OK", b""),
    "redirect": http_answer("302 Found", b"", "Location: http://127.0.0.1:9/"),
    "402 of HTML": http_answer("402 Payment Required", b"<html></html>"),
    "400 without an error": http_answer("400 Bad Request", b"{}"),
    "503": http_answer("503 Service Unavailable", b"busy"),
    "half a body": http_answer("200 OK", b'{"id": "pi_1", "status"')[:-4],
    "200 of another shape": http_answer("200 OK", b"{}"),
    "200 of a list": http_answer("200 OK", b"[]"),
    "200 of null": http_answer("200 OK", b"null"),
    "200 of an intent without its fields": http_answer("200 OK", b'{"status": "succeeded"}'),
    "402 of another shape": http_answer("402 Payment Required", b'{"error": {}}'),
    "402 of a text": http_answer("402 Payment Required", b'{"error": "no"}'),
    "no UTF-8 in a field": http_answer("200 OK", b'{"object": "payment_intent", "a": "\xff"}'),
    "no UTF-8": http_answer("200 OK", b"\xff\xfe"),
}


@pytest.mark.parametrize("answer", STRANGE.values(), ids=STRANGE.keys())
async def test_an_answer_that_is_none_proves_nothing(answer: bytes) -> None:
    async with answering(answer, []) as url:
        gateway = open_gateway("sk_test_x", url, request_s=LIMIT_S)
        outcome = await charge(gateway, Card("cus_1", "pm_1"))
        found = await find_intent(
            gateway, customer="cus_1", created_from=datetime.now(UTC), subject_id="x"
        )
        closed = await cancel_intent(gateway, "pi_1")
        await close_gateway(gateway)
    assert isinstance(outcome, Unknown)
    assert isinstance(found, Unknown)
    assert not closed


async def test_an_answer_that_trickles_in_is_given_up_in_time() -> None:
    endless = http_answer("200 OK", b" " * 10_000)
    async with answering(endless, [], each_byte_s=0.02) as url:
        gateway = open_gateway("sk_test_x", url, request_s=LIMIT_S)
        began = time.monotonic()
        outcome = await charge(gateway, Card("cus_1", "pm_1"))
        assert LIMIT_S <= time.monotonic() - began < LIMIT_S + 1
        await close_gateway(gateway)
    assert isinstance(outcome, Unknown)


async def test_nobody_there_proves_nothing() -> None:
    gateway = open_gateway("sk_test_x", "http://127.0.0.1:9", request_s=LIMIT_S)
    assert isinstance(await charge(gateway, Card("cus_1", "pm_1")), Unknown)
    await close_gateway(gateway)
