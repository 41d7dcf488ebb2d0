"""The shop that examples of `docs/api` are sent to: an account with card, credits and orders."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec

from fieldfare.accounts import service as accounts
from fieldfare.db.pool import Connection
from fieldfare.impact.jobs import rebuild_feed
from tests.support.cards import CardShop, Team, card_shop
from tests.support.refunded import give_back

CREDITS_CENTS = 50_000
METADATA = {"trip": "4711"}
ORDERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/api/offset-orders", {"tons": 2, "note": "Team offsite", "onBehalfOfName": "Grace Hopper"}),
    ("/api/tree-orders", {"amountOfTrees": 25, "note": "Five for each of us"}),
    ("/api/project-orders", {"projectId": 31, "amountInUsdCents": 1_500}),
)
"""One of each kind, from credits."""
REFUNDED = {"tons": 0.45, "portfolioId": 2, "metadata": METADATA}
REFUNDED_CENTS = 352


class Documented(msgspec.Struct, frozen=True):
    """Where examples are sent, and what their variables stand for."""

    live: dict[str, str]
    test: dict[str, str]


@contextmanager
def documented_shop(server_url: str, template: str) -> Iterator[Documented]:
    """The running API, with an order of each kind and one that was refunded in part."""
    with card_shop(server_url, template) as shop:
        shop.begin()
        team = shop.team()
        assert shop.top_up(team, cents=CREDITS_CENTS).status_code == 200
        for path, body in ORDERS:
            _order(shop, team, path, body)
        purchase_id = _order(shop, team, "/api/offset-orders", REFUNDED)["purchaseId"]
        give_back(shop.database_url, purchase_id, REFUNDED_CENTS)
        build_feed(shop)
        test_token = ask_test_token(shop, team)
        sample = shop.get("/api/purchases", Team(team.id, test_token)).json()["purchases"][0]
        certificate = _certificate(shop, team, purchase_id)
        public = {
            "API": shop.base_url,
            "SIGNED": msgspec.json.encode(certificate["signed"]).decode(),
            "NUMBER": certificate["certificateNumber"],
        }
        yield Documented(
            live={
                **public, "TOKEN": team.token, "PURCHASE_ID": purchase_id,
                "SLUG": certificate["url"].rpartition("/")[2],
            },
            test={
                **public, "TOKEN": test_token, "PURCHASE_ID": sample["purchaseId"],
                "SLUG": sample["purchaseId"],
            },
        )  # fmt: skip


def _order(shop: CardShop, team: Team, path: str, body: dict[str, Any]) -> Any:
    answer = shop.post({**body, "paymentMethod": "credits"}, team, path=path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _certificate(shop: CardShop, team: Team, purchase_id: str) -> Any:
    answer = shop.get(f"/api/offset-orders/certificate/by-group/{purchase_id}", team)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ask_test_token(shop: CardShop, team: Team) -> str:
    """A token that does the same in test mode."""

    async def issue(conn: Connection) -> str:
        now = datetime.now(UTC)
        return (await accounts.issue_token(conn, team.id, "team_test", "tests", now)).token

    return shop.stage.write(issue)


def build_feed(shop: CardShop) -> None:
    """Show to everybody what was ordered."""
    shop.stage.do(lambda db, _: rebuild_feed(db, datetime.now(UTC)))
