"""Refills, from the order that runs an account low to its credits, or to the mail that says why.

The processor is the simulator, the mailbox the sink; the worker's jobs are those of the product.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from fieldfare import jobs
from fieldfare.accounts import service as accounts
from tests.support.buying import CREATE, LIST
from tests.support.cards import ORDER_CENTS, CardShop
from tests.support.mail_sink import MailSink
from tests.support.refilling import AMOUNT_CENTS, BELOW_CENTS, START_CENTS, Refilling
from tests.support.waiting import wait_until

DECLINED = "pm_card_visa_chargeDeclinedInsufficientFunds"


@pytest.fixture
def refilling(shop: CardShop, sink: MailSink) -> Refilling:
    """The shop and its mailbox, with no refills of other tests."""
    shop.sql("update accounts.refill set is_on = false")
    return Refilling(shop, sink)


# ----------------------------------------------------------------------------------------- refilled


def test_an_order_that_crosses_the_bound_brings_one_refill(refilling: Refilling) -> None:
    team = refilling.team()
    refilling.order(team)
    refilling.order(team)
    assert len(refilling.told("refill_due")) == 1
    refilling.work()
    assert refilling.states(team) == ["paid"]
    assert refilling.shop.balance(team) == START_CENTS - 2 * ORDER_CENTS + AMOUNT_CENTS
    assert [charge["amount"] for charge in refilling.shop.charges()] == [AMOUNT_CENTS]
    assert refilling.setting(team) == (0, True)
    assert refilling.mails() == []
    refilling.shop.agree(team)


def test_credits_above_the_bound_are_left_alone(refilling: Refilling) -> None:
    team = refilling.team(cents=BELOW_CENTS + ORDER_CENTS)
    refilling.order(team)
    assert refilling.told("refill_due") == []
    assert refilling.sweep() == {"looked_at": 1, "low": 0, "refilled": 0}
    assert refilling.states(team) == []


def test_a_refill_is_charged_in_the_accounts_currency(refilling: Refilling) -> None:
    today = refilling.shop.sql("select current_date")[0][0]
    refilling.shop.set_rate("EUR", "0.9", today)
    team = refilling.team(currency="EUR")
    refilling.order(team)
    refilling.work()
    (charge,) = refilling.shop.charges()
    assert (charge["amount"], charge["currency"]) == (AMOUNT_CENTS * 9 // 10, "eur")
    assert refilling.shop.balance(team) == START_CENTS - ORDER_CENTS + AMOUNT_CENTS


def test_what_one_refill_does_not_mend_the_next_does_up_to_the_days_number(
    refilling: Refilling,
) -> None:
    refilling.per_day = 2
    team = refilling.team(cents=1_000, amount_cents=1_000)
    assert refilling.sweep()["refilled"] == 1
    refilling.work()
    assert refilling.states(team) == ["paid", "paid"]
    # Five more looks: the day has had its number, which is nobody's failure.
    for _ in range(5):
        assert refilling.sweep() == {"looked_at": 1, "low": 1, "refilled": 0}
    assert (refilling.setting(team), refilling.mails()) == ((0, True), [])
    refilling.pass_hours(24)
    assert refilling.sweep()["refilled"] == 1
    refilling.work()
    assert refilling.shop.balance(team) == 5_000
    refilling.shop.agree(team)


def test_the_sweep_finds_what_no_order_told_of(refilling: Refilling) -> None:
    team = refilling.team(cents=BELOW_CENTS)
    assert refilling.sweep()["low"] == 0
    refilling.give(team, -1)
    assert refilling.sweep() == {"looked_at": 1, "low": 1, "refilled": 1}
    assert refilling.sweep() == {"looked_at": 1, "low": 0, "refilled": 0}
    assert len(refilling.shop.charges()) == 1


def test_an_account_without_a_wallet_is_low(refilling: Refilling) -> None:
    team = refilling.shop.team()
    refilling.set_refill(team)
    assert refilling.sweep()["refilled"] == 1
    assert refilling.shop.balance(team) == AMOUNT_CENTS


def test_whoever_switched_refills_off_is_not_charged(refilling: Refilling) -> None:
    team = refilling.team()
    refilling.order(team)
    refilling.shop.stage.write(lambda conn: accounts.switch_refill_off(conn, team.id))
    refilling.work()
    assert refilling.sweep()["looked_at"] == 0
    assert refilling.states(team) == []


# ------------------------------------------------------------------------------------------- rivals


def test_of_many_workers_at_once_one_charges(refilling: Refilling) -> None:
    team = refilling.team()
    refilling.order(team)
    refilling.shop.stripe.post("latency", s=0.1)
    said = refilling.try_at_once(team, 10)
    assert said.count("refilled") == 1
    assert set(said) <= {"refilled", "one is under way", "not needed"}
    assert refilling.states(team) == ["paid"]
    assert len(refilling.shop.charges()) == 1


def test_orders_that_cross_together_bring_one_refill(refilling: Refilling) -> None:
    team = refilling.team(cents=BELOW_CENTS + 4 * ORDER_CENTS - 1)
    with ThreadPoolExecutor(7) as pool:
        list(pool.map(refilling.order, [team] * 7))
    assert len(refilling.told("refill_due")) == 1
    refilling.work()
    assert refilling.states(team) == ["paid"]
    refilling.shop.agree(team)


def test_whoever_looked_before_the_rival_had_paid_looks_again_under_the_lock(
    refilling: Refilling,
) -> None:
    """All eight have seen an account that runs low when the first of them may begin."""
    team = refilling.team()
    refilling.order(team)
    with psycopg.connect(refilling.shop.database_url) as conn, ThreadPoolExecutor(1) as pool:
        conn.execute("select from accounts.refill where account_id = %s for update", [team.id])
        said = pool.submit(refilling.try_at_once, team, 8)
        wait_until(lambda: waiting_for_a_lock(refilling.shop) == 8)
        conn.commit()
        assert said.result(30).count("refilled") == 1
    assert refilling.states(team) == ["paid"]


def waiting_for_a_lock(shop: CardShop) -> int:
    """How many statements wait."""
    rows = shop.sql(
        "select pid from pg_stat_activity"
        " where datname = current_database() and wait_event_type = 'Lock'"
    )
    return len(rows)


def test_the_days_number_holds_for_rivals_too(refilling: Refilling) -> None:
    refilling.per_day = 1
    team = refilling.team(cents=100, amount_cents=100)
    for _ in range(3):
        refilling.try_at_once(team, 8)
    assert refilling.states(team) == ["paid"]


def test_a_setting_changed_meanwhile_is_not_charged_as_it_was(refilling: Refilling) -> None:
    team = refilling.team()
    refilling.order(team)
    with psycopg.connect(refilling.shop.database_url) as conn, ThreadPoolExecutor(1) as pool:
        conn.execute(
            "update accounts.refill set amount_cents = 100 where account_id = %s", [team.id]
        )
        said = pool.submit(refilling.try_at_once, team, 1)
        wait_until(lambda: waiting_for_a_lock(refilling.shop) == 1)
        conn.commit()
        assert said.result(30) == ["its settings were changed just now"]
    assert refilling.sweep()["refilled"] == 1
    assert [charge["amount"] for charge in refilling.shop.charges()] == [100]


# ----------------------------------------------------------------------------------------- failures


def test_three_declines_in_a_row_are_mailed_and_switch_refills_off(refilling: Refilling) -> None:
    team = refilling.team(DECLINED)
    refilling.order(team)
    refilling.work()
    assert refilling.setting(team) == (1, True)
    # Within the hour nobody tries again, however often they look.
    assert refilling.sweep()["refilled"] == 0
    assert refilling.states(team) == ["failed"]
    refilling.pass_hours(1)
    assert refilling.setting(team) == (2, True)
    refilling.pass_hours(1)
    assert refilling.setting(team) == (3, False)
    refilling.pass_hours(24)
    assert refilling.sweep()["looked_at"] == 0
    assert refilling.states(team) == ["failed"] * 3
    assert refilling.shop.charges() == []

    mails = refilling.mails()
    assert [mail["to"] for mail in mails] == [["team@tests.example"]] * 3
    assert len({mail["message_id"] for mail in mails}) == 3
    for number, mail in enumerate(mails, start=1):
        assert "There was not enough money on the card" in mail["text"]
        assert "$200.00" in mail["subject"]
        assert f"Failures in a row: {number} " in mail["text"]
        assert f"Team ({team.id})" in mail["html"]
    assert all("try again in about an hour" in flat(mail["text"]) for mail in mails[:2])
    assert mails[2]["subject"].startswith("Automatic refills are switched off")
    assert "refills stay off until" in flat(mails[2]["text"])
    # Within a second, orders no longer ask for what would not come.
    time.sleep(1)
    refilling.give(team, ORDER_CENTS)
    refilling.order(team)
    assert refilling.told("refill_due") == []
    refilling.shop.agree(team)


def flat(text: str) -> str:
    """Any run of blanks as one."""
    return " ".join(text.split())


def test_a_refill_that_works_ends_the_row_of_failures(refilling: Refilling) -> None:
    team = refilling.team(DECLINED)
    refilling.order(team)
    refilling.work()
    refilling.pass_hours(1)
    assert refilling.setting(team) == (2, True)
    refilling.shop.give_card(team, "pm_card_visa")
    refilling.pass_hours(1)
    assert refilling.states(team) == ["failed", "failed", "paid"]
    assert refilling.setting(team) == (0, True)
    refilling.shop.give_card(team, DECLINED)
    refilling.give(team, BELOW_CENTS - 1 - refilling.shop.balance(team))
    refilling.sweep()
    refilling.work()
    assert refilling.setting(team) == (1, True)
    assert "Failures in a row: 1 " in refilling.mails()[-1]["text"]


def test_setting_it_anew_tries_at_once(refilling: Refilling) -> None:
    team = refilling.team(DECLINED)
    refilling.order(team)
    refilling.work()
    refilling.shop.give_card(team, "pm_card_visa")
    refilling.set_refill(team)
    assert refilling.sweep()["refilled"] == 1


@pytest.mark.parametrize(
    ("card", "currency", "said"),
    [
        (None, "USD", "No card is on file"),
        ("pm_card_visa", "KWD", "There is no exchange rate for your currency"),
    ],
)
def test_a_refill_for_which_no_card_can_be_asked_is_a_failure_too(
    refilling: Refilling, card: str | None, currency: str, said: str
) -> None:
    team = refilling.team(card, currency=currency)
    refilling.order(team)
    refilling.work()
    for _ in range(3):
        refilling.sweep()
    refilling.try_at_once(team, 8)
    assert refilling.setting(team) == (1, True)
    for failures in (2, 3):
        refilling.pass_hours(1)
        refilling.try_at_once(team, 8)
        refilling.work()
        assert refilling.setting(team) == (failures, failures < 3)
    assert refilling.states(team) == []
    mails = refilling.mails()
    assert len(mails) == 3
    assert all(said in mail["text"] for mail in mails)
    assert mails[2]["subject"].startswith("Automatic refills are switched off")


def test_a_processor_that_is_busy_is_nobodys_failure(refilling: Refilling) -> None:
    team = refilling.team()
    refilling.order(team)
    refilling.shop.stripe.fault("429", count=1, **CREATE)
    refilling.work()
    assert (refilling.states(team), refilling.setting(team)) == (["failed"], (0, True))
    assert refilling.sweep()["refilled"] == 0
    refilling.shop.pass_time(timedelta(minutes=16))
    assert refilling.sweep()["refilled"] == 1
    refilling.work()
    assert (refilling.setting(team), refilling.mails()) == ((0, True), [])
    refilling.shop.agree(team)


def test_without_an_address_of_its_own_a_teams_owner_is_told(refilling: Refilling) -> None:
    team = refilling.team(DECLINED)
    refilling.shop.sql(
        "update accounts.account set billing_email = null, language = 'de' where id = %s", team.id
    )
    refilling.order(team)
    refilling.work()
    (mail,) = refilling.mails()
    assert mail["to"] == ["ada@tests.example"]
    assert "Auf der Karte war nicht genug Geld" in mail["text"]


def test_a_mail_server_that_is_away_loses_no_mail(refilling: Refilling) -> None:
    team = refilling.team(DECLINED)
    refilling.order(team)
    refilling.sink.set_fault("tempfail")
    refilling.work()
    assert len(refilling.told("refill_failed")) == 1
    refilling.sink.set_fault("ok")
    refilling.shop.pass_time(timedelta(minutes=3))
    refilling.work()
    assert len(refilling.mails()) == 1


def test_a_failure_that_is_told_late_does_not_count_against_a_success_since(
    refilling: Refilling,
) -> None:
    team = refilling.team(DECLINED, cents=BELOW_CENTS - 1)
    refilling.try_at_once(team, 8)
    refilling.shop.give_card(team, "pm_card_visa")
    refilling.shop.pass_time(timedelta(hours=1))
    refilling.try_at_once(team, 8)
    assert refilling.states(team) == ["failed", "paid"]
    refilling.work()
    assert (refilling.setting(team), refilling.mails()) == ((0, True), [])


# ------------------------------------------------------------------------------ lost answers, kills


@pytest.mark.parametrize("charged", [True, False])
def test_an_unknown_outcome_holds_the_next_refill_back(refilling: Refilling, charged: bool) -> None:
    team = refilling.team()
    refilling.order(team)
    refilling.shop.stripe.fault("reset", when="after" if charged else "before", **CREATE)
    refilling.shop.stripe.fault("500", count=1, **LIST)
    refilling.work()
    assert refilling.states(team) == ["pending"]
    for _ in range(3):
        assert refilling.sweep()["refilled"] == 0
    assert refilling.setting(team) == (0, True)
    refilling.shop.pass_time(timedelta(minutes=2))
    refilling.work()
    assert refilling.states(team) == ["paid"]
    assert refilling.shop.balance(team) == START_CENTS - ORDER_CENTS + AMOUNT_CENTS
    assert len(refilling.shop.charges()) == 1
    assert refilling.sweep()["low"] == 0
    refilling.shop.agree(team)


def test_a_worker_killed_between_the_charge_and_the_credit_charges_once(
    refilling: Refilling,
) -> None:
    shop, team = refilling.shop, refilling.team()
    refilling.order(team)
    shop.stripe.fault("hang", when="after", s=15.0, **CREATE)
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.support.refilling", shop.database_url,
         shop.stripe.secret_key, shop.stripe.url, str(team.id)],
        env={**os.environ, "PYTHONPATH": f"src{os.pathsep}."},
    )  # fmt: skip
    wait_until(lambda: len(shop.charges()) == 1, within_s=20)
    worker.kill()
    worker.wait()
    shop.stripe.delete("faults")
    # The row of the outbox is still there: whoever works on it finds the refill under way.
    refilling.work()
    assert refilling.states(team) == ["pending"]
    shop.pass_time(timedelta(minutes=2))
    refilling.work()
    assert refilling.states(team) == ["paid"]
    assert len(shop.charges()) == 1
    assert shop.balance(team) == START_CENTS - ORDER_CENTS + AMOUNT_CENTS
    assert refilling.setting(team) == (0, True)
    shop.agree(team)


# ----------------------------------------------------------------------------------- jobs run twice


def test_every_job_of_a_refill_may_run_twice(refilling: Refilling) -> None:
    team = refilling.team(DECLINED)
    refilling.order(team)
    (purchase_id,) = refilling.told("refill_due")
    refilling.do(lambda ctx: jobs.refill_due(ctx, purchase_id))
    refilling.do(lambda ctx: jobs.refill_due(ctx, purchase_id))
    top_up_id = refilling.told("refill_ended")[0]
    refilling.do(lambda ctx: jobs.refill_ended(ctx, top_up_id))
    refilling.do(lambda ctx: jobs.refill_ended(ctx, top_up_id))
    assert refilling.states(team) == ["failed"]
    assert refilling.setting(team) == (1, True)
    assert refilling.told("refill_failed") == [top_up_id]
    refilling.do(lambda ctx: jobs.tell_refill_failed(ctx, top_up_id))
    refilling.do(lambda ctx: jobs.tell_refill_failed(ctx, top_up_id))
    assert len(refilling.mails()) == 1
    refilling.do(lambda ctx: jobs.refill_low_accounts(ctx))
    refilling.do(lambda ctx: jobs.refill_low_accounts(ctx))
    assert refilling.states(team) == ["failed"]


def test_what_is_told_of_nothing_does_nothing(refilling: Refilling) -> None:
    nothing = uuid4()
    refilling.do(lambda ctx: jobs.refill_due(ctx, nothing))
    refilling.do(lambda ctx: jobs.refill_ended(ctx, nothing))
    refilling.do(lambda ctx: jobs.tell_refill_failed(ctx, nothing))
    assert refilling.mails() == []
