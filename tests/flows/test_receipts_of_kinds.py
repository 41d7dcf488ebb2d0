"""The receipt of each kind of order, from the order to the mailbox."""

from typing import Any
from uuid import UUID

import pytest

from fieldfare.db.pool import Database
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.orders.service.receipt import send_receipt
from tests.support.cards import CardShop
from tests.support.mail_sink import MailSink


def mail_of(shop: CardShop, sink: MailSink, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The one mail about an order by card that asked for a receipt."""
    team = shop.team()
    answer = shop.post(body | {"sendReceiptEmail": True}, team, path=path).json()
    due = shop.sql("select subject_id::text from notifications.outbox where topic = 'receipt_due'")
    assert due == [(answer["purchaseId"],)]

    async def send(db: Database, _: StripeGateway) -> list[str]:
        return [
            await send_receipt(
                db,
                sink.server,
                UUID(answer["purchaseId"]),
                public_url="https://sales.example",
                seller_name="Seller",
            )
            for _ in range(2)
        ]

    assert shop.stage.do(send) == ["sent", "sent before"]
    (mail,) = sink.mails()
    assert answer["id"] in mail["text"]
    assert "https://sales.example/certificates/" in mail["text"]
    return mail


@pytest.mark.parametrize(
    ("path", "body", "headline", "line"),
    [
        (
            "/api/tree-orders",
            {"amountOfTrees": 1_250},
            "1,250 trees",
            ("Tree planting with WeForest", "1,250 trees · $1,500.00 · 100%"),
        ),
        (
            "/api/tree-orders",
            {"amountOfTrees": 1},
            "1 tree",
            ("Tree planting with WeForest", "1 tree · $1.20 · 100%"),
        ),
        (
            "/api/project-orders",
            {"projectId": 2, "amountInUsdCents": 2_500},
            "1.599488163 t CO₂e",
            ("Community tree planting", "1.599488163 t CO₂e · $25.00 · 100%"),
        ),
        (
            "/api/project-orders",
            {"projectId": 31, "amountInUsdCents": 2_500},
            "$25.00 for climate projects",
            ("Climate policy", "Donation · $25.00 · 100%"),
        ),
    ],
    ids=["trees", "one tree", "tonnes", "gift"],
)
def test_a_receipt_says_what_was_bought(
    shop: CardShop,
    sink: MailSink,
    path: str,
    body: dict[str, Any],
    headline: str,
    line: tuple[str, str],
) -> None:
    mail = mail_of(shop, sink, path, body)
    text = mail["text"].replace("\u00a0", " ")
    assert mail["subject"].endswith(f" · {headline}")
    lines = [one.strip() for one in text.splitlines()]
    assert headline in lines
    place = lines.index(line[0])
    assert lines[place + 1] == line[1]
    assert " 0 t CO₂e" not in text
    assert " 0 trees" not in text
