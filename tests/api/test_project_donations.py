"""`GET /api/project-donations`: money for projects without a unit, alone or a portfolio's part."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from fieldfare.catalog.service import create_custom_portfolio
from fieldfare.db.pool import open_database, transaction
from tests.support.client import Api, certified_and_not
from tests.support.lists import DONATED_TO, DONATIONS, PURCHASES, give, plant
from tests.support.refunded import give_back
from tests.support.waiting import wait_until

ROW = [
    "id", "orderGroupId", "projectId", "userId", "amountPaidByCustomer", "createdAt", "source",
    "note", "refundedAt", "amountRefunded",
]  # fmt: skip
CONSERVATION = 32


def own_portfolio(api: Api) -> int:
    """A portfolio of the team's own: two thirds of the money for tonnes, a third as a donation."""

    async def create() -> int:
        db = await open_database(api.database_url, pool_size=2, application="tests")
        try:
            async with transaction(db) as conn:
                return await create_custom_portfolio(
                    conn,
                    api.world.team_id,
                    name="Our own",
                    description="Tonnes and a donation.",
                    weights_ppm={1: 333_333, 18: 333_334, DONATED_TO: 333_333},
                    now=datetime.now(UTC),
                    made_by="tests",
                )
        finally:
            await db.close()

    portfolio_id = asyncio.run(create())
    dry = {"tons": 1, "portfolioId": portfolio_id, "dryRun": True, "paymentMethod": "credits"}
    wait_until(lambda: api.post("/api/offset-orders", dry).status_code == 200)
    return portfolio_id


def test_a_row_says_everything_of_its_donation(api: Api) -> None:
    answer = give(api, amountInUsdCents=1234, note="For the law", metadata={"a": "b"})
    (row,) = DONATIONS.get(api).json()
    assert list(row) == ROW
    assert UUID(row["id"]).version == 7
    assert row == {
        "id": row["id"],
        "orderGroupId": answer["id"],
        "projectId": DONATED_TO,
        "userId": api.world.team_id,
        "amountPaidByCustomer": 1234,
        "createdAt": api.get(f"/api/orders/{answer['purchaseId']}").json()["paidAt"],
        "source": "public-api",
        "note": "For the law",
        "refundedAt": None,
        "amountRefunded": 0,
    }


def test_nobody_s_list_is_empty(api: Api) -> None:
    for token in (api.world.live_token, api.world.poor_token, api.world.bare_token):
        assert DONATIONS.get(api, token).content == b"[]"
        assert DONATIONS.get(api, token, limit=5).content == b"[]"


def test_a_person_s_donations_are_the_person_s(api: Api) -> None:
    give(api, api.world.personal_token, projectId=CONSERVATION)
    (row,) = DONATIONS.rows(api, api.world.personal_token)
    assert (row["userId"], row["projectId"]) == (api.world.personal_id, CONSERVATION)
    assert row["note"] is None
    assert DONATIONS.rows(api) == []


def test_other_orders_are_not_in_it(api: Api) -> None:
    api.order()
    plant(api)
    answer = api.post(
        "/api/project-orders", {"projectId": 1, "amountInUsdCents": 500, "paymentMethod": "credits"}
    )
    assert answer.status_code == 200, answer.text
    assert DONATIONS.rows(api) == []
    rows = certified_and_not(api.get("/api/offset-orders").json())
    (row,) = [row for row in rows if row["order_group_id"] == answer.json()["id"]]
    assert (row["portfolio_id"], row["project_id"], row["refunded_tons"]) == (None, 1, 0)


def test_a_portfolio_s_part_is_a_donation_and_may_be_a_fraction_of_a_cent(api: Api) -> None:
    portfolio_id = own_portfolio(api)
    large = api.order(portfolioId=portfolio_id, tons=1)
    small = api.order(portfolioId=portfolio_id, tons=0.001)
    rows = {row["orderGroupId"]: row for row in DONATIONS.rows(api)}
    assert set(rows) == {large["id"], small["id"]}
    for answer in (large, small):
        (part,) = [one for one in answer["portfolio"]["projects"] if one["id"] == DONATED_TO]
        shown = rows[answer["id"]]["amountPaidByCustomer"]
        assert float(shown) == part["amountInUsdCents"]
    assert rows[large["id"]]["amountPaidByCustomer"] % 1 == 0
    assert Decimal(rows[small["id"]]["amountPaidByCustomer"]) % 1 != 0
    # The rest of the same orders stands among the tonnes.
    tonnes = certified_and_not(api.get("/api/offset-orders").json())
    assert {row["project_id"] for row in tonnes} == {1, 18}
    assert {row["order_group_id"] for row in tonnes} == set(rows)
    assert all(
        (row["hasOffsetOrders"], row["hasProjectDonations"], row["hasTreeOrders"])
        == (True, True, False)
        for row in PURCHASES.rows(api)
    )


def test_what_is_given_while_a_list_is_read_belongs_to_the_next_reading(api: Api) -> None:
    placed = [give(api)["id"] for _ in range(5)]
    first = DONATIONS.get(api, limit=2)
    seen, cursor = DONATIONS.rows_of(first), DONATIONS.cursor_of(first)
    while cursor is not None:
        give(api)
        page = DONATIONS.get(api, limit=2, cursor=cursor)
        seen, cursor = seen + DONATIONS.rows_of(page), DONATIONS.cursor_of(page)
    assert [row["orderGroupId"] for row in seen] == placed[::-1]


def test_what_went_back_is_shown_beside_what_was_given(api: Api) -> None:
    portfolio_id = own_portfolio(api)
    whole, part, none = (give(api, amountInUsdCents=n) for n in (1000, 999, 100))
    split = api.order(portfolioId=portfolio_id, tons=1)
    cut = api.order(portfolioId=portfolio_id, tons=1)
    for answer, cents in ((whole, None), (part, 250), (split, None), (cut, 100)):
        give_back(api.database_url, answer["purchaseId"], cents)
    rows = {row["orderGroupId"]: row for row in DONATIONS.rows(api)}
    shown = {
        name: (row["amountPaidByCustomer"], row["amountRefunded"], row["refundedAt"] is None)
        for name, row in rows.items()
    }
    # All of a portfolio's part is all that was shown of it, though the books hold a fraction more.
    paid = rows[split["id"]]["amountPaidByCustomer"]
    assert shown == {
        whole["id"]: (1000, 1000, False),
        part["id"]: (999, 250, True),
        none["id"]: (100, 0, True),
        split["id"]: (paid, paid, False),
        # Of a dollar, the part that went to this project.
        cut["id"]: (paid, Decimal("33.3333"), True),
    }
    assert rows[whole["id"]]["refundedAt"].endswith("Z")
