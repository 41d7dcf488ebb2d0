"""Orders paid from credits, made by the product's own rules, for tests that go past the API."""

import hashlib
import random
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fieldfare.catalog.model import Catalogue
from fieldfare.catalog.service import get_portfolio, get_project, get_tree_provider
from fieldfare.db.ids import new_secret_id
from fieldfare.http.idempotency import RequestKey
from fieldfare.kernel.ids import floor_id
from fieldfare.orders.model import (
    AnswerParts,
    OffsetRequest,
    Order,
    Party,
    ProjectRequest,
    Quote,
    TreeRequest,
)
from fieldfare.orders.rules import quote_offset, quote_project, quote_trees
from fieldfare.orders.store import Placing
from fieldfare.payments.rules import IN_DOLLARS

ANSWER = AnswerParts(b'{"left":', b"}")
NOBODY = Party()
ON_CREDIT: dict[str, Any] = {
    "payment_method": "credits",
    "dry_run": False,
    "send_receipt": False,
    "max_amount_minor": None,
    "party": NOBODY,
}
"""What an order that is paid from credits says besides what it is for."""
_random = random.Random()


def id_at(instant: datetime) -> UUID:
    """A version 7 id as if drawn at an instant."""
    low = (0x7 << 76) | (0x2 << 62) | _random.getrandbits(62)
    return UUID(int=floor_id(instant).int | low)


def order_of(
    catalogue: Catalogue,
    account_id: int,
    mass_mg: int,
    *,
    portfolio_id: int | None = None,
    at: datetime | None = None,
    party: Party = NOBODY,
    receipt: bool = False,
) -> Order:
    """An order on credit of a mass, at what the catalogue says; now, unless it is said."""
    asked = OffsetRequest(
        mass_mg=mass_mg,
        portfolio_id=portfolio_id,
        payment_method="credits",
        dry_run=False,
        send_receipt=receipt,
        max_amount_minor=None,
        party=party,
    )
    portfolio = get_portfolio(catalogue, portfolio_id, account_id)
    quote = quote_offset(asked, portfolio, IN_DOLLARS, price_revision=catalogue.revision)
    return quoted_order(quote, account_id, at=at, party=party, receipt=receipt)


def tree_order_of(
    catalogue: Catalogue, account_id: int, trees: int, *, at: datetime | None = None
) -> Order:
    """An order on credit of so many trees of the catalogue's provider."""
    asked = TreeRequest(trees=trees, **ON_CREDIT)
    provider = get_tree_provider(catalogue)
    quote = quote_trees(asked, provider, IN_DOLLARS, price_revision=catalogue.revision)
    return quoted_order(quote, account_id, at=at)


def project_order_of(
    catalogue: Catalogue,
    account_id: int,
    project_id: int,
    amount_cents: int,
    *,
    at: datetime | None = None,
) -> Order:
    """An order on credit of an amount for one project."""
    asked = ProjectRequest(project_id=project_id, amount_cents=amount_cents, **ON_CREDIT)
    project = get_project(catalogue, project_id)
    quote = quote_project(asked, project, IN_DOLLARS, price_revision=catalogue.revision)
    return quoted_order(quote, account_id, at=at)


def quoted_order(
    quote: Quote,
    account_id: int,
    *,
    at: datetime | None = None,
    party: Party = NOBODY,
    receipt: bool = False,
) -> Order:
    """A quote under the ids that it is to have."""
    return Order(
        id=id_at(at or datetime.now(UTC)),
        certificate_slug=new_secret_id(),
        account_id=account_id,
        source="tests",
        send_receipt=receipt,
        quote=quote,
        party=party,
    )


def request_key(name: str, body: str = "body") -> RequestKey:
    """A client's key, sent with a body."""
    return RequestKey(
        hashlib.sha256(name.encode()).digest(), hashlib.sha256(body.encode()).digest()
    )


def placing(order: Order, key: str | None = None, body: str = "body") -> Placing:
    """An order on its way, with an answer that says what is left and maybe a client's key."""
    return Placing(order, ANSWER, None if key is None else request_key(key, body))
