"""Rivals: many requests at once, over two API processes, for one key and for one balance."""

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.support.processes import ApiProcess, api_processes, run_verify
from tests.support.world import make_world

ORDER = {"tons": 0.45, "paymentMethod": "credits"}
ORDER_CENTS = 1040
CLIENTS = 25


def test_one_key_sent_a_hundred_times_makes_one_order(database_url: str, tmp_path: Path) -> None:
    world = asyncio.run(make_world(database_url))
    with api_processes(database_url, tmp_path, 2) as processes:
        answers = _post_everywhere(processes, world.live_token, times=100, key="one-key")
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) <= {200, 409}
        bodies = {answer.content for answer in answers if answer.status_code == 200}
        assert len(bodies) == 1
        assert all(
            answer.json()["code"] == "idempotency_in_flight" and answer.headers["retry-after"]
            for answer in answers
            if answer.status_code == 409
        )
        (again,) = _post_everywhere(processes, world.live_token, times=1, key="one-key")
        assert again.content == bodies.pop()
        assert again.headers["idempotency-replayed"] == "true"
    assert _one(database_url, "select count(*) from orders.purchase") == 1
    assert _balance(database_url, world.team_id) == 50_000 - ORDER_CENTS
    assert run_verify(database_url).returncode == 0


def test_orders_for_a_whole_balance_succeed_as_often_as_it_lasts(
    database_url: str, tmp_path: Path
) -> None:
    world = asyncio.run(make_world(database_url))
    with api_processes(database_url, tmp_path, 2) as processes:
        answers = _post_everywhere(processes, world.live_token, times=200)
        statuses = Counter(answer.status_code for answer in answers)
    affordable = 50_000 // ORDER_CENTS
    assert statuses == {200: affordable, 400: 200 - affordable}
    assert {a.json()["code"] for a in answers if a.status_code == 400} == {"insufficient_credits"}
    remaining = sorted(a.json()["creditsRemaining"] for a in answers if a.status_code == 200)
    assert remaining == [50_000 - ORDER_CENTS * n for n in range(affordable, 0, -1)]
    assert _balance(database_url, world.team_id) == 50_000 - ORDER_CENTS * affordable
    verified = run_verify(database_url)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def _post_everywhere(
    processes: list[ApiProcess], token: str, *, times: int, key: str | None = None
) -> list[httpx.Response]:
    headers = {"Authorization": f"Bearer {token}"}
    if key is not None:
        headers["Idempotency-Key"] = key

    def post(number: int) -> httpx.Response:
        url = f"{processes[number % len(processes)].base_url}/api/offset-orders"
        return httpx.post(url, json=ORDER, headers=headers, timeout=30)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(post, range(times)))


def _balance(database_url: str, account_id: int) -> Any:
    return _one(
        database_url, f"select balance_cents from ledger.wallet where account_id = {account_id}"
    )


def _one(database_url: str, query: str) -> Any:
    with psycopg.connect(database_url) as conn:
        row = conn.execute(query).fetchone()
    assert row is not None
    return row[0]
