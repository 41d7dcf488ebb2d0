"""What an operator does: `fieldfare refund` of a top-up, killed at each step, and `disputes`."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from fieldfare.payments.service.exceptions import open_exception
from tests.support.cards import CardShop
from tests.support.money_back import held_in, money_back_agrees
from tests.support.refund_shell import LEASE, Hold, Shell, hung, opened, waits_for_a_lock
from tests.support.serving import locked
from tests.support.waiting import wait_until

TEN = 1_000


@pytest.fixture
def shell(shop: CardShop, tmp_path: Path) -> Shell:
    """A shell with the key of the processor."""
    return Shell(shop, tmp_path)


STEPS: list[tuple[str, Hold]] = [
    ("before the credits are taken",
     lambda shop: locked(shop, "lock table ledger.wallet in exclusive mode")),
    ("before the last write of what is asked",
     lambda shop: locked(shop, "lock table notifications.outbox in exclusive mode")),
    ("sent and not yet made", lambda shop: hung(shop, "before")),
    ("made and not yet answered", lambda shop: hung(shop, "after")),
    ("answered, before the last write of what went back",
     lambda shop: locked(shop, "lock table payments.top_up in share mode")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "hold"), STEPS, ids=[step[0] for step in STEPS])
def test_killed_at_each_step_it_goes_back_once(
    shop: CardShop, shell: Shell, name: str, hold: Hold
) -> None:
    team = shop.team()
    charge_id = shop.top_up(team, cents=TEN).json()["id"]
    suspense = held_in(shop, "suspense")
    with hold(shop):
        process = shell.start(charge_id, "--amount", "4.00", "--key", "t1")
        reached = opened if "made" in name else waits_for_a_lock
        wait_until(partial(reached, shop), within_s=20)
        process.kill()
        process.communicate(timeout=10)
    wait_until(lambda: not shop.sql(
        "select 1 from pg_stat_activity where datname = current_database()"
        " and application_name = 'fieldfare-cli' and state <> 'idle'"
    ))  # fmt: skip
    assert shop.findings() == []
    shop.pass_time(LEASE)
    assert shell.run(charge_id, "--amount", "4.00", "--key", "t1")[0].startswith("4.00 USD went")
    shop.settle_all()
    assert shop.balance(team) == TEN - 400
    assert held_in(shop, "suspense") == suspense
    assert len(shop.stripe.truth("refunds")) == 1
    money_back_agrees(shop, team)


def test_killed_and_never_asked_again_its_timer_ends_it(shop: CardShop, shell: Shell) -> None:
    team = shop.team()
    charge_id = shop.top_up(team, cents=TEN).json()["id"]
    with hung(shop, "after"):
        process = shell.start(charge_id)
        wait_until(lambda: len(shop.stripe.truth("refunds")) == 1, within_s=20)
        process.kill()
        process.communicate(timeout=10)
    assert shop.balance(team) == 0
    # On a busy machine the answer may have come before the kill.
    assert {"settled", "settled before"} & set(shop.settle_all())
    money_back_agrees(shop, team)


def test_spent_credits_are_told_with_what_can_go_back(shop: CardShop, shell: Shell) -> None:
    team = shop.team()
    charge_id = shop.top_up(team, cents=TEN).json()["id"]
    assert shop.order(team, paymentMethod="credits").status_code == 200
    said = shell.refused(charge_id)
    assert "takes $10.00 of credits back, and the wallet holds $2.96" in said
    assert "--amount" in said
    assert shell.run(charge_id, "--amount", "2.96")[0].startswith("2.96 USD went back")
    money_back_agrees(shop, team)


def command(shell: Shell, *words: str | bytes, code: int = 0) -> list[str]:
    """What a command of ours prints, on stderr too, and ends with."""
    done = subprocess.run(
        [sys.executable, "-m", "fieldfare.cli.main", *words],
        env=shell.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout.splitlines()


def run_disputes(shell: Shell, *words: str) -> list[str]:
    """What `fieldfare disputes` prints."""
    return command(shell, "disputes", *words)


def test_open_disputes_are_listed_until_they_are_decided(shop: CardShop, shell: Shell) -> None:
    assert run_disputes(shell) == ["No dispute is open."]
    team = shop.team()
    order = shop.order(team).json()
    charge_id = shop.top_up(team, cents=TEN).json()["id"]
    first = shop.dispute(order["id"], reason="product_not_received")
    shop.stripe.advance(60)
    second = shop.dispute(charge_id)
    shop.flush_events()
    shop.work()
    said = run_disputes(shell)
    assert said[0].startswith(f"{first}  7.04 USD, product_not_received, since 20")
    assert said[1] == f"  account {team.id}, order {order['purchaseId']} ({order['id']})"
    assert said[2].startswith(f"{second}  10.00 USD, fraudulent, since 20")
    assert f"({charge_id})" in said[3]
    assert said[4] == "2 open."
    shop.dispute(order["id"], "won")
    shop.dispute(charge_id, "lost")
    shop.flush_events()
    shop.work()
    assert run_disputes(shell) == ["No dispute is open."]
    money_back_agrees(shop, team)


def test_what_an_account_owes_is_told_with_what_it_holds(shop: CardShop, shell: Shell) -> None:
    team = shop.team()
    charge_id = shop.top_up(team, cents=TEN).json()["id"]
    ask = ("credits", "balance", "--account", str(team.id))
    assert command(shell, *ask) == ["$10.00"]
    assert shop.order(team, paymentMethod="credits").status_code == 200
    shop.dispute(charge_id, "lost")
    shop.flush_events()
    shop.work()
    assert command(shell, *ask) == ["$0.00", "It owes $7.04, which the next top-up pays first."]


@pytest.mark.parametrize("reason", [b"\xff\xfe", "", " ", "x" * 501, "a\x07b"])
def test_an_exception_is_closed_only_with_words_that_can_be_kept(
    shop: CardShop, shell: Shell, reason: str | bytes
) -> None:
    shop.stage.write(lambda conn: open_exception(conn, "mismatch", "ch_1", "A test"))
    (one,) = shop.exceptions()
    resolve = ("exceptions", "resolve", str(one.id), "--reason")
    (said,) = command(shell, *resolve, reason, code=1)
    assert said.startswith("fieldfare: ")
    assert shop.exceptions() == [one]
    assert command(shell, *resolve, " of the\nother shop ") == ["It is off the list."]
    assert shop.exceptions() == []
    assert shop.sql("select resolution from payments.exception where id = %s", one.id) == [
        ("of the other shop",)
    ]


def test_help_shows_how(shell: Shell) -> None:
    assert "Example: fieldfare disputes" in " ".join(run_disputes(shell, "--help"))
