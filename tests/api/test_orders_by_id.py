"""`GET /api/orders/{purchaseId}`: one order of any kind, found by either of its ids."""

from typing import Any
from uuid import uuid4

import pytest

from tests.support.client import Api, assert_refused

FIELDS = [
    "purchaseId", "orderGroupId", "kind", "state", "paymentMethod", "amountCharged", "currency",
    "amountInUsdCents", "tons", "trees", "portfolioId", "projectId", "createdAt", "paidAt",
    "refundedAt", "certificateUrl", "amountRefunded", "refunds",
]  # fmt: skip


@pytest.fixture(scope="module")
def placed(calm_api: Api) -> tuple[Api, Any]:
    """An order of the live team, and its answer."""
    return calm_api, calm_api.order(portfolioId=2, tons=1.25)


def test_an_order_is_shown_as_it_was_placed(placed: tuple[Api, Any]) -> None:
    api, answer = placed
    found = api.get(f"/api/orders/{answer['purchaseId']}")
    assert found.status_code == 200
    shown = found.json()
    assert list(shown) == FIELDS
    for name in ("purchaseId", "amountCharged", "currency", "amountInUsdCents", "tons"):
        assert shown[name] == answer[name]
    assert (shown["orderGroupId"], shown["certificateUrl"]) == (
        answer["id"],
        answer["certificateUrl"],
    )
    assert (shown["kind"], shown["state"], shown["paymentMethod"]) == ("offset", "paid", "credits")
    assert (shown["trees"], shown["portfolioId"], shown["projectId"]) == (0, 2, None)
    assert (shown["refundedAt"], shown["amountRefunded"], shown["refunds"]) == (None, 0, [])
    assert shown["createdAt"].endswith("Z")
    assert shown["paidAt"] >= shown["createdAt"]


def test_it_is_found_by_its_group_id_and_in_either_case(placed: tuple[Api, Any]) -> None:
    api, answer = placed
    by_id = api.get(f"/api/orders/{answer['purchaseId']}").content
    assert api.get(f"/api/orders/{answer['id']}").content == by_id
    assert api.get(f"/api/orders/{answer['id'].upper()}").content == by_id


def test_nobody_else_finds_it_and_cannot_tell_that_it_is_there(placed: tuple[Api, Any]) -> None:
    api, answer = placed
    for token in (api.world.second_token, api.world.personal_token, api.world.bare_token):
        theirs = api.get(f"/api/orders/{answer['purchaseId']}", token)
        assert_refused(theirs, 404, "order_not_found")
        assert theirs.content == api.get(f"/api/orders/{uuid4()}", token).content


@pytest.mark.parametrize(
    "name",
    [
        "%00", "x", "%20", "%E2%82%AC", "%FF", "a" * 5_000, "ch_" + "9" * 60, "test_oo_" + "0" * 32,
        "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "{019a0000-0000-7000-8000-000000000000}", "019a000000007000800000000000000a", "%27--",
        "urn:uuid:019a0000-0000-7000-8000-000000000000", "-1", "null", "%F0%9F%8C%8D",
    ],
)  # fmt: skip
def test_every_id_that_names_nothing_gets_one_answer(calm_api: Api, name: str) -> None:
    answer = calm_api.get(f"/api/orders/{name}")
    assert_refused(answer, 404, "order_not_found")
    assert answer.content == calm_api.get(f"/api/orders/{uuid4()}").content
