"""Rounds of orders under random faults and `kill -9`: none lost, none charged twice.

Each round draws its faults and the instant of the kill from its seed, so that a round that fails
can be run again. `make test` runs one round, `make chaos` many.
"""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from tests.support.cards import INTENTS, CardShop, Team
from tests.support.serving import Serving, nothing_runs, try_to
from tests.support.waiting import wait_until

ORDERS = 24
KINDS = ("500", "429", "reset", "half", "hang")
FAULTS = 8
LEASE = timedelta(seconds=31)
PROVEN = timedelta(hours=50)
SETTLED = {200, 400}
UNKNOWN = 502


@pytest.mark.parametrize("seed", [1])
def test_a_round(shop: CardShop, tmp_path: Path, seed: int) -> None:
    run_round(shop, tmp_path, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 32))
def test_many_rounds(shop: CardShop, tmp_path: Path, seed: int) -> None:
    run_round(shop, tmp_path, seed)


def run_round(shop: CardShop, folder: Path, seed: int) -> None:
    """Orders under the faults of `seed`, a kill amid them, a restart, retries, and the books."""
    chance = random.Random(seed)
    serving = Serving(shop, folder / "api.log")
    try:
        team = shop.team()
        script_faults(shop, chance)
        keys = [f"round-{seed}-{n}" for n in range(ORDERS)]
        with ThreadPoolExecutor(ORDERS) as pool:
            tries = {key: pool.submit(try_to, partial(shop.order, team, key)) for key in keys}
            time.sleep(chance.uniform(0.0, 1.2))
            serving.kill()
            statuses = {key: one.result() for key, one in tries.items()}
        serving.start()
        shop.stripe.delete("faults")
        shop.stripe.post("latency", s=0.0)
        wait_until(lambda: nothing_runs(shop))
        shop.pass_time(LEASE)
        answers = {key: ask_again(shop, team, key) for key in keys}
        if UNKNOWN in answers.values():
            # The processor repeats a 500 for as long as it knows the key: only time proves it.
            shop.pass_time(PROVEN)
            shop.settle_all()
            answers = {key: ask_again(shop, team, key) for key in keys}
        shop.settle_all()
        for key in keys:
            # What was told as paid or declined before the kill is told so after it.
            assert answers[key] in SETTLED
            assert statuses[key] not in SETTLED or statuses[key] == answers[key]
        shop.agree(team)
    finally:
        serving.stop()


def script_faults(shop: CardShop, chance: random.Random) -> None:
    """Faults on some of the next calls, before or after they take effect."""
    shop.stripe.post("latency", s=chance.choice((0.0, 0.1, 0.3)))
    for _ in range(FAULTS):
        shop.stripe.fault(
            chance.choice(KINDS),
            when=chance.choice(("before", "after")),
            nth=chance.randint(1, ORDERS),
            s=0.8,
            method=chance.choice(("POST", "GET")),
            path=INTENTS,
        )


def ask_again(shop: CardShop, team: Team, key: str) -> int:
    """The status of an order after the background has done what it can: settled, or unknown."""
    shop.settle_all()
    for _ in range(5):
        status = shop.order(team, key).status_code
        if status in SETTLED:
            return status
        assert status in {409, UNKNOWN, 503}
    return UNKNOWN
