"""`GET /api/portfolios`: what everybody sees, what an account sees besides, and exact numbers."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from fieldfare.catalog import service
from fieldfare.catalog.model import Rows
from fieldfare.db.pool import Database, transaction
from tests.support.catalog_rows import portfolio_row
from tests.support.client import Api

NOBODY = ""
SEEN_WITHIN_S = 1.5

SHORT = ["id", "name", "description", "cost_per_ton", "image_url", "projects"]
SHORT_PROJECT = [
    "id",
    "name",
    "description",
    "cost_per_ton",
    "percentage",
    "image_url",
    "certification_status",
]
FULL_PROJECT = {
    "id",
    "name",
    "description",
    "unit",
    "costPerTon",
    "percentage",
    "imageUrl",
    "standing",
    "certificationStatus",
    "registry",
    "methodology",
    "vintage",
    "durability",
    "riskNote",
    "partnerName",
    "country",
    "latitude",
    "longitude",
    "sdgs",
}


def portfolios(api: Api, token: str | None = NOBODY, query: str = "") -> list[dict[str, Any]]:
    """The portfolios that a token sees, with numbers as they are written."""
    answer = api.get(f"/api/portfolios{query}", token)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = json.loads(answer.text, parse_float=Decimal)["portfolios"]
    return found


def by_id(found: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """The portfolios by their ids."""
    return {portfolio["id"]: portfolio for portfolio in found}


def seen_soon(look: Callable[[], bool]) -> bool:
    """Whether `look` finds what was changed in the time that a change may take to be seen."""
    deadline = time.monotonic() + SEEN_WITHIN_S
    while not (seen := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return seen


def test_anybody_sees_the_portfolios_the_default_first(api: Api) -> None:
    answer = api.get("/api/portfolios", NOBODY)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert list(answer.json()) == ["portfolios"]
    found = portfolios(api)
    assert [portfolio["id"] for portfolio in found] == [12, 1, 2, 3, 4, 18, 19, 20, 21]
    assert all(list(portfolio) == SHORT for portfolio in found)
    assert all(list(one) == SHORT_PROJECT for portfolio in found for one in portfolio["projects"])


def test_prices_and_shares_are_exact_numbers(api: Api) -> None:
    found = by_id(portfolios(api))
    assert found[21]["cost_per_ton"] == Decimal("401.71")
    assert found[2]["cost_per_ton"] == Decimal("15.63")
    biochar = next(one for one in found[21]["projects"] if one["id"] == 18)
    assert (biochar["cost_per_ton"], biochar["percentage"]) == (
        Decimal("242.86"),
        Decimal("0.2099"),
    )
    for portfolio in found.values():
        assert sum(one["percentage"] for one in portfolio["projects"]) == 1
        # By the book, from nothing but what is shown.
        bought = sum(
            Decimal(one["percentage"]) / one["cost_per_ton"] for one in portfolio["projects"]
        )
        shown = Decimal(portfolio["cost_per_ton"])
        assert shown - Decimal("0.01") < 1 / bought - Decimal("1e-20")
        assert 1 / bought <= shown + Decimal("1e-20")


def test_pictures_have_whole_addresses(api: Api) -> None:
    (fund, *_) = portfolios(api)
    assert fund["image_url"].startswith("http")
    assert fund["image_url"].endswith("/static/portfolios/climate-fund.svg")
    assert all(one["image_url"].startswith("http") for one in fund["projects"])


@pytest.mark.parametrize("query", ["?expanded", "?expanded=", "?expanded=true", "?expanded=0"])
def test_expanded_gives_everything_public_in_camel_case(api: Api, query: str) -> None:
    found = by_id(portfolios(api, query=query))
    assert set(found[12]) == {
        "id",
        "name",
        "description",
        "costPerTon",
        "imageUrl",
        "isDefault",
        "isCustom",
        "projects",
    }
    assert (found[12]["isDefault"], found[2]["isDefault"]) == (True, False)
    projects = [one for portfolio in found.values() for one in portfolio["projects"]]
    assert all(set(one) == FULL_PROJECT for one in projects)
    assert all(one["sdgs"] and one["riskNote"] and one["durability"] for one in projects)
    assert {one["standing"] for one in projects} == {
        "certified",
        "external_standard",
        "uncertified",
    }


def test_nothing_tells_what_a_partner_is_paid(api: Api) -> None:
    text = api.get("/api/portfolios?expanded", NOBODY).text.lower()
    for private in ("partnershare", "payout", "acct_", "micro", "ppm", "accountid"):
        assert private not in text


@pytest.mark.parametrize("authorization", ["Bearer x", "Basic x", "Bearer", "Digest 1", "x"])
def test_a_bad_header_counts_as_none(api: Api, authorization: str) -> None:
    answer = api.http.get("/api/portfolios", headers={"Authorization": authorization})
    assert (answer.status_code, answer.content) == (
        200,
        api.get("/api/portfolios", NOBODY).content,
    )


def test_every_token_sees_the_same_without_a_portfolio_of_its_own(api: Api) -> None:
    world = api.world
    nobody = api.get("/api/portfolios", NOBODY).content
    tokens = [world.live_token, world.personal_token, world.bare_token, world.revoked_token]
    assert all(api.get("/api/portfolios", token).content == nobody for token in tokens)


async def test_a_custom_portfolio_is_shown_to_its_account_only(own_api: Api, db: Database) -> None:
    async with transaction(db) as conn:
        custom_id = await service.create_custom_portfolio(
            conn,
            own_api.world.team_id,
            name="Our own",
            description="What we believe in.",
            weights_ppm={2: 900_000, 31: 100_000},
            now=datetime.now(UTC),
            made_by="tests",
        )
    assert await asyncio.to_thread(
        seen_soon, lambda: custom_id in by_id(portfolios(own_api, own_api.world.live_token))
    )
    own = portfolios(own_api, own_api.world.live_token)
    everybody = portfolios(own_api)
    assert own[:-1] == everybody
    # A tenth is a donation, so a dollar buys 0.9 / 15.63 of a tonne.
    assert own[-1]["cost_per_ton"] == Decimal("17.37")
    assert [one["cost_per_ton"] for one in own[-1]["projects"]] == [Decimal("15.63"), None]
    assert portfolios(own_api, own_api.world.live_token, "?expanded")[-1]["isCustom"] is True
    for other in (
        NOBODY,
        own_api.world.second_token,
        own_api.world.personal_token,
        own_api.world.test_token,
    ):
        assert custom_id not in by_id(portfolios(own_api, other))


async def test_a_new_price_is_shown_from_its_instant_on(own_api: Api, db: Database) -> None:
    async with transaction(db) as conn:
        effective_at = datetime.now(UTC) + timedelta(seconds=6.5)
        await service.set_price(conn, 2, 1_601_000_000, effective_at, made_by="t", reason="a test")

    def cost() -> Any:
        return by_id(portfolios(own_api))[2]["cost_per_ton"]

    seen: set[Any] = set()
    while datetime.now(UTC) < effective_at - timedelta(milliseconds=500):
        seen.add(await asyncio.to_thread(cost))
        await asyncio.sleep(0.2)
    await asyncio.sleep((effective_at - datetime.now(UTC)).total_seconds() + 0.02)
    assert seen == {Decimal("15.63")}
    assert await asyncio.to_thread(cost) == Decimal("16.01")


async def test_a_closed_portfolio_is_not_shown(own_api: Api, db: Database) -> None:
    row = next(one for one in service.load_preset().portfolios if one.id == 20)
    closed = msgspec.structs.replace(row, is_open=False)
    async with transaction(db) as conn:
        await service.import_catalogue(
            conn, Rows(portfolios=(closed,)), now=datetime.now(UTC), made_by="tests"
        )
    assert await asyncio.to_thread(seen_soon, lambda: 20 not in by_id(portfolios(own_api)))


async def test_a_test_token_sees_the_preset_whatever_is_sold(own_api: Api, db: Database) -> None:
    async with transaction(db) as conn:
        await service.import_catalogue(
            conn,
            Rows(portfolios=(portfolio_row(50, {2: 1_000_000}),)),
            now=datetime.now(UTC),
            made_by="tests",
        )
    assert await asyncio.to_thread(seen_soon, lambda: 50 in by_id(portfolios(own_api)))
    for query in ("", "?expanded"):
        answer = own_api.get(f"/api/portfolios{query}", own_api.world.test_token).json()
        assert list(answer) == ["portfolios", "test"]
        assert answer["test"] is True
        assert 50 not in by_id(answer["portfolios"])
        assert 12 in by_id(answer["portfolios"])


def test_head_is_answered_like_get(api: Api) -> None:
    answer = api.http.head("/api/portfolios")
    assert (answer.status_code, answer.content) == (200, b"")
