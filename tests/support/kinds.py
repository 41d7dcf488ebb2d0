"""An order of each kind, all at one price, so that what a balance lasts for is easily told."""

from typing import Any

import msgspec

from fieldfare.ledger.service.credits import adjust_credits
from tests.support.cards import TOP_UP_PATH, CardShop, Team

KIND_CENTS = 720


class Kind(msgspec.Struct, frozen=True):
    """Where a kind of order is placed, and what is sent."""

    path: str
    body: dict[str, Any]
    other_body: dict[str, Any]
    """Another order of the same kind."""


KINDS: dict[str, Kind] = {
    "offset": Kind(
        "/api/offset-orders",
        {"tons": 0.4605, "portfolioId": 2},
        {"tons": 0.4605, "portfolioId": 2, "note": "Another"},
    ),
    "tree": Kind("/api/tree-orders", {"amountOfTrees": 6}, {"amountOfTrees": 7}),
    "project": Kind(
        "/api/project-orders",
        {"projectId": 31, "amountInUsdCents": KIND_CENTS},
        {"projectId": 1, "amountInUsdCents": KIND_CENTS},
    ),
}
TOP_UP = Kind(TOP_UP_PATH, {"amountInUsdCents": KIND_CENTS}, {"amountInUsdCents": 721})


def with_credits(shop: CardShop, cents: int, card: str | None = None) -> Team:
    """An account with credits, and with a card if one is named."""
    team = shop.team(card=card)
    shop.stage.write(
        lambda conn: adjust_credits(conn, team.id, change_cents=cents, reason="A test")
    )
    return team
