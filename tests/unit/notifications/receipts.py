"""Receipts for tests: one of each kind of order."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from fieldfare.kernel.currency import get_currency
from fieldfare.notifications.model import Receipt, ReceiptLine, ReceiptTax
from fieldfare.notifications.rules import receipt_message_id

PURCHASE_ID = UUID("01a1ff78-8b8d-7463-854b-f2f09a220a3f")

LINES = (
    ReceiptLine(
        project_name="Ucayali rainforest protection",
        kind="offset",
        tons=Decimal("1.25"),
        billed_cents=Decimal(1250),
    ),
    ReceiptLine(
        project_name="Kiln-made biochar",
        kind="offset",
        tons=Decimal("0.05"),
        billed_cents=Decimal(1148),
    ),
)

TAX = ReceiptTax(
    label="USt.",
    rate_ppm=190_000,
    amount_minor=347,
    seller_id="DE123456789",
    seller_address="Ackerweg 1\n10115 Berlin",
    buyer_id="FR32123456789",
    buyer_address="2 rue des Lilas\r\n75001 Paris",
)


def a_receipt(**changes: Any) -> Receipt:
    """A card order of 1.3 t in euros, with some fields changed."""
    fields: dict[str, Any] = {
        "message_id": receipt_message_id(PURCHASE_ID, "seller.example"),
        "to": "ada@buyer.example",
        "language": "en",
        "purchaser_name": "Ada Buyer",
        "receipt_number": 1042,
        "order_group_id": "ch_3QxT2e8841",
        "paid_at": datetime(2026, 11, 21, 18, 52, tzinfo=UTC),
        "lines": LINES,
        "tons": Decimal("1.3"),
        "trees": None,
        "amount_cents": 2398,
        "charge_minor": 2172,
        "currency": get_currency("EUR"),
        "rate": Decimal("0.9057"),
        "rate_on": date(2026, 11, 20),
        "payment_method": "stripe",
        "certificate_url": "https://seller.example/certificates/8f9a1c1e",
        "seller_name": "Fieldfare Demo",
    }
    return Receipt(**{**fields, **changes})


USD_CREDITS: dict[str, Any] = {
    "currency": get_currency("USD"),
    "charge_minor": 2398,
    "rate": None,
    "rate_on": None,
    "payment_method": "credits",
    "order_group_id": str(PURCHASE_ID),
}
