"""Card orders keep the processor's pace: all processes together, and nobody is lost who waits."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from fieldfare.integrations.stripe.pace import MOST_WAITING
from tests.support.cards import INTENTS, CardShop, Team
from tests.support.pacing import (
    Answer,
    busiest,
    calls,
    charged,
    crowd,
    hand_in_look_ups,
    sellers,
    worker_of,
)
from tests.support.waiting import wait_until

PER_SECOND = 40
TOLERANCE = 1.1
TEAMS = 10
BEYOND = 100
BYTES_EACH = 40_000
"""Of memory that one waiting order takes, its connection included."""


@pytest.fixture
def teams(shop: CardShop) -> list[Team]:
    """Some accounts with a card."""
    return [shop.team() for _ in range(TEAMS)]


@pytest.fixture(scope="module")
def pair(open_shop: CardShop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Two processes of the API, and a worker, that keep one rate together."""
    folder = tmp_path_factory.mktemp("pair")
    with (
        sellers(open_shop, folder, 2, per_second=PER_SECOND) as apis,
        worker_of(open_shop, folder, per_second=PER_SECOND),
    ):
        yield [api.base_url for api in apis]


def recorded(shop: CardShop, teams: list[Team]) -> int:
    """Orders that are on record, in whatever state."""
    rows = shop.sql(
        "select count(*) from orders.purchase where account_id = any(%s)", [t.id for t in teams]
    )
    return int(rows[0][0])


def refused(answers: list[Answer]) -> int:
    """How many of them were told that too many wait."""
    return sum(answer.code == "overloaded" for answer in answers)


def test_all_processes_together_keep_the_rate(
    shop: CardShop, teams: list[Team], pair: list[str]
) -> None:
    count, look_ups = 120, 10
    prepared = len(calls(shop))
    hand_in_look_ups(shop, look_ups)
    with crowd(pair, teams, count) as orders:
        answers = orders.wait(60)
    wait_until(lambda: len(calls(shop, "/v1/disputes")) == look_ups, within_s=20)
    assert Counter(answer.status for answer in answers) == {200: count}
    assert busiest(calls(shop)[prepared:]) <= PER_SECOND * TOLERANCE
    assert busiest(calls(shop, "/v1/disputes")) <= PER_SECOND * TOLERANCE / 3
    shop.agree(*teams)


def test_after_a_429_every_process_waits_as_long_as_it_says(
    shop: CardShop, teams: list[Team], pair: list[str]
) -> None:
    count, rest_s = 60, 2
    # What waits within the processes has its turn within this time, and is on its way then.
    ahead_s = 0.6
    shop.stripe.fault("429", path=INTENTS, nth=20, retry_after_s=rest_s)
    with crowd(pair, teams, count) as orders:
        answers = orders.wait(30)
    told = Counter((answer.status, answer.code) for answer in answers)
    assert told == {(200, None): count - 1, (503, "processor_unavailable"): 1}
    (met,) = [call["at"] for call in shop.stripe.truth("requests") if call["status"] == 429]
    instants = calls(shop, INTENTS)
    assert [at - met for at in instants if met + ahead_s < at < met + rest_s] == []
    assert len([at for at in instants if at >= met + rest_s]) > 1
    assert len(instants) == count
    shop.agree(*teams)


def test_hundreds_at_once_are_all_carried_out_once(
    shop: CardShop, teams: list[Team], tmp_path: Path
) -> None:
    count = 300
    with (
        sellers(shop, tmp_path, 1, per_second=150) as (api,),
        crowd([api.base_url], teams, count) as orders,
    ):
        answers = orders.wait(100)
    assert Counter(answer.status for answer in answers) == {200: count}
    assert len({answer.body for answer in answers}) == count
    # A charge whose answer was late is asked for again, under its key: that makes no other.
    assert len(shop.charges()) == recorded(shop, teams) == count
    shop.agree(*teams)


def test_who_hangs_up_while_it_waits_has_made_nothing(
    shop: CardShop, teams: list[Team], tmp_path: Path
) -> None:
    with sellers(shop, tmp_path, 1, per_second=5) as (api,):
        with crowd([api.base_url], teams, 200) as orders:
            wait_until(lambda: len(orders.answers) >= 2)
            orders.hang_up()
            orders.wait(5)
        # Their turns are those of who comes next, who need not wait until they would have passed.
        with crowd([api.base_url], teams, 1) as late:
            (answer,) = late.wait(15)
    assert answer.status == 200
    assert charged(shop) == recorded(shop, teams) <= 60
    shop.settle_all()
    shop.agree(*teams)


def test_whoever_waits_when_its_process_is_killed_is_neither_recorded_nor_charged(
    shop: CardShop, teams: list[Team], tmp_path: Path
) -> None:
    count = 400
    with (
        sellers(shop, tmp_path, 1, per_second=10) as (api,),
        crowd([api.base_url], teams, count) as orders,
    ):
        wait_until(lambda: charged(shop) >= 5)
        api.kill()
        answers = orders.wait(10)
    told = Counter(answer.status for answer in answers)
    assert told[0] >= count - 50, told
    begun = recorded(shop, teams)
    assert told[200] <= begun <= told[200] + 5, (told, begun)
    keys = shop.sql(
        "select count(*) from http.idempotency_key k join orders.purchase p on p.id = k.subject_id"
        " where p.account_id = any(%s)",
        [team.id for team in teams],
    )
    assert keys == [(begun,)]
    shop.settle_all()
    shop.agree(*teams)
    assert recorded(shop, teams) == begun


def test_whoever_waits_when_its_process_is_to_stop_is_told_to_come_again(
    shop: CardShop, teams: list[Team], tmp_path: Path
) -> None:
    with sellers(shop, tmp_path, 1, per_second=5) as (api,):
        with crowd([api.base_url], teams, 100) as orders:
            wait_until(lambda: charged(shop) >= 3)
            os.kill(api.pid, signal.SIGTERM)
            # They would wait for twenty seconds.
            answers = orders.wait(5)
        assert api.stop() == 0
    told = Counter((answer.status, answer.code) for answer in answers)
    assert set(told) == {(200, None), (503, "stopping")}, told
    assert told[200, None] == recorded(shop, teams) <= 20
    shop.agree(*teams)


@pytest.mark.long
def test_ten_thousand_wait_in_bounded_memory_and_who_comes_then_is_refused(
    shop: CardShop, teams: list[Team], tmp_path: Path
) -> None:
    with sellers(shop, tmp_path, 1, per_second=1) as (api,):
        process = psutil.Process(api.pid)
        before = process.memory_info().rss
        with crowd([api.base_url], teams, MOST_WAITING + BEYOND) as orders:
            wait_until(lambda: refused(orders.answers) >= 1, within_s=240, each_s=1)
            time.sleep(5)
            bytes_each = (process.memory_info().rss - before) / MOST_WAITING
            assert bytes_each < BYTES_EACH
            orders.hang_up()
            answers = orders.wait(60)
    told = Counter((answer.status, answer.code) for answer in answers)
    assert told.pop((503, "overloaded")) + told.pop((200, None)) >= BEYOND
    assert set(told) == {(0, None)}
    shop.settle_all()
    shop.agree(*teams)


@pytest.mark.long
def test_ten_thousand_at_once_are_all_carried_out_once(
    shop: CardShop, teams: list[Team], tmp_path: Path
) -> None:
    # Slower than the machine could: one that has no time left lets connections wait unaccepted.
    with (
        sellers(shop, tmp_path, 1, per_second=60) as (api,),
        crowd([api.base_url], teams, MOST_WAITING) as orders,
    ):
        answers = orders.wait(900)
    assert Counter(answer.status for answer in answers) == {200: MOST_WAITING}
    assert charged(shop) == recorded(shop, teams) == MOST_WAITING
    shop.agree(*teams)
