"""`fieldfare refund` as an operator uses it, down to its exit codes, and killed at each step."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from fieldfare.ledger.service.credits import adjust_credits
from tests.support.cards import CardShop, Team, card_shop
from tests.support.refund_shell import LEASE, Hold, Shell, hung, opened, waits_for_a_lock
from tests.support.refunds import CREATE, REFUNDS, bought, refunded_minor, standing
from tests.support.serving import locked
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def open_shop(server_url: str, template: str) -> Iterator[CardShop]:
    """One API and simulator for the module."""
    with card_shop(server_url, template) as shop:
        shop.set_rate("JPY", "157.31", datetime.now(UTC).date())
        shop.set_rate("KWD", "0.3071", datetime.now(UTC).date())
        yield shop


@pytest.fixture
def shell(shop: CardShop, tmp_path: Path) -> Shell:
    """A shell with the key of the processor."""
    return Shell(shop, tmp_path)


def rich_team(shop: CardShop) -> Team:
    """An account with $100.00 of credits and no card."""
    team = shop.team(card=None)
    shop.stage.write(
        lambda conn: adjust_credits(conn, team.id, change_cents=10_000, reason="A test")
    )
    return team


def test_an_order_is_refunded_by_its_charge_in_parts(shop: CardShop, shell: Shell) -> None:
    team = shop.team()
    purchase_id, charge_id = bought(shop, team)
    part = shell.run(charge_id, "--amount", "5.00", "--reason", "Ticket 4711")
    assert part[0].startswith("5.00 USD went back to the card, refund ")
    assert part[1] == "With it went 0.319602272 t CO₂e."
    assert part[2] == f"Order {charge_id} is partly refunded: 5.00 USD of 7.04 USD is back."
    rest = shell.run(purchase_id)
    assert rest[0].startswith("2.04 USD went back")
    assert rest[2].endswith("is refunded: 7.04 USD of 7.04 USD is back.")
    assert shop.sql("select reason from orders.refund where purchase_id = %s order by created_at",
                    purchase_id) == [("Ticket 4711",), ("Asked for by an operator",)]  # fmt: skip
    assert "refunded already" in shell.refused(charge_id)
    shop.agree(team)


def test_credits_go_back_without_a_processor(shop: CardShop, tmp_path: Path) -> None:
    shell, team = Shell(shop, tmp_path, has_key=False), rich_team(shop)
    purchase_id = shop.order(team, paymentMethod="credits").json()["purchaseId"]
    said = shell.run(purchase_id, "--amount", "0.04", "--key", "t1")
    assert said[0].startswith("0.04 USD went back to the credits, refund ")
    assert shell.run(purchase_id, "--amount", "0.04", "--key", "t1") == said
    assert shop.balance(team) == 10_000 - 700
    by_card, _ = bought(shop, shop.team())
    assert "FIELDFARE_STRIPE_KEY" in shell.refused(by_card)
    assert shop.sql("select count(*) from orders.refund where purchase_id = %s", by_card) == [(0,)]


def test_trees_go_back(shop: CardShop, shell: Shell) -> None:
    team = rich_team(shop)
    body = {"amountOfTrees": 4, "paymentMethod": "credits"}
    answer = shop.post(body, team, path="/api/tree-orders").json()
    charged = answer["amountCharged"]
    said = shell.run(answer["purchaseId"], "--amount", f"{charged / 200:.2f}")
    assert said[1] == "With it went 2 trees."
    assert standing(shop, answer["purchaseId"])[1] == 2
    assert shop.findings() == []


def test_a_top_up_is_refunded_by_its_charge(shop: CardShop, shell: Shell) -> None:
    team = shop.team()
    charge_id = shop.top_up(team).json()["id"]
    said = shell.run(charge_id, "--amount", "20", "--key", "t1")
    assert said[0].startswith("20.00 USD went back to the card, refund ")
    assert said[1] == "$20.00 of credits left the wallet with it."
    assert shell.run(charge_id, "--amount", "20", "--key", "t1") == said
    assert shop.balance(team) == 3_000
    shop.agree(team)


@pytest.mark.parametrize(
    ("currency", "amount", "said"),
    [
        ("JPY", "5", "5 JPY went back"),
        ("KWD", "0.1", "0.100 KWD went back"),
    ],
)
def test_amounts_are_in_the_charges_currency(
    shop: CardShop, shell: Shell, currency: str, amount: str, said: str
) -> None:
    team = shop.team(currency=currency)
    _, charge_id = bought(shop, team)
    assert shell.run(charge_id, "--amount", amount)[0].startswith(said)
    shop.agree(team)


@pytest.mark.parametrize(
    ("currency", "words", "said"),
    [
        ("USD", ["--amount", "7.05"], "7.04 USD can still go back"),
        ("USD", ["--amount", "0.001"], "USD has 2 decimals"),
        ("USD", ["--amount", "0"], "positive multiple of 0.01"),
        ("JPY", ["--amount", "5.5"], "JPY has 0 decimals"),
        ("KWD", ["--amount", "0.005"], "positive multiple of 0.01"),
    ],
)
def test_an_amount_that_cannot_be_is_refused(
    shop: CardShop, shell: Shell, currency: str, words: list[str], said: str
) -> None:
    purchase_id, charge_id = bought(shop, shop.team(currency=currency))
    assert said in shell.refused(charge_id, *words)
    assert refunded_minor(shop, purchase_id) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ch_1", "--amount", "five"], "write a number"),
        (["ch_1", "--amount", "1e400"], "write a number"),
        (["ch_1", "--reason", "  "], "say why"),
        (["ch_1", "--reason", "x" * 501], "at most 500 characters"),
        (["ch_1", "--key", ""], "visible ASCII"),
        (["ch_1", "--key", "a b"], "visible ASCII"),
    ],
)
def test_what_cannot_be_read_is_told(shell: Shell, words: list[str], said: str) -> None:
    # A terminal's frame may break a line anywhere.
    assert said.replace(" ", "") in shell.refused(*words, code=2).replace(" ", "").replace("│", "")


@pytest.mark.parametrize(
    "group_id", ["ch_nobody", "-", "ch 1", "ü", "0193a0f4-7c1e-7a52-9d8e-2b0d5a3c1f6e"]
)
def test_an_order_that_is_not_there_is_told(shell: Shell, group_id: str) -> None:
    assert "There is no such order" in shell.refused("--", group_id)


def test_an_outcome_that_nobody_knows_is_told_plainly(shop: CardShop, shell: Shell) -> None:
    team = shop.team()
    _, charge_id = bought(shop, team)
    shop.stripe.fault("500", **CREATE)
    said = shell.refused(charge_id, "--key", "t1")
    assert "has not said whether refund" in said
    assert "Do not refund again" in said
    assert "has not said" in shell.refused(charge_id, "--key", "t1")
    assert "on its way back" in shell.refused(charge_id)
    shop.stripe.delete("faults")


def test_a_refund_that_takes_its_time_is_told_as_such(shop: CardShop, shell: Shell) -> None:
    team = shop.team("pm_card_pendingRefund")
    purchase_id, charge_id = bought(shop, team)
    (said,) = shell.run(charge_id)
    assert "takes its time" in said
    assert "do not refund again" in said
    shop.pass_time(timedelta(hours=1))
    shop.work()
    assert shop.state(purchase_id) == "refunded"
    shop.agree(team)


def test_help_shows_how(shell: Shell) -> None:
    said = " ".join(" ".join(shell.run("--help")).split())
    assert "Example: fieldfare refund ch_" in said
    assert "--amount 5.00 --reason" in said


# ------------------------------------------------------------------------------------ kill -9


STEPS: list[tuple[str, Hold, Callable[[CardShop], bool]]] = [
    ("before anything is recorded",
     lambda shop: locked(shop, "lock table payments.refund in exclusive mode"), waits_for_a_lock),
    ("before the last write of what is asked",
     lambda shop: locked(shop, "lock table notifications.outbox in exclusive mode"),
     waits_for_a_lock),
    ("sent and not yet made", lambda shop: hung(shop, "before"), opened),
    ("made and not yet answered", lambda shop: hung(shop, "after"),
     lambda shop: len(shop.stripe.truth("refunds")) == 1),
    ("answered, before anything of it is written",
     lambda shop: locked(shop, "lock table orders.refund_line in exclusive mode"),
     waits_for_a_lock),
    ("before the last write of what went back",
     lambda shop: locked(shop, "lock table ledger.wallet in exclusive mode"), waits_for_a_lock),
]  # fmt: skip


@pytest.mark.parametrize(("name", "hold", "reached"), STEPS, ids=[step[0] for step in STEPS])
def test_killed_at_each_step_it_is_made_once(
    shop: CardShop, shell: Shell, name: str, hold: Hold, reached: Callable[[CardShop], bool]
) -> None:
    assert name
    team = shop.team()
    purchase_id, charge_id = bought(shop, team)
    with hold(shop):
        process = shell.start(charge_id, "--amount", "5.00", "--key", "t1")
        wait_until(partial(reached, shop), within_s=20)
        process.kill()
        process.communicate(timeout=10)
    wait_until(lambda: not shop.sql(
        "select 1 from pg_stat_activity where datname = current_database()"
        " and application_name = 'fieldfare-cli' and state <> 'idle'"
    ))  # fmt: skip
    # What the processor was sent before the kill it carries out.
    wait_until(
        lambda: len(shop.sent(path=REFUNDS)) == len(shop.stripe.truth("refunds")), within_s=10
    )
    shop.pass_time(LEASE)
    assert shell.run(charge_id, "--amount", "5.00", "--key", "t1")[0].startswith("5.00 USD went")
    shop.settle_all()
    assert refunded_minor(shop, purchase_id) == 500
    assert len(shop.stripe.truth("refunds")) == 1
    shop.agree(team)


def test_killed_and_never_asked_again_its_timer_ends_it(shop: CardShop, shell: Shell) -> None:
    team = shop.team()
    purchase_id, charge_id = bought(shop, team)
    with hung(shop, "before"):
        process = shell.start(charge_id)
        wait_until(partial(opened, shop), within_s=20)
        process.kill()
        process.communicate(timeout=10)
    assert "settled" in shop.settle_all()
    assert shop.state(purchase_id) == "refunded"
    shop.agree(team)
