"""What the gateway reads of our balance: every movement once, exactly, on however many pages."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from fieldfare.db.pool import Database, transaction
from fieldfare.integrations.stripe.balance import list_balance_transactions, read_balance
from fieldfare.integrations.stripe.errors import ProcessorAway
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.integrations.stripe.model import BalanceTransaction
from tests.support.stripe_simulator import StripeSimulator

TRANSACTIONS = "/v1/balance_transactions"


async def listed(gateway: StripeGateway, **bounds: datetime) -> list[BalanceTransaction]:
    """All pages in one list."""
    pages = list_balance_transactions(gateway, **bounds)
    return [one async for page in pages for one in page]


def charge(sim: StripeSimulator, amount: int, currency: str) -> str:
    """A charge that shows in the balance at once."""
    asked: Any = {
        "amount": amount, "currency": currency, "payment_method": "pm_card_visa", "confirm": True,
        "off_session": True, "capture_method": "automatic",
    }  # fmt: skip
    return str(sim.client().v1.payment_intents.create(asked).latest_charge)


async def test_a_charge_is_shown_with_its_fee_and_its_source(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    charge_id = charge(sim, 1000, "usd")
    (shown,) = await listed(gateway)
    made = sim.client().v1.balance_transactions.list().data[0]
    # 2.9 % of 10.00 and 0.30.
    assert shown == BalanceTransaction(
        transaction_id=made.id, kind="charge", category="charge", source_id=charge_id,
        amount_minor=1000, fee_minor=59, net_minor=941, currency="USD", exchange_rate=None,
        created_at=datetime.fromtimestamp(made.created, UTC),
    )  # fmt: skip
    assert await read_balance(gateway) == {"USD": 941}


async def test_what_settles_in_another_currency_is_shown_in_that_one_with_its_rate(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    sim.post("settings", usd_per_unit={"eur": "1.0952", "jpy": "0.0065432109"})
    charge(sim, 1000, "eur")
    charge(sim, 5000, "jpy")
    yen, euros = await listed(gateway)
    assert (euros.amount_minor, euros.currency) == (1095, "USD")
    assert euros.exchange_rate == Decimal("1.0952")
    assert (yen.amount_minor, yen.currency) == (3272, "USD")
    assert yen.exchange_rate == Decimal("0.0065432109")


async def test_a_dispute_and_its_end_are_told_apart_and_refunds_are_below_zero(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    disputed, refunded = charge(sim, 1000, "usd"), charge(sim, 2000, "usd")
    refund = sim.client().v1.refunds.create({"charge": refunded, "amount": 500})
    dispute = sim.post("dispute", charge=disputed, outcome="open")
    sim.post("dispute", charge=disputed, outcome="won")
    told = [
        (one.kind, one.category, one.source_id, one.amount_minor, one.fee_minor)
        for one in reversed(await listed(gateway))
    ]
    assert told == [
        ("charge", "charge", disputed, 1000, 59),
        ("charge", "charge", refunded, 2000, 88),
        ("refund", "refund", refund.id, -500, 0),
        ("adjustment", "dispute", dispute["id"], -1000, 1500),
        ("adjustment", "dispute_reversal", dispute["id"], 1000, 0),
    ]
    assert await read_balance(gateway) == {"USD": 1000 + 2000 - 500 - 59 - 88 - 1500}


async def test_every_page_is_read_and_no_movement_twice_while_new_ones_come(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    for amount in range(1, 251):
        sim.post("balance", amount=amount, currency="usd")
    seen: list[int] = []
    async for page in list_balance_transactions(gateway):
        seen += [one.amount_minor for one in page]
        sim.post("balance", amount=1_000_000, currency="usd")
    assert seen == list(range(250, 0, -1))


async def test_bounds_are_whole_seconds_and_both_belong_to_the_time(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    for amount in (1, 2, 3):
        sim.post("balance", amount=amount, currency="usd")
        sim.advance(60)
    third, second, first = await listed(gateway)
    at = second.created_at
    assert await listed(gateway, created_from=at) == [third, second]
    assert await listed(gateway, created_to=at) == [second, first]
    later = timedelta(seconds=1)
    assert await listed(gateway, created_from=at + later) == [third]
    assert await listed(gateway, created_to=at - later) == [first]


async def test_money_on_its_way_belongs_to_the_balance(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    assert await read_balance(gateway) == {}
    charge(sim, 1000, "usd")
    sim.post("settings", funds_delay_s=86_400)
    charge(sim, 1000, "usd")
    charge(sim, 700, "jpy")
    # 2.9 % of 700 and 30 yen.
    assert await read_balance(gateway) == {"USD": 2 * 941, "JPY": 650}


async def test_a_list_that_breaks_off_is_no_list(
    sim: StripeSimulator, gateway: StripeGateway
) -> None:
    for amount in range(1, 151):
        sim.post("balance", amount=amount, currency="usd")
    sim.fault("500", method="GET", path=TRANSACTIONS, nth=2)
    pages = list_balance_transactions(gateway)
    assert len(await anext(pages)) == 100
    with pytest.raises(ProcessorAway, match="list of movements cannot be read"):
        await anext(pages)
    sim.fault("reset", method="GET", path="/v1/balance")
    with pytest.raises(ProcessorAway, match="balance cannot be read"):
        await read_balance(gateway)


async def test_the_balance_is_not_asked_for_inside_a_transaction(
    sim: StripeSimulator, gateway: StripeGateway, db: Database
) -> None:
    async with transaction(db):
        with pytest.raises(AssertionError, match="a transaction is open"):
            await listed(gateway)
        with pytest.raises(AssertionError, match="a transaction is open"):
            await read_balance(gateway)
    assert sim.truth("requests") == []
