"""`POST /api/offset-orders` from credits: what a client sends, and what becomes of it."""

from decimal import Decimal
from uuid import UUID

from tests.support.client import Api


def test_order_is_priced_paid_split_and_listed(api: Api) -> None:
    answer = api.order(note="Thank you", onBehalfOfName="Grace Hopper")

    assert list(answer) == [
        "id", "dryRun", "amountCharged", "currency", "amountInUsdCents", "tons", "portfolio",
        "paymentMethod", "creditsRemaining", "purchaseId", "certificateUrl",
    ]  # fmt: skip
    assert answer["amountCharged"] == answer["amountInUsdCents"] == 1040
    assert answer["creditsRemaining"] == api.balance() == 50_000 - 1040
    assert UUID(answer["id"]) == UUID(answer["purchaseId"])
    projects = answer["portfolio"]["projects"]
    assert sum(p["amountInUsdCents"] for p in projects) == 1040
    assert sum(Decimal(str(p["tons"])) for p in projects) == Decimal("0.45")

    listed = api.get("/api/offset-orders").json()
    rows = listed["offsetOrders"] + listed["uncertifiedOffsetOrders"]
    assert {row["order_group_id"] for row in rows} == {answer["id"]}
    assert sum(row["amount_paid_by_customer"] for row in rows) == 1040
    assert sum(Decimal(str(row["tons"])) for row in rows) == Decimal("0.45")
    assert {row["note"] for row in rows} == {"Thank you"}
    assert {row["on_behalf_of_name"] for row in rows} == {"Grace Hopper"}


def test_form_order_is_the_same_as_json(api: Api) -> None:
    # `False`, as Python clients write it in a form, is a real order and no dry run.
    form = {"tons": "0.45", "paymentMethod": "credits", "dryRun": "False", "metadata[shop]": "7"}
    answer = api.post("/api/offset-orders", form=form)

    assert answer.status_code == 200
    assert answer.json()["dryRun"] is False
    assert api.balance() == 50_000 - 1040
    listed = api.get("/api/offset-orders", **{"metadata[shop]": "7"}).json()
    assert listed["offsetOrders"]


def test_dry_run_shows_what_would_be_charged_and_changes_nothing(api: Api) -> None:
    answer = api.order(dryRun=True)

    assert answer["id"] is None
    assert answer["dryRun"] is True
    assert answer["creditsRemaining"] == 50_000 - 1040
    assert "purchaseId" not in answer
    assert api.balance() == 50_000
    assert api.get("/api/offset-orders").json()["offsetOrders"] == []
