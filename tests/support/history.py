"""A varied history for the tests of `fieldfare verify`, written by the services themselves."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec

from fieldfare.accounts import service as accounts
from fieldfare.catalog.model import Catalogue
from fieldfare.catalog.service import create_custom_portfolio, load_catalogue, set_price
from fieldfare.db.pool import Connection, Database, connection, open_database, transaction
from fieldfare.integrations.stripe.model import BalanceTransaction, Card, Charged, Declined, Outcome
from fieldfare.kernel.currency import get_currency
from fieldfare.ledger.service import adjusting
from fieldfare.ledger.service.credits import adjust_credits
from fieldfare.orders import store
from fieldfare.orders.model import Order, Party
from fieldfare.orders.service import card
from fieldfare.orders.service.settle import ORDERS
from fieldfare.payments import store as payment_store
from fieldfare.payments.model import Exchange, ExchangeRate, Payment
from fieldfare.payments.rules import IN_DOLLARS, quote_top_up
from fieldfare.payments.service.balance import record_transactions
from fieldfare.payments.service.outcomes import find_payment_of
from fieldfare.payments.service.rates import set_rate
from fieldfare.payments.service.settling import settle_with
from fieldfare.payments.service.top_ups import TOP_UPS
from fieldfare.payments.service.top_ups.charging import open_top_up
from fieldfare.payments.store import update_balance_import
from tests.support.placing import order_of, placing
from tests.support.world import World, build_world

KG, TONNE = 1_000_000, 1_000_000_000
IN_EUROS = Exchange(
    currency=get_currency("EUR"), rate=Decimal("0.9137"), rate_on=date(2026, 11, 20)
)


async def write_history(url: str) -> None:
    """Accounts with credits, orders of all sizes around a change of price, adjustments, a card."""
    db = await open_database(url, pool_size=2, application="tests")
    try:
        world = await build_world(db)
        now = datetime.now(UTC)
        change_at = now + timedelta(seconds=10)
        own = await make_portfolio(db, world.team_id, now)
        async with transaction(db) as conn:
            await set_price(conn, 1, 9_999_999_999, change_at, made_by="tests", reason="a test")
        cheap = await load_catalogue(db, now)
        dear = await load_catalogue(db, change_at)
        async with transaction(db) as conn:
            for orders in batches(world, own, cheap, dear, change_at):
                verdicts = await store.place_on_credit(conn, [placing(order) for order in orders])
                assert all(v.balance_after_cents is not None for v in verdicts)
            await adjust_credits(conn, world.team_id, change_cents=-1234, reason="A mistake")
            await adjust_credits(conn, world.second_id, change_cents=5, reason="Goodwill")
            await adjust_by_two(conn, world)
            after = order_of(dear, world.team_id, 7 * KG, at=change_at + timedelta(minutes=3))
            await store.place_on_credit(conn, [placing(after)])
        await open_card_order(db, order_of(dear, world.team_id, 2 * TONNE, at=change_at))
        paid = order_of(dear, world.team_id, 3 * TONNE, at=change_at + timedelta(minutes=4))
        await pay_card_order(db, await open_card_order(db, paid), "ch_1")
        sold = order_of(dear, world.second_id, 5 * TONNE, at=change_at + timedelta(minutes=4))
        await pay_card_order(db, await open_card_order(db, sold), "ch_2")
        await buy_credits(db, world)
        await import_balance(db)
    finally:
        await db.close()


async def adjust_by_two(conn: Connection, world: World) -> None:
    """Adjustments that one operator asked for and another one approved."""
    now = datetime.now(UTC)
    operators = []
    for name in ("ada", "bob"):
        email = f"{name}@operators.example"
        operators.append(await accounts.open_user(conn, name=name, billing_email=email, now=now))
        await accounts.make_operator(conn, operators[-1], "bookkeeper", now)
    for account_id, cents in ((world.team_id, 777), (world.second_id, -3)):
        asked = await adjusting.adjust(
            conn, account_id, change_cents=cents, reason="Goodwill", operator_id=operators[0],
            alone_up_to_cents=0,
        )  # fmt: skip
        assert asked.request_id is not None
        await adjusting.approve(conn, asked.request_id, operators[1])


async def make_portfolio(db: Database, account_id: int, now: datetime) -> int:
    """A custom portfolio with a project that takes donations."""
    async with transaction(db) as conn:
        return await create_custom_portfolio(
            conn,
            account_id,
            name="Our own",
            description="Tonnes and a donation.",
            weights_ppm={1: 333_333, 18: 333_334, 31: 333_333},
            now=now,
            made_by="tests",
        )


def batches(
    world: World, own: int, cheap: Catalogue, dear: Catalogue, change_at: datetime
) -> list[list[Order]]:
    """Orders over and under a dollar, for three accounts, before and after a price changes."""
    party = Party(on_behalf_of_name="Ada", note="Thanks", metadata={"project": "p1", "a": "b"})
    team, second, person = world.team_id, world.second_id, world.personal_id
    later = change_at + timedelta(minutes=2)
    return [
        [order_of(cheap, team, 450_000_000, party=party, receipt=True)],
        [order_of(cheap, team, 1_000_003), order_of(cheap, second, 3)],
        [order_of(cheap, team, 250 * KG, portfolio_id=own)],
        # Priced a moment before the change, numbered a moment after it.
        [order_of(cheap, team, 90 * KG, portfolio_id=own, at=change_at + timedelta(seconds=1))],
        [order_of(dear, team, 333_333_333, portfolio_id=own, at=later)],
        [order_of(dear, second, 1_234_567_891, at=later), order_of(dear, team, 5 * KG, at=later)],
        [order_of(dear, person, 100 * KG, portfolio_id=21, at=later)],
    ]


async def open_card_order(db: Database, order: Order) -> Payment:
    """An order by card in euros whose outcome is not known."""
    # 0.9137 euros for a dollar: the price in euro cents, rounded up.
    quote = msgspec.structs.replace(
        order.quote,
        payment_method="stripe",
        charge_minor=-(-order.quote.amount_cents * 9137 // 10_000),
        exchange=IN_EUROS,
    )
    opening = card.open_order(
        msgspec.structs.replace(order, quote=quote), b'{"id":"","tons":2}', Card("cus_1", "pm_1")
    )
    async with connection(db) as conn:
        await store.open_card_order(conn, opening, None, settle_after=timedelta(minutes=1))
        payment = await find_payment_of(conn, order.id)
    assert payment is not None
    return payment


async def pay_card_order(db: Database, payment: Payment, charge_id: str) -> None:
    """The card was charged."""
    assert await settle_with(db, ORDERS, payment, charged_as(payment, charge_id)) is not None


def charged_as(payment: Payment, charge_id: str) -> Charged:
    """What the processor says of a payment that it charged."""
    return Charged(
        intent_id=f"pi_{charge_id}",
        charge_id=charge_id,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        customer=payment.customer,
        subject_id=str(payment.subject_id),
    )


async def buy_credits(db: Database, world: World) -> None:
    """Top-ups: in euros and in dollars, one not charged, and one whose outcome is not known."""
    async with transaction(db) as conn:
        assert IN_EUROS.rate_on is not None
        euro = ExchangeRate(currency="EUR", rate=IN_EUROS.rate, rate_on=IN_EUROS.rate_on)
        await set_rate(conn, euro, now=datetime.now(UTC), force=True)
    team, second = world.team_id, world.second_id
    await end_top_up(db, await begin_top_up(db, team, 4_321, IN_EUROS), "ch_3")
    await end_top_up(db, await begin_top_up(db, second, 5_000, IN_DOLLARS), "ch_4")
    await end_top_up(db, await begin_top_up(db, team, 700, IN_EUROS), None)
    await begin_top_up(db, team, 12_345, IN_EUROS)


async def begin_top_up(
    db: Database, account_id: int, amount_cents: int, exchange: Exchange
) -> Payment:
    """A top-up whose outcome is not known."""
    quote = quote_top_up(amount_cents, exchange)
    opening = open_top_up(quote, Card("cus_1", "pm_1"), account_id=account_id, origin="request")
    async with connection(db) as conn:
        await payment_store.open_top_up(conn, opening, None, settle_after=timedelta(minutes=1))
        payment = await find_payment_of(conn, opening.payment.subject_id)
    assert payment is not None
    return payment


async def end_top_up(db: Database, payment: Payment, charge_id: str | None) -> None:
    """The card was charged, or declined."""
    outcome: Outcome = Declined(code="generic_decline", intent_id=None)
    if charge_id is not None:
        outcome = charged_as(payment, charge_id)
    assert await settle_with(db, TOP_UPS, payment, outcome) is not None


async def import_balance(db: Database) -> None:
    """What the processor's list would show: a charge kept in euros, one sold for dollars, more."""
    async with transaction(db) as conn:
        rows = await conn.fetch("select charge_id, amount_minor from payments.payment")
        euros = {row["charge_id"]: row["amount_minor"] for row in rows}
        await record_transactions(
            conn,
            [
                moved("txn_1", "charge", "ch_1", euros["ch_1"], 311, "EUR"),
                moved("txn_2", "charge", "ch_2", round(euros["ch_2"] * 1.09), 705, "USD", "1.09"),
                moved("txn_6", "charge", "ch_3", euros["ch_3"], 140, "EUR"),
                moved("txn_7", "charge", "ch_4", 5000, 175, "USD"),
                moved("txn_3", "charge", "ch_stray", 5000, 175, "USD"),
                moved("txn_4", "payout", "po_1", -2000, 0, "EUR"),
                moved("txn_5", "stripe_fee", None, -25, 0, "USD"),
            ],
        )
        await update_balance_import(conn, datetime.now(UTC) + timedelta(days=1))


def moved(
    transaction_id: str,
    kind: str,
    source_id: str | None,
    amount_minor: int,
    fee_minor: int,
    currency: str,
    rate: str | None = None,
) -> BalanceTransaction:
    """A movement of our balance at the processor."""
    return BalanceTransaction(
        transaction_id=transaction_id,
        kind=kind,
        category=kind,
        source_id=source_id,
        amount_minor=amount_minor,
        fee_minor=fee_minor,
        net_minor=amount_minor - fee_minor,
        currency=currency,
        exchange_rate=None if rate is None else Decimal(rate),
        created_at=datetime(2026, 11, 20, tzinfo=UTC),
    )
