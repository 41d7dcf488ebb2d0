"""Top-ups to give back or to dispute, and an operator who gives them back."""

from uuid import UUID

from fieldfare.db.pool import Database, connection
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.payments.service.top_ups.refunding import TopUpRefund, find_top_up_id, refund_top_up
from tests.support.cards import CardShop, Team

TEN = 1_000
"""US cents."""


def top_up(shop: CardShop, team: Team, cents: int = TEN) -> str:
    """Credits are bought, and their event has come; gives the charge."""
    answer = shop.top_up(team, cents=cents)
    assert answer.status_code == 200, answer.text
    shop.hear()
    return str(answer.json()["id"])


def refund(
    shop: CardShop, charge_id: str, amount_minor: int | None = None, refund_id: UUID | None = None
) -> TopUpRefund:
    """An operator gives a top-up back; raises what `refund_top_up` raises."""

    async def give(db: Database, gateway: StripeGateway) -> TopUpRefund:
        async with connection(db) as conn:
            top_up_id = await find_top_up_id(conn, charge_id)
        assert top_up_id is not None
        return await refund_top_up(
            db, gateway, top_up_id, amount_minor=amount_minor, reason="a test", refund_id=refund_id
        )

    return shop.stage.do(give)
