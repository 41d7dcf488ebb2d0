"""`kill -9` of the API at each step of a top-up: it is charged once and credited once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest

from tests.support.buying import Buying
from tests.support.cards import TOP_UP_CENTS, CardShop
from tests.support.serving import (
    Serving,
    Step,
    hung,
    locked,
    nothing_runs,
    sessions,
    try_to,
    waits_for_a_lock,
)
from tests.support.waiting import wait_until

LEASE = timedelta(seconds=31)


def pending(shop: CardShop) -> set[str]:
    """The top-ups that are not settled."""
    rows = shop.sql("select id::text from payments.top_up where state = 'pending'")
    return {row[0] for row in rows}


STEPS: list[Step] = [
    (
        "before anything is recorded",
        lambda shop: locked(shop, "lock table payments.top_up in exclusive mode"),
        waits_for_a_lock,
    ),
    (
        "in the statement that opens it",
        lambda shop: locked(shop, "lock table notifications.outbox in exclusive mode"),
        waits_for_a_lock,
    ),
    (
        "sent and not yet charged",
        lambda shop: hung(shop, "before"),
        lambda shop: bool(pending(shop)),
    ),
    (
        "charged and not yet answered",
        lambda shop: hung(shop, "after"),
        lambda shop: not pending(shop).isdisjoint(
            charge["metadata"]["subject_id"] for charge in shop.charges()
        ),
    ),
    (
        "paid, and before the credit",
        lambda shop: locked(shop, "lock table ledger.wallet in exclusive mode"),
        waits_for_a_lock,
    ),
    (
        "between the credit and the card's side",
        lambda shop: locked(shop, "lock table ledger.journal in exclusive mode"),
        waits_for_a_lock,
    ),
]  # fmt: skip


CHARGED = slice(3, None)
"""The steps at which an event tells of the charge."""


@pytest.mark.parametrize(
    ("healer", "steps"), [("retry", slice(0, None)), ("timer", CHARGED), ("event", CHARGED)]
)
def test_kill_at_each_step(
    shop: CardShop, serving: Serving, topping_up: Buying, healer: str, steps: slice
) -> None:
    team = shop.team()
    for number, (name, hold, reached) in enumerate(STEPS[steps], start=1):
        shop.stripe.delete("faults")
        key = f"step {number}"
        with ThreadPoolExecutor(1) as pool, hold(shop):
            running = pool.submit(try_to, partial(shop.top_up, team, key))
            wait_until(partial(reached, shop))
            serving.kill()
            assert running.result() is None, name
        serving.start()
        wait_until(lambda: not sessions(shop, "state = 'active'"))
        wait_until(lambda: nothing_runs(shop))
        if healer == "event":
            shop.hear()
        shop.pass_time(LEASE)
        if healer == "timer":
            shop.settle_all()
        if healer != "retry":
            assert shop.balance(team) == number * TOP_UP_CENTS, name
        answer = shop.top_up(team, key)
        assert answer.status_code == 200, f"{name}: {answer.text}"
        assert answer.json()["creditBalance"] == number * TOP_UP_CENTS, name
        shop.settle_all()
        topping_up.settled(team, number)
