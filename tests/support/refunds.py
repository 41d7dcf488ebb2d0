"""What tests of refunds share: orders to refund, and what became of them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fieldfare.orders.model import OrderRefund
from fieldfare.orders.service.refund import refund_order
from tests.support.cards import CardShop, Team

NOW = datetime(2026, 11, 21, tzinfo=UTC)
PURCHASE: dict[str, Any] = {
    "id": UUID(int=2),
    "account_id": 1001,
    "kind": "offset",
    "state": "paid",
    "payment_method": "stripe",
    "portfolio_id": 2,
    "project_id": None,
    "mass_mg": 450_000_000,
    "trees": 0,
    "amount_cents": 704,
    "charge_minor": 704,
    "currency": "USD",
    "charge_id": "ch_1",
    "certificate_slug": UUID(int=3),
    "created_at": NOW,
    "paid_at": NOW,
    "refunded_at": None,
}
"""The fields of a paid order of $7.04 by card."""


REFUNDS = "/v1/refunds"
CREATE = {"method": "POST", "path": REFUNDS}
LIST = {"method": "GET", "path": REFUNDS}
LOOK_UP = {"method": "GET", "path": f"{REFUNDS}/*"}


def bought(shop: CardShop, team: Team, **fields: Any) -> tuple[str, str]:
    """An order by card that is paid: its purchase and its charge."""
    answer = shop.order(team, **fields)
    assert answer.status_code == 200, answer.text
    return answer.json()["purchaseId"], answer.json()["id"]


def refund(
    shop: CardShop, purchase_id: str, amount: int | None = None, key: str | None = None
) -> OrderRefund:
    """Ask for a refund as an operator does; raises what `refund_order` raises."""
    return shop.stage.do(
        lambda db, gateway: refund_order(
            db, gateway, UUID(purchase_id), amount_minor=amount, reason="A test", request_key=key
        )
    )


def refund_at_processor(shop: CardShop, charge_id: str, amount: int | None = None) -> str:
    """What somebody does in the processor's own dashboard; gives the refund's id there."""
    body = {"charge": charge_id} | ({} if amount is None else {"amount": str(amount)})
    answer = shop.stripe.http.post(
        REFUNDS, data=body, headers={"Authorization": f"Bearer {shop.stripe.secret_key}"}
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def refunded_minor(shop: CardShop, purchase_id: str) -> int:
    """Of an order's charge, what the books say is back."""
    rows = shop.sql("select refunded_minor from orders.purchase where id = %s", purchase_id)
    return int(rows[0][0])


def certified_mg(shop: CardShop, team: Team) -> int:
    """The certified mass of an account."""
    rows = shop.sql("select certified_mg from ledger.wallet where account_id = %s", team.id)
    return int(rows[0][0])


def standing(shop: CardShop, purchase_id: str) -> tuple[int, ...]:
    """Mass, trees and money that stand of an order's lines."""
    rows = shop.sql(
        "select sum(mass_mg - refunded_mg), sum(trees - refunded_trees),"
        " sum(amount_micro - refunded_micro) from orders.line where purchase_id = %s",
        purchase_id,
    )
    return tuple(int(figure) for figure in rows[0])
