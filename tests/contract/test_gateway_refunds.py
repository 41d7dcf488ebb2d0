"""What the gateway makes of the processor's answers about refunds: exactly what they prove."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from fieldfare.db.pool import Database, transaction
from fieldfare.integrations.stripe.errors import ProcessorAway
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import (
    NotExecuted,
    Refunded,
    RefundOutcome,
    RefundPending,
    RefundRefused,
    Unknown,
)
from fieldfare.integrations.stripe.refunds import (
    create_refund,
    list_recent_refunds,
    list_refunds,
    look_up_refund,
)
from tests.support.gateways import LIMIT_S, new_charge
from tests.support.stripe_simulator import StripeSimulator
from tests.support.waiting import wait_until

REFUNDS = "/v1/refunds"


async def charge(gateway: StripeGateway, kind: str = "pm_card_visa") -> str:
    """A new charge of $7.04."""
    return (await new_charge(gateway, kind)).charge_id


def request(charge_id: str, amount: int, refund_id: UUID | None = None) -> bytes:
    """A refund of some of it."""
    body: dict[str, Any] = {"charge": charge_id, "amount": amount}
    if refund_id is not None:
        body["metadata"] = {"refund_id": str(refund_id)}
    return msgspec.json.encode(body)


async def give_back(
    gateway: StripeGateway, charge_id: str, amount: int = 204, key: str | None = None
) -> RefundOutcome:
    """What becomes of one refund."""
    return await create_refund(gateway, request(charge_id, amount), key or uuid4().hex)


async def test_a_refund_is_told_with_all_that_it_must_match(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    charge_id, refund_id = await charge(gateway), uuid4()
    outcome = await create_refund(gateway, request(charge_id, 204, refund_id), "k")
    (made,) = sim.truth("refunds")
    assert outcome == Refunded(
        refund_id=made["id"], charge_id=charge_id, amount_minor=204, currency="USD",
        our_id=str(refund_id),
    )  # fmt: skip
    assert await look_up_refund(gateway, made["id"]) == outcome
    assert await list_refunds(gateway, charge_id) == [outcome]
    assert await create_refund(gateway, request(charge_id, 204, refund_id), "k") == outcome


async def test_a_refund_that_is_not_ended_is_pending(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    charge_id = await charge(gateway, "pm_card_pendingRefund")
    outcome = await give_back(gateway, charge_id)
    assert isinstance(outcome, RefundPending)
    sim.advance(5)
    wait_until(lambda: sim.truth("refunds")[0]["status"] == "succeeded")
    assert isinstance(await look_up_refund(gateway, outcome.refund_id), Refunded)


async def test_a_refund_that_failed_is_refused_though_it_had_succeeded(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    charge_id = await charge(gateway, "pm_card_refundFail")
    outcome = await give_back(gateway, charge_id)
    assert isinstance(outcome, Refunded)
    sim.advance(5)
    wait_until(lambda: sim.truth("refunds")[0]["status"] == "failed")
    assert await look_up_refund(gateway, outcome.refund_id) == RefundRefused(
        code="unknown", refund_id=outcome.refund_id, charge_id=charge_id
    )


@pytest.mark.parametrize("amount", [705, 0])
async def test_what_is_refused_was_not_begun(
    sim: StripeSimulator, gateway: StripeGateway, amount: int
) -> None:
    outcome = await give_back(gateway, await charge(gateway), amount)
    assert isinstance(outcome, NotExecuted)
    assert outcome.reason == "refused"
    assert outcome.message
    assert sim.truth("refunds") == []


@pytest.mark.parametrize(
    ("kind", "proves"),
    [
        ("500", Unknown), ("reset", Unknown), ("half", Unknown), ("hang", Unknown),
        ("409", Unknown), ("429", NotExecuted), ("401", NotExecuted),
    ],
)  # fmt: skip
async def test_what_proves_nothing_is_unknown(
    sim: StripeSimulator, gateway: StripeGateway, kind: str, proves: type
) -> None:
    charge_id = await charge(gateway)
    sim.fault(kind, s=2 * LIMIT_S, method="POST", path=REFUNDS)
    assert isinstance(await give_back(gateway, charge_id), proves)


async def test_another_request_under_the_same_key_proves_nothing(gateway: StripeGateway) -> None:
    charge_id = await charge(gateway)
    assert isinstance(await give_back(gateway, charge_id, 100, "k"), Refunded)
    assert isinstance(await give_back(gateway, charge_id, 101, "k"), Unknown)


async def test_a_look_up_that_fails_is_unknown(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    sim.fault("500", method="GET", path=f"{REFUNDS}/*")
    assert isinstance(await look_up_refund(gateway, "re_1"), Unknown)
    assert isinstance(await look_up_refund(gateway, "re_1"), Unknown)


async def test_lists_are_whole_however_many_pages_they_have(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    charge_id, other = await charge(gateway), await charge(gateway)
    for _ in range(103):
        await give_back(gateway, charge_id, 1)
    await give_back(gateway, other, 1)
    listed = await list_refunds(gateway, charge_id)
    assert len({one.refund_id for one in listed}) == 103
    # Newest first.
    newest = sim.truth("refunds")[-2]["id"]
    assert listed[0].refund_id == newest
    since = datetime.now(UTC) - timedelta(minutes=5)
    recent = [one async for one in list_recent_refunds(gateway, created_from=since)]
    assert len(recent) == 104
    later = since + timedelta(days=1)
    assert [one async for one in list_recent_refunds(gateway, created_from=later)] == []


async def test_a_list_that_breaks_off_is_none(sim: StripeSimulator, gateway: StripeGateway) -> None:
    sim.fault("500", method="GET", path=REFUNDS)
    with pytest.raises(ProcessorAway):
        await list_refunds(gateway, "ch_1")


async def test_nothing_is_sent_inside_a_transaction(db: Database, gateway: StripeGateway) -> None:
    async with transaction(db):
        with pytest.raises(AssertionError):
            await give_back(gateway, "ch_1")
        with pytest.raises(AssertionError):
            await look_up_refund(gateway, "re_1")
        with pytest.raises(AssertionError):
            await list_refunds(gateway, "ch_1")
