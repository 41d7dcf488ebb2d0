"""`kill -9` of the API while cards are being charged: each order is paid once, or failed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

from tests.support.buying import CREATE
from tests.support.cards import CardShop
from tests.support.client import certified_and_not
from tests.support.serving import (
    Serving,
    Step,
    hung,
    locked,
    nothing_runs,
    order_until_answered,
    sessions,
    try_to,
    waits_for_a_lock,
)
from tests.support.waiting import wait_until

ORDERS = 50
DECLINED_EACH = 5
"""One order in so many is of a card that is declined."""
LEASE = timedelta(seconds=31)
PATH = "/api/offset-orders"


def test_kill_while_fifty_orders_are_in_flight(shop: CardShop, serving: Serving) -> None:
    good, bad = shop.team(), shop.team("pm_card_visa_chargeDeclined")
    wanted = {f"k{n}": bad if n % DECLINED_EACH == 0 else good for n in range(ORDERS)}
    # Each call takes a while, and every third answer a while longer after it took effect.
    shop.stripe.post("latency", s=0.25)
    for n in range(2, ORDERS, 3):
        shop.stripe.fault("hang", when="after", s=1.0, nth=n, **CREATE)
    with ThreadPoolExecutor(ORDERS) as pool:
        first = {
            key: pool.submit(try_to, partial(shop.order, team, key)) for key, team in wanted.items()
        }
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


def opened(shop: CardShop) -> bool:
    """Whether the order is recorded; what is sent for it hangs."""
    return bool(shop.sql("select 1 from orders.purchase where state = 'pending'"))


STEPS: list[Step] = [
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
            order = pool.submit(try_to, partial(shop.order, team, key))
            wait_until(partial(reached, shop))
            serving.kill()
            assert order.result() is None, name
        serving.start()
        wait_until(lambda: not sessions(shop, "state = 'active'"))
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
