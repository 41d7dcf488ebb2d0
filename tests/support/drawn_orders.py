"""Orders from credits drawn from a seed: of every kind, with keys, bounds and wallets that run dry.

What is drawn is what clients send. A request that is sent again under its key is an order with ids
of its own, as it is in the API.
"""

import random
from typing import Any

import msgspec

from fieldfare.catalog.model import Catalogue
from fieldfare.catalog.service import get_portfolio
from fieldfare.db.ids import new_id, new_secret_id
from fieldfare.http.idempotency import RequestKey
from fieldfare.orders.errors import PriceAboveMaximum
from fieldfare.orders.model import OffsetRequest, Order, Party
from fieldfare.orders.rules import quote_offset
from fieldfare.payments.rules import IN_DOLLARS
from tests.support.placing import (
    ON_CREDIT,
    order_of,
    project_order_of,
    request_key,
    tree_order_of,
)

MG_PER_KG = 1_000_000
PROJECTS = (1, 2, 31)
WAVE_SIZES = (1, 2, 3, 7, 20, 64, 90)
PARTIES = (
    Party(note="Thanks\nfor all"),
    Party(on_behalf_of_name="Ada", on_behalf_of_email="ada@tests.example"),
    Party(metadata={"project": "p1", "customer": "Zoë"}),
    Party(note="“quoted”", on_behalf_of_name="李", metadata={"only": ""}),
)


class Sent(msgspec.Struct, frozen=True):
    """An order as it arrives, with its client's key."""

    order: Order
    key: RequestKey | None


class Account(msgspec.Struct, frozen=True):
    """Who orders: what is there at first, and the bound of its refills."""

    id: int
    cents: int
    refill_below_cents: int | None


class Draw:
    """What one seed has clients do; `refused` counts requests that came to no order."""

    def __init__(self, rng: random.Random, catalogue: Catalogue, accounts: list[int]) -> None:
        self._rng = rng
        self._catalogue = catalogue
        self.accounts = [self._account(account_id) for account_id in accounts]
        self._keyed: list[tuple[Order, str]] = []
        self.refused = 0

    def _account(self, account_id: int) -> Account:
        cents = self._rng.choice((0, 3_000, 30_000, 400_000, 400_000))
        bound = self._rng.choice((None, max(cents - 5_000, 50), max(cents - 500, 1), 100))
        return Account(account_id, cents, bound)

    def wave(self) -> list[Sent]:
        """What arrives at about the same time."""
        wanted = [self._sent() for _ in range(self._rng.choice(WAVE_SIZES))]
        return [sent for sent in wanted if sent is not None]

    def _sent(self) -> Sent | None:
        if self._keyed and self._rng.random() < 0.2:
            return self._again()
        order = self._order()
        if order is None:
            self.refused += 1
            return None
        if self._rng.random() < 0.4:
            return Sent(order, None)
        name = f"{order.account_id} {order.id}"
        self._keyed.append((order, name))
        return Sent(order, request_key(name))

    def _again(self) -> Sent:
        """A request that was sent before, or another one under its key."""
        order, name = self._rng.choice(self._keyed[-40:])
        other = self._order() if self._rng.random() < 0.3 else None
        if other is None:
            return Sent(_renamed(order, account_id=order.account_id), request_key(name))
        return Sent(_renamed(other, account_id=order.account_id), request_key(name, "another"))

    def _order(self) -> Order | None:
        account = self._rng.choice(self.accounts)
        kind = self._rng.choice(("offset", "offset", "tree", "project", "capped"))
        if kind == "tree":
            order = tree_order_of(self._catalogue, account.id, self._rng.randint(1, 12))
        elif kind == "project":
            project_id, cents = self._rng.choice(PROJECTS), self._rng.randint(50, 900)
            order = project_order_of(self._catalogue, account.id, project_id, cents)
        elif kind == "offset" or self._is_below_cap(account.id):
            mass_mg = self._rng.randint(1, 200) * MG_PER_KG
            order = order_of(self._catalogue, account.id, mass_mg)
        else:
            return None
        return _renamed(
            order,
            account_id=account.id,
            refill_below_cents=account.refill_below_cents,
            party=self._rng.choice((Party(), Party(), *PARTIES)),
            send_receipt=self._rng.random() < 0.2,
        )

    def _is_below_cap(self, account_id: int) -> bool:
        """Whether a tonne's price passes a cap that the client has set."""
        asked = {**ON_CREDIT, "max_amount_minor": self._rng.choice((1, 10**9))}
        request = OffsetRequest(mass_mg=1_000 * MG_PER_KG, portfolio_id=None, **asked)
        portfolio = get_portfolio(self._catalogue, None, account_id)
        try:
            quote_offset(request, portfolio, IN_DOLLARS, price_revision=self._catalogue.revision)
        except PriceAboveMaximum:
            return False
        return True


def _renamed(order: Order, **changed: Any) -> Order:
    """The order under ids of its own."""
    return msgspec.structs.replace(order, id=new_id(), certificate_slug=new_secret_id(), **changed)
