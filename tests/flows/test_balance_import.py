"""The processor's record of our balance, taken into the books: once, whatever breaks or is late.

After each test the books sum to zero, and the book of the processor is what it says we have there.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from fieldfare import jobs
from fieldfare.db.pool import Database, connection
from fieldfare.integrations.stripe.errors import ProcessorAway
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.jobs import JobContext
from fieldfare.orders.service.trial_balance import read_trial_balance
from fieldfare.payments.service.balance import Imported, import_balance
from fieldfare.settings import Settings
from tests.support.books import books_of, dollars_of, strict_findings
from tests.support.cards import ORDER_CENTS, CardShop, environment_of
from tests.support.waiting import wait_until

TRANSACTIONS = "/v1/balance_transactions"
FEE = 50
"""2.9 % of $7.04 and 30 cents."""
EUR_MINOR, EUR_FEE = 644, 49
JPY_MINOR, JPY_FEE = 1_093, 62
NOTHING_NEW = Imported(recorded=0, matched=0, unexplained=0)
HOUR = timedelta(hours=1, minutes=1)


@pytest.fixture
def shop(own_shop: CardShop) -> Iterator[CardShop]:
    """A shop with a balance of its own, in which charges show at once; its books must agree."""
    own_shop.set_rate("EUR", "0.9137", date(2026, 11, 20))
    own_shop.set_rate("JPY", "155.25", date(2026, 11, 20))
    own_shop.stripe.post("settings", settle_delay_s=0)
    yield own_shop
    assert strict_findings(own_shop) == []


def imported(shop: CardShop) -> Imported:
    """One import."""
    return shop.stage.do(import_balance)


def transactions(shop: CardShop) -> list[Any]:
    """What is on record: role, amount, fee, currency, what its source says."""
    return shop.sql(
        "select role, amount_minor, fee_minor, currency, source_minor, source_currency"
        " from payments.balance_transaction order by created_at, transaction_id"
    )


def stray_charge(shop: CardShop, amount: int = 500, currency: str = "usd") -> str:
    """A charge on our account at the processor that nothing of ours has made."""
    asked: Any = {
        "amount": amount, "currency": currency, "payment_method": "pm_card_visa", "confirm": True,
        "off_session": True,
    }  # fmt: skip
    return str(shop.stripe.client().v1.payment_intents.create(asked).latest_charge)


# --------------------------------------------------------------------------------- what is taken


def test_charges_in_three_currencies_with_a_balance_each(shop: CardShop) -> None:
    for code in ("USD", "EUR", "JPY"):
        assert shop.order(shop.team(currency=code)).status_code == 200
    assert imported(shop) == Imported(recorded=3, matched=0, unexplained=0)
    assert sorted(transactions(shop)) == [
        ("charge", EUR_MINOR, EUR_FEE, "EUR", EUR_MINOR, "EUR"),
        ("charge", ORDER_CENTS, FEE, "USD", ORDER_CENTS, "USD"),
        ("charge", JPY_MINOR, JPY_FEE, "JPY", JPY_MINOR, "JPY"),
    ]
    books = books_of(shop)
    assert dollars_of(books, "processor") == -(ORDER_CENTS - FEE)
    assert dollars_of(books, "fees") == -FEE
    assert books["processor", "EUR"] == -(EUR_MINOR - EUR_FEE) * 1_000_000
    assert books["fees", "JPY"] == -JPY_FEE * 100_000_000
    # What was sold for euros and yen, two of the three orders.
    assert dollars_of(books, "exchange") == -2 * ORDER_CENTS
    sold_micro = books["partners", "USD"] + books["margin", "USD"]
    assert sold_micro == 3 * ORDER_CENTS * 1_000_000
    assert strict_findings(shop) == []


def test_euros_that_settle_in_dollars_are_sold_at_once(shop: CardShop) -> None:
    shop.stripe.post("settings", usd_per_unit={"eur": "1.0952", "jpy": "0.0065432109"})
    assert shop.order(shop.team(currency="EUR")).status_code == 200
    assert shop.order(shop.team(currency="JPY")).status_code == 200
    imported(shop)
    # 6.44 € × 1.0952 = $7.05, 1093 ¥ × 0.0065432109 = $7.15; the fees likewise.
    assert sorted(transactions(shop)) == [
        ("charge", 705, 54, "USD", EUR_MINOR, "EUR"),
        ("charge", 715, 41, "USD", JPY_MINOR, "JPY"),
    ]
    books = books_of(shop)
    assert ("processor", "EUR") not in books
    assert ("processor", "JPY") not in books
    assert dollars_of(books, "processor") == -(705 - 54 + 715 - 41)
    assert dollars_of(books, "exchange") == 705 + 715 - 2 * ORDER_CENTS
    assert dollars_of(books, "fees") == -(54 + 41)


def test_what_passes_through_the_bank_and_what_the_processor_charges(shop: CardShop) -> None:
    shop.stripe.post("balance", amount=100_000, currency="usd")
    shop.stripe.post("balance", amount=-30_000, currency="usd", type="payout")
    shop.stripe.post("balance", amount=-250, currency="usd", type="stripe_fee")
    assert imported(shop) == Imported(recorded=3, matched=0, unexplained=0)
    books = books_of(shop)
    assert dollars_of(books, "processor") == -(100_000 - 30_000 - 250)
    assert dollars_of(books, "bank") == 100_000 - 30_000
    assert dollars_of(books, "fees") == -250


def test_what_nobody_knows_is_in_suspense_and_on_the_list_at_once(shop: CardShop) -> None:
    shop.stripe.post("balance", amount=-1_000, currency="usd", type="reserve_transaction")
    assert imported(shop) == Imported(recorded=1, matched=0, unexplained=1)
    assert imported(shop) == NOTHING_NEW
    assert dollars_of(books_of(shop), "suspense") == -1_000
    (told,) = shop.exceptions()
    assert told.kind == "unknown_transaction"
    assert told.detail.startswith("reserve_transaction of -1000 USD, for rsv_1")
    # A person has looked at it, and is not asked again.
    shop.sql("update payments.exception set resolved_at = now(), resolution = 'a reserve'")
    assert imported(shop) == NOTHING_NEW
    assert shop.exceptions() == []


# ------------------------------------------------------------------ once, however it is broken off


def test_the_job_twice_records_once(shop: CardShop) -> None:
    assert shop.order(shop.team()).status_code == 200

    async def run_twice(db: Database, gateway: StripeGateway) -> list[jobs.Outcome]:
        ctx = JobContext(db=db, settings=Settings(), gateway=gateway)
        return [
            await jobs.import_balance(ctx),
            await jobs.import_balance(ctx),
            await jobs.import_balance(JobContext(db=db, settings=Settings())),
        ]

    first, second, without = shop.stage.do(run_twice)
    assert first == {"recorded": 1, "matched": 0, "unexplained": 0}
    assert second == {"recorded": 0, "matched": 0, "unexplained": 0}
    assert without == {"skipped": "no card processor"}


def test_a_first_import_that_breaks_off_goes_on_where_it_was(shop: CardShop) -> None:
    for amount in range(1, 251):
        shop.stripe.post("balance", amount=amount, currency="usd")
    shop.stripe.fault("500", method="GET", path=TRANSACTIONS, nth=2)
    with pytest.raises(ProcessorAway):
        imported(shop)
    assert len(transactions(shop)) == 100
    assert shop.sql("select count(*) from payments.balance_import") == [(0,)]
    # What comes meanwhile is above what is on record, what is missing lies below.
    shop.stripe.post("balance", amount=7_000, currency="usd")
    assert imported(shop).recorded == 151
    assert dollars_of(books_of(shop), "bank") == sum(range(1, 251)) + 7_000


def test_an_import_that_is_killed_amid_a_page_leaves_whole_pages(shop: CardShop) -> None:
    for amount in range(1, 251):
        shop.stripe.post("balance", amount=amount, currency="usd")
    shop.stripe.fault("hang", method="GET", path=TRANSACTIONS, nth=3, s=20)
    process = subprocess.Popen(
        [sys.executable, "-m", "fieldfare.cli.main", "verify", "--processor"],
        env=os.environ | {"DATABASE_URL": shop.database_url} | environment_of(shop),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: len(transactions(shop)) == 200, within_s=30)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    shop.stripe.delete("faults")
    assert imported(shop).recorded == 50
    assert dollars_of(books_of(shop), "bank") == sum(range(1, 251))


def test_two_imports_at_once_record_each_movement_once(shop: CardShop) -> None:
    for amount in range(1, 151):
        shop.stripe.post("balance", amount=amount, currency="usd")

    async def rivals(db: Database, gateway: StripeGateway) -> int:
        done = await asyncio.gather(*(import_balance(db, gateway) for _ in range(4)))
        return sum(one.recorded for one in done)

    assert shop.stage.do(rivals) == 150
    assert dollars_of(books_of(shop), "bank") == sum(range(1, 151))


def test_a_movement_that_the_list_shows_late_is_not_missed(shop: CardShop) -> None:
    assert shop.order(shop.team()).status_code == 200
    imported(shop)
    # As if the list had not shown it then.
    with_triggers_off = "set session_replication_role = replica; "
    shop.sql(
        with_triggers_off + "delete from ledger.journal where kind = 'processor_fee';"
        " delete from payments.balance_transaction"
    )
    shop.pass_time(timedelta(hours=30))
    assert imported(shop).recorded == 1


# -------------------------------------------------------------------- before its source is known


def test_a_charge_whose_order_settles_later_leaves_suspense(shop: CardShop) -> None:
    team = shop.team(currency="EUR")
    shop.stripe.fault("reset", when="after", path="/v1/payment_intents", method="POST")
    shop.stripe.fault("500", when="before", path="/v1/payment_intents", method="GET", count=50)
    assert shop.order(team, "lost").status_code == 502
    assert imported(shop) == Imported(recorded=1, matched=0, unexplained=0)
    assert transactions(shop) == [("charge", EUR_MINOR, EUR_FEE, "EUR", None, None)]
    assert books_of(shop)["suspense", "EUR"] == EUR_MINOR * 1_000_000
    assert shop.findings() == []
    shop.stripe.delete("faults")
    shop.settle_all()
    # Known by now, and not looked at yet: that is no fault.
    assert shop.findings() == []
    assert imported(shop) == Imported(recorded=0, matched=1, unexplained=0)
    assert transactions(shop) == [("charge", EUR_MINOR, EUR_FEE, "EUR", EUR_MINOR, "EUR")]
    assert ("suspense", "EUR") not in books_of(shop)
    assert imported(shop) == NOTHING_NEW


def test_a_charge_shows_a_moment_after_it_was_made(shop: CardShop) -> None:
    shop.stripe.post("settings", settle_delay_s=3_600)
    assert shop.order(shop.team()).status_code == 200
    assert imported(shop) == NOTHING_NEW
    assert shop.findings() == []
    (missing,) = strict_findings(shop)
    assert missing.startswith("payments.payment id=")
    assert "704 USD moved (charge ch_" in missing
    shop.pass_time(timedelta(hours=2))
    imported_late = imported(shop)
    assert imported_late.recorded == 1


def test_a_charge_that_never_shows_is_named_after_an_hour(shop: CardShop) -> None:
    shop.stripe.post("settings", settle_delay_s=86_400)
    assert shop.order(shop.team()).status_code == 200
    shop.pass_time(HOUR)
    # Without an import nothing can be missed.
    assert shop.findings() == []
    imported(shop)
    (missing,) = shop.findings()
    assert "the processor's balance shows 0" in missing
    shop.pass_time(timedelta(days=1))
    imported(shop)


def test_a_stray_charge_stands_in_suspense_until_it_is_refunded(shop: CardShop) -> None:
    charge_id = stray_charge(shop)
    assert imported(shop) == Imported(recorded=1, matched=0, unexplained=0)
    assert dollars_of(books_of(shop), "suspense") == 500
    shop.pass_time(HOUR)
    assert imported(shop) == Imported(recorded=0, matched=0, unexplained=1)
    (told,) = shop.exceptions()
    assert told.detail.startswith(f"charge of 500 USD, for {charge_id}")
    refund = shop.stripe.client().v1.refunds.create({"charge": charge_id})
    shop.sql(
        "update payments.exception set resolved_at = now(), resolution = %s", f"see {refund.id}"
    )
    imported(shop)
    shop.pass_time(HOUR)
    # What was done about the charge explains its refund.
    assert imported(shop) == NOTHING_NEW
    assert dollars_of(books_of(shop), "suspense") == 0


def test_a_stray_charge_that_is_on_the_list_is_not_listed_again(shop: CardShop) -> None:
    charge_id = stray_charge(shop)
    shop.hear()
    assert [(one.kind, one.subject) for one in shop.exceptions()] == [
        ("charge_without_order", charge_id)
    ]
    imported(shop)
    shop.pass_time(HOUR)
    assert imported(shop) == NOTHING_NEW


# --------------------------------------------------------------------------------- where it ends


def test_the_trial_balance_is_one_snapshot(shop: CardShop) -> None:
    assert shop.order(shop.team()).status_code == 200
    imported(shop)

    async def read_twice(db: Database, _: StripeGateway) -> list[Any]:
        async with connection(db) as conn, conn.transaction(isolation="repeatable_read"):
            return [await read_trial_balance(conn), await read_trial_balance(conn)]

    first, second = shop.stage.do(read_twice)
    assert first == second
    complete_to = shop.sql("select complete_to from payments.balance_import")[0][0]
    assert abs(datetime.now(UTC) - complete_to) < timedelta(minutes=1)
