"""`kill -9` of the API while cards are being charged: each order is paid once, or failed."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import psycopg
import pytest

from tests.support.cards import INTENTS, CardShop, card_shop
from tests.support.client import certified_and_not
from tests.support.serving import Serving, nothing_runs, order_until_answered, try_to_order
from tests.support.waiting import wait_until

ORDERS = 50
DECLINED_EACH = 5
"""One order in so many is of a card that is declined."""
LEASE = timedelta(seconds=31)
CREATE = {"method": "POST", "path": INTENTS}
PATH = "/api/offset-orders"


@pytest.fixture(scope="module")
def shop(server_url: str, template: str) -> Iterator[CardShop]:
    """A shop whose API is a process of the test's own."""
    with card_shop(server_url, template) as opened:
        yield opened


@pytest.fixture
def serving(shop: CardShop, tmp_path: Path) -> Iterator[Serving]:
    """The API as a process, with nothing of other tests."""
    shop.begin()
    process = Serving(shop, tmp_path / "api.log")
    try:
        yield process
    finally:
        process.stop()


def test_kill_while_fifty_orders_are_in_flight(shop: CardShop, serving: Serving) -> None:
    good, bad = shop.team(), shop.team("pm_card_visa_chargeDeclined")
    wanted = {f"k{n}": bad if n % DECLINED_EACH == 0 else good for n in range(ORDERS)}
    # Each call takes a while, and every third answer a while longer after it took effect.
    shop.stripe.post("latency", s=0.25)
    for n in range(2, ORDERS, 3):
        shop.stripe.fault("hang", when="after", s=1.0, nth=n, **CREATE)
    with ThreadPoolExecutor(ORDERS) as pool:
        first = {key: pool.submit(try_to_order, shop, team, key) for key, team in wanted.items()}
        wait_until(lambda: len(shop.charges()) >= ORDERS // 5, within_s=20)
        serving.kill()
        statuses = {key: one.result() for key, one in first.items()}
    assert list(statuses.values()).count(None) > ORDERS // 5
    serving.start()
    shop.stripe.post("latency", s=0.0)
    shop.stripe.delete("faults")
    wait_until(lambda: nothing_runs(shop))
    shop.pass_time(LEASE)

    answers = {key: order_until_answered(shop, team, key) for key, team in wanted.items()}
    shop.settle_all()
    for key, team in wanted.items():
        assert answers[key].status_code == (400 if team is bad else 200), answers[key].text
        assert statuses[key] in {None, answers[key].status_code}
    said = {answers[key].json()["id"] for key, team in wanted.items() if team is good}
    rows = certified_and_not(shop.get(PATH, good).json())
    assert {row["order_group_id"] for row in rows} == said
    assert len(said) == len(rows) == ORDERS - ORDERS // DECLINED_EACH
    assert certified_and_not(shop.get(PATH, bad).json()) == []
    shop.agree(good, bad)


# --------------------------------------------------------------------------------- at each step


@contextmanager
def locked(shop: CardShop, statement: str) -> Iterator[None]:
    """Hold up whoever needs what `statement` locks."""
    with psycopg.connect(shop.database_url) as conn:
        conn.execute(statement)
        yield
        conn.rollback()


@contextmanager
def hung(shop: CardShop, when: str) -> Iterator[None]:
    """Hold up the processor's answer to the charge."""
    shop.stripe.fault("hang", when=when, s=1.0, **CREATE)
    yield


def waits_for_a_lock(shop: CardShop) -> bool:
    """Whether a session of the API waits for another one."""
    return bool(shop.sql(
        "select 1 from pg_stat_activity where datname = current_database()"
        " and application_name = 'fieldfare-api' and wait_event_type = 'Lock'"
    ))  # fmt: skip


def opened(shop: CardShop) -> bool:
    """Whether the order is recorded; what is sent for it hangs."""
    return bool(shop.sql("select 1 from orders.purchase where state = 'pending'"))


Hold = Callable[[CardShop], AbstractContextManager[None]]
STEPS: list[tuple[str, Hold, Callable[[CardShop], bool]]] = [
    (
        "before anything is recorded",
        lambda shop: locked(shop, "lock table orders.purchase in exclusive mode"),
        waits_for_a_lock,
    ),
    (
        "in the statement that opens it",
        lambda shop: locked(shop, "lock table notifications.outbox in exclusive mode"),
        waits_for_a_lock,
    ),
    ("sent and not yet charged", lambda shop: hung(shop, "before"), opened),
    ("charged and not yet answered", lambda shop: hung(shop, "after"),
     lambda shop: bool(shop.charges())),
    (
        "answered, before anything of it is written",
        lambda shop: locked(shop, "lock table payments.payment in share mode"),
        waits_for_a_lock,
    ),
    (
        "in the middle of writing what was paid",
        lambda shop: locked(shop, "lock table orders.line in exclusive mode"),
        waits_for_a_lock,
    ),
    (
        "before the last write of what was paid",
        lambda shop: locked(shop, "lock table ledger.wallet in exclusive mode"),
        waits_for_a_lock,
    ),
]  # fmt: skip


def test_kill_at_each_step(shop: CardShop, serving: Serving) -> None:
    team = shop.team()
    for number, (name, hold, reached) in enumerate(STEPS):
        shop.stripe.delete("faults")
        key = f"step {number}"
        with ThreadPoolExecutor(1) as pool, hold(shop):
            order = pool.submit(try_to_order, shop, team, key)
            wait_until(partial(reached, shop))
            serving.kill()
            assert order.result() is None, name
        serving.start()
        wait_until(lambda: nothing_waits(shop))
        answer = shop.order(team, key)
        assert answer.status_code in {200, 409}, f"{name}: {answer.text}"
        shop.pass_time(LEASE)
        wait_until(lambda: nothing_runs(shop))
        answer = order_until_answered(shop, team, key)
        assert answer.status_code == 200, f"{name}: {answer.text}"
        shop.settle_all()
        assert len(shop.charges()) == number + 1, name
        shop.agree(team)
    rows = certified_and_not(shop.get(PATH, team).json())
    assert len(rows) == len(STEPS)


def nothing_waits(shop: CardShop) -> bool:
    """Whether the server is done with the sessions of the process that was killed."""
    return not shop.sql(
        "select 1 from pg_stat_activity where datname = current_database()"
        " and application_name = 'fieldfare-api' and state = 'active'"
    )
