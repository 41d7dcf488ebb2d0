"""What the gateway makes of the processor's disputes: as they stand now, all of them, or none."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fieldfare.db.pool import Database, transaction
from fieldfare.integrations.stripe.disputes import list_disputes, look_up_dispute
from fieldfare.integrations.stripe.errors import ProcessorAway
from fieldfare.integrations.stripe.gateway import PAGE, StripeGateway
from fieldfare.integrations.stripe.model import Charged, SeenDispute
from tests.support.gateways import new_charge
from tests.support.stripe_simulator import StripeSimulator

DISPUTES = "/v1/disputes"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def dispute(sim: StripeSimulator, charged: Charged, outcome: str = "open", **fields: Any) -> str:
    """It is disputed, or decided; gives the dispute's id."""
    return str(sim.post("dispute", charge=charged.charge_id, outcome=outcome, **fields)["id"])


async def listed(gateway: StripeGateway, since: datetime = LONG_AGO) -> list[SeenDispute]:
    """Every dispute since an instant."""
    return [seen async for seen in list_disputes(gateway, created_from=since)]


async def test_a_dispute_is_told_with_all_that_it_must_match(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    charged = await new_charge(gateway, currency="JPY")
    dispute_id = dispute(sim, charged, reason="product_not_received")
    (made,) = sim.truth("disputes")
    seen = await look_up_dispute(gateway, dispute_id)
    assert seen == SeenDispute(
        dispute_id=dispute_id, charge_id=charged.charge_id, intent_id=charged.intent_id,
        amount_minor=704, currency="JPY", status="needs_response", reason="product_not_received",
        created_at=datetime.fromtimestamp(made["created"], UTC),
    )  # fmt: skip
    assert await listed(gateway) == [seen]


@pytest.mark.parametrize(
    ("fields", "outcome", "status"),
    [
        ({}, "won", "won"),
        ({}, "lost", "lost"),
        ({"inquiry": True}, "open", "warning_needs_response"),
        ({"inquiry": True}, "lost", "warning_closed"),
        ({"amount": 4}, "open", "needs_response"),
    ],
)
async def test_how_it_stands_is_told_in_the_processors_words(
    sim: StripeSimulator,
    gateway: StripeGateway,
    fields: dict[str, Any],
    outcome: str,
    status: str,
) -> None:
    dispute_id = dispute(sim, await new_charge(gateway), outcome, **fields)
    seen = await look_up_dispute(gateway, dispute_id)
    assert seen is not None
    assert (seen.status, seen.amount_minor) == (status, fields.get("amount", 704))


async def test_a_dispute_that_is_not_known_is_none(gateway: StripeGateway) -> None:
    assert await look_up_dispute(gateway, "du_none") is None


@pytest.mark.parametrize("kind", ["500", "429", "401", "reset", "half", "hang"])
async def test_no_answer_is_never_taken_for_no_dispute(
    sim: StripeSimulator, gateway: StripeGateway, kind: str
) -> None:
    dispute_id = dispute(sim, await new_charge(gateway))
    sim.fault(kind, path=f"{DISPUTES}*", count=2)
    with pytest.raises(ProcessorAway, match="asked again later"):
        await look_up_dispute(gateway, dispute_id)
    with pytest.raises(ProcessorAway, match="asked again later"):
        await listed(gateway)


async def test_the_list_is_whole_and_newest_first(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    made = []
    for _ in range(3):
        made.append(dispute(sim, await new_charge(gateway)))
        sim.advance(60)
    assert [seen.dispute_id for seen in await listed(gateway)] == made[::-1]


async def test_the_list_is_read_page_by_page(sim: StripeSimulator, gateway: StripeGateway) -> None:
    made = {dispute(sim, await new_charge(gateway)) for _ in range(PAGE + 3)}
    assert {seen.dispute_id for seen in await listed(gateway)} == made
    sim.fault("500", path=DISPUTES, nth=2)
    with pytest.raises(ProcessorAway):
        await listed(gateway)


async def test_the_list_begins_where_it_is_asked_to(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    dispute(sim, await new_charge(gateway))
    sim.advance(timedelta(hours=2).total_seconds())
    new = dispute(sim, await new_charge(gateway))
    since = datetime.now(UTC) + timedelta(hours=1)
    assert [seen.dispute_id for seen in await listed(gateway, since)] == [new]


async def test_no_call_is_made_inside_a_transaction(db: Database, gateway: StripeGateway) -> None:
    async with transaction(db):
        with pytest.raises(AssertionError, match="across a network call"):
            await look_up_dispute(gateway, "du_1")
        with pytest.raises(AssertionError, match="across a network call"):
            await listed(gateway)
