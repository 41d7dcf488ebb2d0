"""A bank in small: random orders, top-ups and refunds while the API is killed again and again.

A reader looks all the while, each time in one snapshot: every balance is the sum of its entries,
none is below zero, and the book of credits holds what came and went otherwise than by an order. In
the end each request with a key took effect once, and clients, books and processor tell the same.
"""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
import psycopg
import pytest

from fieldfare.kernel.errors import ProblemError
from fieldfare.orders.service.refund import refund_order
from tests.support.cards import CardShop, Team
from tests.support.kinds import KINDS, TOP_UP, Kind, with_credits
from tests.support.serving import Serving, nothing_runs
from tests.support.waiting import wait_until

START_CENTS = 5_000
CLIENTS = 4
KILLS = 2
BETWEEN_KILLS_S = (0.5, 1.2)
LEASE = timedelta(seconds=31)
SETTLED = {200, 400}
SNAPSHOT = """
    select w.account_id, w.balance_cents, coalesce(e.total, 0), coalesce(e.entries, 0),
        w.entry_count, coalesce(e.lowest, 0), coalesce(e.moved, 0) - coalesce(j.total, 0)
    from ledger.wallet w
    left join (
        select account_id, sum(amount_cents) as total, count(*) as entries,
            min(balance_after_cents) as lowest,
            sum(amount_cents) filter (where kind <> 'deduction') as moved
        from ledger.entry group by account_id
    ) e on e.account_id = w.account_id
    left join (
        select account_id, div(sum(amount_micro), 1000000) as total from ledger.journal
        where book = 'credits' group by account_id
    ) j on j.account_id = w.account_id
"""
UNBALANCED = (
    "select movement_id from ledger.journal group by 1, currency having sum(amount_micro) <> 0"
)


class Wish(msgspec.Struct, frozen=True):
    """What a client wants, by its key."""

    team: Team
    kind: Kind
    method: str

    @property
    def body(self) -> dict[str, Any]:
        """What is sent."""
        return self.kind.body if self.kind is TOP_UP else {
            **self.kind.body, "paymentMethod": self.method
        }  # fmt: skip


class Bank:
    """Clients that go on whatever happens, and what they were told."""

    def __init__(self, shop: CardShop, seed: int) -> None:
        self.shop = shop
        self.seed = seed
        self.teams = [with_credits(shop, START_CENTS, "pm_card_visa") for _ in range(3)]
        self.wishes: dict[str, Wish] = {}
        self.answers: dict[str, Any] = {}
        """By key, what was answered with 200."""
        self.unsure: set[str] = set()
        """Keys that got no answer, or one that says that nobody knows."""
        self.refunds: dict[str, str] = {}
        """What an operator asked to be refunded: by the refund's key, the purchase."""
        self.snapshots = 0
        self.faults: list[str] = []
        self._stop = threading.Event()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Everybody works as long as the block runs."""
        work = [(self._order, n) for n in range(CLIENTS)] + [(self._refund, 0), (self._read, 0)]
        threads = [threading.Thread(target=self._go_on, args=one, daemon=True) for one in work]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(60)
        assert not any(thread.is_alive() for thread in threads)

    def _go_on(self, work: Any, number: int) -> None:
        chance = random.Random(f"{self.seed} {work.__name__} {number}")
        step = 0
        while not self._stop.is_set():
            step += 1
            try:
                work(chance, f"{self.seed}-{work.__name__}-{number}-{step}")
            except Exception as fault:  # noqa: BLE001 - told by the test that waits
                self.faults.append(f"{work.__name__}: {type(fault).__name__}: {fault}")
                return

    def _order(self, chance: random.Random, key: str) -> None:
        kind = chance.choice([*KINDS.values(), TOP_UP])
        method = chance.choice(("credits", "credits", "stripe"))
        self.wishes[key] = Wish(chance.choice(self.teams), kind, method)
        self.ask(key)

    @property
    def has_seen_enough(self) -> bool:
        """Whether so much was done that it shows something, however slow the machine is."""
        return min(len(self.answers), len(self.refunds)) > 10 and self.snapshots > 20

    def ask(self, key: str) -> int | None:
        """Send a wish, for the first time or again; gives the status if there was an answer."""
        wish = self.wishes[key]
        headers = {"Authorization": f"Bearer {wish.team.token}", "Idempotency-Key": key}
        url = f"{self.shop.base_url}{wish.kind.path}"
        self.unsure.add(key)
        try:
            answer = httpx.post(url, json=wish.body, headers=headers, timeout=20)
        except httpx.TransportError:
            time.sleep(0.2)
            return None
        if answer.status_code in SETTLED:
            self.unsure.discard(key)
        if answer.status_code == 200:
            assert self.answers.setdefault(key, answer.json()) == answer.json(), key
        elif answer.status_code == 400:
            assert key not in self.answers, f"{key} was answered before: {answer.text}"
            assert answer.json()["code"] == "insufficient_credits", answer.text
        return answer.status_code

    def _refund(self, chance: random.Random, key: str) -> None:
        time.sleep(0.1)
        told = [one["purchaseId"] for one in list(self.answers.values()) if "purchaseId" in one]
        if not told:
            return
        purchase_id, amount = chance.choice(told), chance.choice((None, 100, 333))
        self.refunds[key] = purchase_id
        try:
            self.shop.stage.do(
                lambda db, gateway: refund_order(
                    db, gateway, UUID(purchase_id), amount_minor=amount, reason="A test",
                    request_key=key,
                )
            )  # fmt: skip
        except ProblemError as refusal:
            if refusal.code not in {"not_refundable", "refund_not_made"}:
                raise

    def _read(self, _: random.Random, __: str) -> None:
        with psycopg.connect(self.shop.database_url) as conn:
            conn.execute("set transaction isolation level repeatable read read only")
            for row in conn.execute(SNAPSHOT):
                account_id, balance, total, entries, count, lowest, unbooked = row
                assert balance == total, f"account {account_id}: {balance}, entries {total}"
                assert entries == count, f"account {account_id}: {entries} entries of {count}"
                assert min(balance, lowest) >= 0, f"account {account_id}: {balance}, {lowest}"
                assert unbooked == 0, f"account {account_id}: {unbooked} not in the journal"
            assert conn.execute(UNBALANCED).fetchall() == []
        self.snapshots += 1
        time.sleep(0.05)


@pytest.mark.parametrize("seed", [1])
def test_balances_hold_under_kills(shop: CardShop, tmp_path: Path, seed: int) -> None:
    run_bank(shop, tmp_path, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 12))
def test_balances_hold_under_many_kills(shop: CardShop, tmp_path: Path, seed: int) -> None:
    run_bank(shop, tmp_path, seed)


def run_bank(shop: CardShop, folder: Path, seed: int) -> None:
    """Kills at instants drawn from `seed`, then retries of what got no answer, then the sum."""
    chance = random.Random(seed)
    serving = Serving(shop, folder / "api.log")
    try:
        bank = Bank(shop, seed)
        with bank.open():
            for _ in range(KILLS):
                time.sleep(chance.uniform(*BETWEEN_KILLS_S))
                serving.kill()
                serving.start()
            wait_until(lambda: bank.has_seen_enough or bool(bank.faults), within_s=60)
        assert bank.faults == []
        wait_until(lambda: nothing_runs(shop))
        settle(bank)
        reckon(bank)
    finally:
        serving.stop()


def settle(bank: Bank) -> None:
    """Every client asks again until it knows."""
    for _ in range(5):
        bank.shop.pass_time(LEASE)
        bank.shop.settle_all()
        for key in sorted(bank.unsure):
            assert bank.ask(key) in {*SETTLED, 409, 502}
        if not bank.unsure:
            bank.shop.settle_all()
            return
    raise AssertionError(f"no answer for {sorted(bank.unsure)}")


def reckon(bank: Bank) -> None:
    """What clients were told is what is there, to the cent."""
    shop = bank.shop
    told = {one["purchaseId"] for one in bank.answers.values() if "purchaseId" in one}
    ids = [team.id for team in bank.teams]
    there = shop.sql(
        "select id::text from orders.purchase where account_id = any(%s) and state <> 'failed'", ids
    )
    assert told == {purchase_id for (purchase_id,) in there}
    paid = {one["id"] for key, one in bank.answers.items() if bank.wishes[key].kind is TOP_UP}
    top_ups = shop.sql("select charge_id from payments.top_up where account_id = any(%s)", ids)
    assert paid == {charge_id for (charge_id,) in top_ups}
    for team in bank.teams:
        assert shop.balance(team) == START_CENTS + sum(
            _change(bank, key) for key, wish in bank.wishes.items() if wish.team is team
        ) + _given_back(shop, team)
    shop.agree(*bank.teams)


def _change(bank: Bank, key: str) -> int:
    """What a wish that was granted has changed of its account's credits."""
    wish, answer = bank.wishes[key], bank.answers.get(key)
    if answer is None or (wish.kind is not TOP_UP and wish.method == "stripe"):
        return 0
    cents: int = answer["amountCharged"]
    return cents if wish.kind is TOP_UP else -cents


def _given_back(shop: CardShop, team: Team) -> int:
    rows = shop.sql(
        "select coalesce(sum(r.amount_minor), 0) from orders.refund r"
        " join orders.purchase p on p.id = r.purchase_id where p.account_id = %s"
        " and p.payment_method = 'credits' and r.state = 'succeeded'", team.id,
    )  # fmt: skip
    return int(rows[0][0])
