"""The two things that a card is charged for, an order and a top-up, bought alike.

What becomes of a charge is one story, whatever was bought: a test of it takes a `Buying` and runs
for both.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import msgspec

from fieldfare.db.pool import Database, connection
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.orders.service.settle import ORDERS
from fieldfare.payments.model import Payment
from fieldfare.payments.service.outcomes import find_payment_of
from fieldfare.payments.service.top_ups import TOP_UPS
from tests.support.cards import INTENTS, ORDER_CENTS, TOP_UP_CENTS, CardShop, Team
from tests.support.client import REPLAYED, assert_refused

CREATE = {"method": "POST", "path": INTENTS}
LIST = {"method": "GET", "path": INTENTS}
CANCEL = {"method": "POST", "path": f"{INTENTS}/*/cancel"}


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a card is charged for."""

    goods: Any
    """Who settles it."""
    cents: int
    ask: Callable[[CardShop, Team, str], httpx.Response]
    state: Callable[[CardShop, str], str]
    unknown_says: tuple[str, ...]
    """What a client is told while nothing is known; `{}` is the id of what was asked for."""
    param: str | None
    """What a refusal of the card blames; a top-up cannot be paid otherwise."""


ORDER = Sale(
    goods=ORDERS,
    cents=ORDER_CENTS,
    ask=CardShop.order,
    state=CardShop.state,
    unknown_says=("/api/orders/{}", "same Idempotency-Key"),
    param="paymentMethod",
)
TOP_UP = Sale(
    goods=TOP_UPS,
    cents=TOP_UP_CENTS,
    ask=CardShop.top_up,
    state=CardShop.top_up_state,
    unknown_says=("Do not top up again", "GET /api/credits/ledger", "same Idempotency-Key"),
    param=None,
)


class Buying:
    """One kind of sale in a shop."""

    def __init__(self, shop: CardShop, sale: Sale) -> None:
        self.shop = shop
        self.sale = sale

    def ask(self, team: Team, key: str = "k") -> httpx.Response:
        """Buy it."""
        return self.sale.ask(self.shop, team, key)

    def state(self, subject_id: str) -> str:
        """Its state in the books."""
        return self.sale.state(self.shop, subject_id)

    def unknown(self, answer: httpx.Response) -> str:
        """Check that an answer says that nothing is known, and what to do; gives the id."""
        assert answer.status_code == 502, answer.text
        body: dict[str, str] = answer.json()
        assert (body["code"], REPLAYED in answer.headers) == ("payment_outcome_unknown", False)
        for words in self.sale.unknown_says:
            assert words.format(body["purchaseId"]) in body["message"]
        return body["purchaseId"]

    def left_unknown(self, team: Team, key: str = "k", *, charged: bool) -> str:
        """Its answer is lost, with or without its charge, and could not be looked up."""
        before = len(self.shop.charges())
        self.shop.stripe.fault("reset", when="after" if charged else "before", **CREATE)
        self.shop.stripe.fault("500", count=1, **LIST)
        subject_id = self.unknown(self.ask(team, key))
        assert len(self.shop.charges()) == before + int(charged)
        assert (self.state(subject_id), self.shop.balance(team)) == ("pending", 0)
        return subject_id

    def refused(self, answer: httpx.Response, code: str, *, status: int = 400) -> str:
        """Check that the card was refused, and what is blamed; gives the message."""
        message = assert_refused(answer, status, code, self.sale.param)["message"]
        assert self.sale.param is not None or "paymentMethod" not in message
        return message

    def is_of(self, answer: httpx.Response, subject_id: str) -> None:
        """Check that an answer tells of the charge for this."""
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body.get("purchaseId", subject_id) == subject_id
        (charge,) = [one for one in self.shop.charges() if one["id"] == body["id"]]
        assert charge["metadata"]["subject_id"] == subject_id
        assert (charge["amount"], body["amountCharged"]) == (self.sale.cents, self.sale.cents)
        assert body.get("creditBalance") == (TOP_UP_CENTS if self.sale is TOP_UP else None)

    def settled(self, team: Team, times: int = 1) -> None:
        """Check that it was charged and given so many times, and that everything tells the same."""
        assert len(self.shop.charges()) == times
        self.given(team, times)
        self.shop.agree(team)

    def given(self, team: Team, times: int = 1) -> None:
        """Check that an account got it so many times, and nothing else."""
        bought = self.shop.get("/api/offset-orders", team).json()["offsetOrders"]
        entries = self.shop.get("/api/credits/ledger", team).json()["entries"]
        if self.sale is TOP_UP:
            assert self.shop.balance(team) == times * TOP_UP_CENTS
            assert [entry["type"] for entry in entries] == ["top_up"] * times
            assert bought == []
        else:
            assert (len(bought), entries) == (times, [])


def payment_of(shop: CardShop, subject_id: str) -> Payment:
    """The payment of an order or a top-up, as it is now."""

    async def read(db: Database, _: StripeGateway) -> Payment | None:
        async with connection(db) as conn:
            return await find_payment_of(conn, UUID(subject_id))

    payment = shop.stage.do(read)
    assert payment is not None
    return payment
