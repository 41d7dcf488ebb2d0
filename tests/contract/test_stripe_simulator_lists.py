"""The simulator's lists and searches, on however many pages and however late."""

from typing import Any

import pytest
import stripe

from tests.support.stripe_objects import new_customer, pay
from tests.support.stripe_simulator import StripeSimulator


def test_lists_are_exact_and_page_both_ways(sdk: stripe.StripeClient) -> None:
    """Newest first, by customer; each once, by the SDK's own paging too."""
    customer, other = new_customer(sdk), new_customer(sdk)
    ids = [pay(sdk, customer, 100 + n).id for n in range(7)][::-1]
    pay(sdk, other)
    first = sdk.v1.payment_intents.list({"customer": customer.id, "limit": 3})
    assert ([one.id for one in first.data], first.has_more) == (ids[:3], True)
    after = sdk.v1.payment_intents.list(
        {"customer": customer.id, "limit": 4, "starting_after": ids[2]}
    )
    assert ([one.id for one in after.data], after.has_more) == (ids[3:], False)
    before = sdk.v1.payment_intents.list(
        {"customer": customer.id, "limit": 2, "ending_before": ids[3]}
    )
    assert ([one.id for one in before.data], before.has_more) == (ids[1:3], True)
    walked = sdk.v1.payment_intents.list({"customer": customer.id, "limit": 2})
    assert [one.id for one in walked.auto_paging_iter()] == ids
    charges = sdk.v1.charges.list({"payment_intent": ids[0]}).data
    assert [charge.payment_intent for charge in charges] == [ids[0]]


def test_lists_by_time(sim: StripeSimulator, sdk: stripe.StripeClient) -> None:
    """`created` with each of its bounds, and as a moment."""
    customer = new_customer(sdk)
    start = int(sim.get("clock")["now_s"]) + 1_000
    for n in range(3):
        sim.post("clock", now_s=start + 10 * n + 0.5)
        pay(sdk, customer, 100 + n)
    wanted: dict[Any, list[int]] = {
        "gt": [102], "gte": [102, 101], "lt": [100], "lte": [101, 100]
    }  # fmt: skip
    for bound, amounts in wanted.items():
        created: Any = {bound: start + 10}
        found = sdk.v1.payment_intents.list({"customer": customer.id, "created": created})
        assert [one.amount for one in found.data] == amounts, bound
    assert [one.amount for one in sdk.v1.payment_intents.list({"created": start}).data] == [100]


def test_search_lags_behind_the_list(sim: StripeSimulator, sdk: stripe.StripeClient) -> None:
    """A fresh intent is listed at once and found only later, as it was then."""
    sim.post("search_lag", s=60)
    intent = pay(sdk, new_customer(sdk), metadata={"order": "o-1"})
    query = 'metadata["order"]:"o-1" AND status:"succeeded"'
    assert sdk.v1.payment_intents.search({"query": query}).data == []
    assert len(sdk.v1.payment_intents.list().data) == 1
    sim.advance(61)
    sdk.v1.payment_intents.update(intent.id, {"metadata": {"order": "o-2"}})
    assert [one.id for one in sdk.v1.payment_intents.search({"query": query}).data] == [intent.id]
    sim.advance(61)
    assert sdk.v1.payment_intents.search({"query": query}).data == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("amount>150", [200, 300]),
        ("amount>=200 AND amount<300", [200]),
        ("amount:100 OR amount:300", [100, 300]),
        ('-metadata["n"]:"100"', [200, 300]),
        ('metadata["absent"]:null amount<300', [100, 200]),
        ("currency:'usd'", [100, 200, 300]),
        ('metadata["n"]~"0"', [100, 200, 300]),
        ("amount:100 OR amount:200 AND amount:300", None),
        ("colour:'red'", None),
        ("amount", None),
    ],
)
def test_search_queries(
    sim: StripeSimulator, sdk: stripe.StripeClient, query: str, found: list[int] | None
) -> None:
    """Stripe's query language, and 400 for what it is not."""
    sim.post("search_lag", s=0)
    customer = new_customer(sdk)
    for amount in (100, 200, 300):
        pay(sdk, customer, amount, metadata={"n": str(amount)})
    if found is None:
        with pytest.raises(stripe.InvalidRequestError):
            sdk.v1.payment_intents.search({"query": query})
    else:
        data = sdk.v1.payment_intents.search({"query": query}).data
        assert sorted(one.amount for one in data) == found
