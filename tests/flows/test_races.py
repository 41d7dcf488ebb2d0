"""Races between processes: for a key, for a balance, for what of a payment can still go back.

Two API processes and two operators' commands work on one database; afterwards the books, the wallet
and the processor must tell of exactly as much as there was.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from uuid import UUID

import httpx
import msgspec
import pytest

from fieldfare.kernel.errors import ProblemError
from fieldfare.orders.service.refund import refund_order
from tests.support.cards import CardShop, Team, environment_of
from tests.support.client import REPLAYED, assert_refused
from tests.support.kinds import KIND_CENTS, KINDS, TOP_UP, Kind, with_credits
from tests.support.processes import ApiProcess
from tests.support.refunds import bought, refunded_minor
from tests.support.rivals import rival, waiting_sessions
from tests.support.waiting import wait_until

CENTS = 100 * KIND_CENTS
CARD = "pm_card_visa"
PROCESSES = 2
CLIENTS = 24
ORDER_CENTS = 704
PATHS = {**KINDS, "top-up": TOP_UP}


@pytest.fixture(scope="module")
def processes(
    open_shop: CardShop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[ApiProcess]]:
    """The API twice, on the same database and processor."""
    folder = tmp_path_factory.mktemp("races")
    started = [
        ApiProcess(
            open_shop.database_url, folder / f"api-{n}.log", environment=environment_of(open_shop)
        )
        for n in range(PROCESSES)
    ]
    try:
        for process in started:
            process.wait_until_ready()
        yield started
    finally:
        for process in started:
            process.stop()


class Request(msgspec.Struct, frozen=True):
    """Something that a client sends."""

    kind: Kind
    team: Team
    key: str | None = None
    other: bool = False
    """Whether it is the other order of its kind."""


def send_at_once(processes: list[ApiProcess], requests: list[Request]) -> list[httpx.Response]:
    """Send all of these at the same time, in turn to one process and the other."""

    def send(number: int) -> httpx.Response:
        asked, process = requests[number], processes[number % len(processes)]
        headers = {"Authorization": f"Bearer {asked.team.token}"}
        if asked.key is not None:
            headers["Idempotency-Key"] = asked.key
        body = asked.kind.other_body if asked.other else asked.kind.body
        if asked.kind is not TOP_UP:
            body = {"paymentMethod": "credits", **body}
        url = f"{process.base_url}{asked.kind.path}"
        return httpx.post(url, json=body, headers=headers, timeout=60)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(send, range(len(requests))))


def made(shop: CardShop, *teams: Team) -> int:
    """How many orders and top-ups these accounts have."""
    ids = [team.id for team in teams]
    orders = shop.sql("select count(*) from orders.purchase where account_id = any(%s)", ids)
    top_ups = shop.sql("select count(*) from payments.top_up where account_id = any(%s)", ids)
    return int(orders[0][0] + top_ups[0][0])


# ------------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize("kind", PATHS.values(), ids=PATHS)
def test_of_two_bodies_with_one_key_one_takes_effect(
    shop: CardShop, processes: list[ApiProcess], kind: Kind
) -> None:
    team = with_credits(shop, CENTS, CARD)
    wave = [Request(kind, team, "k", other=number % 4 >= 2) for number in range(24)]
    answers = send_at_once(processes, wave)
    assert {one.status_code for one in answers} <= {200, 409, 422}
    done = [one for one in answers if one.status_code == 200]
    winners = {asked.other for asked, one in zip(wave, answers, strict=True) if one in done}
    assert (len(winners), len({one.content for one in done})) == (1, 1)
    assert sum(REPLAYED not in one.headers for one in done) == 1
    assert made(shop, team) == 1
    other = winners == {True}
    (again, refused) = send_at_once(
        processes, [Request(kind, team, "k", other), Request(kind, team, "k", not other)]
    )
    assert (again.content, again.headers[REPLAYED]) == (done[0].content, "true")
    assert_refused(refused, 422, "idempotency_mismatch", "Idempotency-Key")
    assert made(shop, team) == 1
    shop.agree(team)


def test_one_key_stands_for_another_thing_on_each_path_and_for_each_account(
    shop: CardShop, processes: list[ApiProcess]
) -> None:
    teams = [with_credits(shop, CENTS, CARD) for _ in range(2)]
    places = list(product(PATHS.values(), teams))
    wave = [Request(kind, team, "k") for kind, team in places for _ in range(6)]
    answers = send_at_once(processes, wave)
    assert {one.status_code for one in answers} <= {200, 409}
    said: dict[tuple[str, int], set[bytes]] = {}
    for asked, one in zip(wave, answers, strict=True):
        if one.status_code == 200:
            said.setdefault((asked.kind.path, asked.team.id), set()).add(one.content)
    assert [len(bodies) for bodies in said.values()] == [1] * len(places)
    assert len(set.union(*said.values())) == made(shop, *teams) == len(places)
    for kind, team in places:
        (again,) = send_at_once(processes, [Request(kind, team, "k")])
        assert {again.content} == said[kind.path, team.id]
        (refused,) = send_at_once(processes, [Request(kind, team, "k", other=True)])
        assert_refused(refused, 422, "idempotency_mismatch", "Idempotency-Key")
    assert made(shop, *teams) == len(places)
    shop.agree(*teams)


# ---------------------------------------------------------------------------------------- balances


@pytest.mark.parametrize("rest_cents", [0, KIND_CENTS - 1])
def test_two_hundred_orders_of_all_kinds_spend_a_balance_and_no_more(
    shop: CardShop, processes: list[ApiProcess], rest_cents: int
) -> None:
    affordable = 61
    team = with_credits(shop, affordable * KIND_CENTS + rest_cents)
    kinds = list(KINDS.values())
    answers = send_at_once(processes, [Request(kinds[n % 3], team) for n in range(200)])
    assert Counter(one.status_code for one in answers) == {200: affordable, 400: 200 - affordable}
    assert {one.json()["code"] for one in answers if one.status_code == 400} == {
        "insufficient_credits"
    }
    done = [one.json() for one in answers if one.status_code == 200]
    assert {one["amountCharged"] for one in done} == {KIND_CENTS}
    assert sorted(one["creditsRemaining"] for one in done) == [
        rest_cents + KIND_CENTS * n for n in range(affordable)
    ]
    assert shop.balance(team) == rest_cents
    bought_kinds = shop.sql(
        "select kind, count(*) from orders.purchase where account_id = %s group by kind", team.id
    )
    assert {kind for kind, _ in bought_kinds} == {"offset", "tree", "project"}
    assert sum(count for _, count in bought_kinds) == affordable
    assert shop.findings() == []


# ----------------------------------------------------------------------------------------- refunds


def refund_twice(shop: CardShop, lock: str, *commands: tuple[str, ...]) -> list[tuple[int, str]]:
    """Let operators refund at the same time, held up until both wait; exit codes and complaints."""
    environment = {
        **os.environ, **environment_of(shop),
        "DATABASE_URL": shop.database_url, "PYTHONPATH": "src",
    }  # fmt: skip
    with rival(shop.database_url, lock):
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "fieldfare.cli.main", "refund", *words],
                env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )
            for words in commands
        ]  # fmt: skip
        wait_until(lambda: len(waiting_sessions(shop.database_url)) == len(commands), within_s=30)
    said = [process.communicate(timeout=60)[1] for process in running]
    return [
        (process.returncode, " ".join(text.split()))
        for process, text in zip(running, said, strict=True)
    ]


@pytest.mark.parametrize("method", ["stripe", "credits"])
@pytest.mark.parametrize("amount", [None, "4.00"], ids=["whole", "more than half"])
def test_two_operators_refund_one_order(shop: CardShop, method: str, amount: str | None) -> None:
    team = with_credits(shop, CENTS, CARD)
    purchase_id, _ = bought(shop, team, paymentMethod=method)
    command = (purchase_id, *(() if amount is None else ("--amount", amount)))
    lock = f"select from orders.purchase where id = '{purchase_id}' for update"
    ends = refund_twice(shop, lock, command, command)
    assert sorted(code for code, _ in ends) == [0, 1]
    (complaint,) = [text for code, text in ends if code == 1]
    assert "refunded already" in complaint or "still go back" in complaint or "way" in complaint
    back = ORDER_CENTS if amount is None else 400
    assert refunded_minor(shop, purchase_id) == back
    by_card = method == "stripe"
    assert shop.balance(team) == (CENTS if by_card else CENTS - ORDER_CENTS + back)
    assert [one["amount"] for one in shop.stripe.truth("refunds")] == ([back] if by_card else [])
    shop.settle_all()
    shop.agree(team)


@pytest.mark.parametrize("amount", [None, "4.00"], ids=["whole", "more than half"])
def test_two_operators_refund_one_top_up(shop: CardShop, amount: str | None) -> None:
    team = shop.team()
    charge_id = shop.top_up(team, None, ORDER_CENTS).json()["id"]
    command = (charge_id, *(() if amount is None else ("--amount", amount)))
    lock = f"select from payments.top_up where charge_id = '{charge_id}' for update"
    ends = refund_twice(shop, lock, command, command)
    assert sorted(code for code, _ in ends) == [0, 1]
    back = ORDER_CENTS if amount is None else 400
    assert shop.balance(team) == ORDER_CENTS - back
    assert [one["amount"] for one in shop.stripe.truth("refunds")] == [back]
    shop.settle_all()
    shop.agree(team)


def test_refunds_race_lost_disputes_of_the_same_orders(shop: CardShop) -> None:
    team = shop.team()
    orders = [bought(shop, team) for _ in range(8)]
    shop.hear()
    shop.stripe.post("events", paused=False)

    def ask(purchase_id: str) -> str:
        try:
            return shop.stage.do(
                lambda db, gateway: refund_order(
                    db, gateway, UUID(purchase_id), amount_minor=500, reason="A race"
                )
            ).state
        except ProblemError as refusal:
            return refusal.code

    with ThreadPoolExecutor(17) as pool:
        asked = [pool.submit(ask, purchase_id) for purchase_id, _ in orders]
        lost = [pool.submit(shop.dispute, charge_id, "lost") for _, charge_id in orders]
        while not all(one.done() for one in (*asked, *lost)):
            shop.work()
        said = Counter(one.result() for one in asked)
    assert set(said) <= {"succeeded", "not_refundable", "refund_not_made"}
    shop.flush_events()
    shop.settle_all()
    # Whoever came first, in the end all of it is gone: given back, or lost, or a part of each.
    assert {shop.state(purchase_id) for purchase_id, _ in orders} == {"refunded"}
    assert len(shop.stripe.truth("refunds")) == said["succeeded"]
    shop.agree(team)
