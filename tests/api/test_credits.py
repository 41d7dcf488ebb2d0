"""`GET /api/credits/balance` and `/ledger`: what an account holds, and how it came to be."""

from datetime import datetime
from typing import Any

import pytest

from tests.support.client import Api, assert_refused
from tests.support.world import LIVE_CENTS

LEDGER = "/api/credits/ledger"
ORDERS = 12
ENTRY = [
    "id", "type", "amountUsdCents", "balanceAfterUsdCents", "description", "orderGroupId",
    "createdAt",
]  # fmt: skip


@pytest.fixture(scope="module")
def spent(calm_api: Api) -> tuple[Api, list[Any]]:
    """A team that has placed a dozen orders, and their answers, oldest first."""
    return calm_api, [calm_api.order(tons=0.01 * number) for number in range(1, ORDERS + 1)]


def pages(api: Api, limit: int) -> list[Any]:
    """The ledger, read page by page."""
    entries: list[Any] = []
    while page := api.get(LEDGER, limit=limit, offset=len(entries)).json()["entries"]:
        assert len(page) <= limit
        entries += page
    return entries


def test_balance_is_what_the_orders_left(spent: tuple[Api, list[Any]]) -> None:
    api, answers = spent
    shown = api.get("/api/credits/balance").json()
    assert list(shown) == ["creditBalanceUsdCents", "owedUsdCents"]
    cost = sum(answer["amountCharged"] for answer in answers)
    assert shown == {"creditBalanceUsdCents": LIVE_CENTS - cost, "owedUsdCents": 0}
    assert answers[-1]["creditsRemaining"] == LIVE_CENTS - cost


def test_every_change_is_in_the_ledger_newest_first(spent: tuple[Api, list[Any]]) -> None:
    api, answers = spent
    shown = api.get(LEDGER).json()
    assert list(shown) == ["entries", "total"]
    entries = shown["entries"]
    assert shown["total"] == len(entries) == ORDERS + 1
    assert all(list(entry) == ENTRY for entry in entries)

    *deductions, opening = entries
    assert (opening["type"], opening["amountUsdCents"]) == ("adjustment", LIVE_CENTS)
    assert (opening["balanceAfterUsdCents"], opening["orderGroupId"]) == (LIVE_CENTS, None)
    for entry, answer in zip(deductions, reversed(answers), strict=True):
        assert entry["type"] == "deduction"
        assert entry["amountUsdCents"] == -answer["amountCharged"]
        assert entry["balanceAfterUsdCents"] == answer["creditsRemaining"]
        assert entry["orderGroupId"] == answer["id"]
        assert answer["portfolio"]["name"] in entry["description"]


def test_each_balance_follows_from_the_one_before(spent: tuple[Api, list[Any]]) -> None:
    oldest_first = list(reversed(spent[0].get(LEDGER).json()["entries"]))
    balance = 0
    for entry in oldest_first:
        balance += entry["amountUsdCents"]
        assert entry["balanceAfterUsdCents"] == balance
    instants = [datetime.fromisoformat(entry["createdAt"]) for entry in oldest_first]
    assert instants == sorted(instants)
    assert len({entry["id"] for entry in oldest_first}) == len(oldest_first)


@pytest.mark.parametrize("limit", [1, 5, ORDERS + 1, 200, 201, 10**12])
def test_pages_cover_the_ledger_exactly_once(spent: tuple[Api, list[Any]], limit: int) -> None:
    assert pages(spent[0], limit) == spent[0].get(LEDGER).json()["entries"]


@pytest.mark.parametrize("offset", [ORDERS + 1, ORDERS + 2, 10**9, 10**29])
def test_an_offset_past_the_end_finds_nothing(spent: tuple[Api, list[Any]], offset: int) -> None:
    assert spent[0].get(LEDGER, offset=offset).json() == {"entries": [], "total": ORDERS + 1}


def test_a_limit_over_200_is_clamped(api: Api) -> None:
    count = 205
    for _ in range(count):
        api.order(tons=1e-9)
    shown = api.get(LEDGER, limit=10_000).json()
    assert (len(shown["entries"]), shown["total"]) == (200, count + 1)
    assert len(api.get(LEDGER).json()["entries"]) == 50


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("limit", value) for value in ("0", "-1", "abc", "1.5", "１")),
        *(("offset", value) for value in ("-1", "abc", "1.5", "0x1")),
    ],
)
@pytest.mark.parametrize("kind", ["live", "test"])
def test_a_bad_parameter_is_named(calm_api: Api, name: str, value: str, kind: str) -> None:
    token = calm_api.world.live_token if kind == "live" else calm_api.world.test_token
    answer = calm_api.get(LEDGER, token, **{name: value})
    assert_refused(answer, 400, "invalid_parameter", name)


def test_an_account_without_credits_has_an_empty_ledger(calm_api: Api) -> None:
    poor = calm_api.world.poor_token
    assert calm_api.get(LEDGER, poor).json() == {"entries": [], "total": 0}
    assert calm_api.balance(poor) == 0


def test_accounts_see_their_own_credits_only(spent: tuple[Api, list[Any]]) -> None:
    api, _ = spent
    for token, cents in ((api.world.second_token, 10_000), (api.world.personal_token, 5_000)):
        assert api.balance(token) == cents
        shown = api.get(LEDGER, token).json()
        assert (shown["total"], shown["entries"][0]["amountUsdCents"]) == (1, cents)
