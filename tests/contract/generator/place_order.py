"""A program of somebody else's: orders with the client that was generated, as its types say.

Run by the generator's Python with the client on its path: `place_order.py BASE_URL TOKEN`.
"""

import json
import sys
from typing import Any
from uuid import uuid4

from fieldfare_client import AuthenticatedClient
from fieldfare_client.api.offset_orders import list_offset_orders, place_offset_order
from fieldfare_client.api.purchases import get_order
from fieldfare_client.models import (
    OffsetOrder,
    OffsetOrderBody,
    OffsetOrderForm,
    OffsetOrderList,
    PlaceOffsetOrderResponse400,
    PurchaseBody,
)
from fieldfare_client.models.offset_order_form_payment_method import OffsetOrderFormPaymentMethod
from fieldfare_client.models.offset_order_payment_method_type_1 import OffsetOrderPaymentMethodType1


def main(base_url: str, token: str) -> dict[str, Any]:
    """What its types say of what it was answered."""
    client = AuthenticatedClient(base_url=base_url, token=token)
    credits_ = OffsetOrderPaymentMethodType1.CREDITS
    order = OffsetOrder(tons=0.45, payment_method=credits_, note="From a client")
    key = str(uuid4())
    placed = place_offset_order.sync(client=client, body=order, idempotency_key=key)
    again = place_offset_order.sync(client=client, body=order, idempotency_key=key)
    assert isinstance(placed, OffsetOrderBody), placed
    assert placed == again
    form = OffsetOrderForm(tons=0.45, payment_method=OffsetOrderFormPaymentMethod.CREDITS)
    as_form = place_offset_order.sync(client=client, body=form)
    assert isinstance(as_form, OffsetOrderBody), as_form
    found = get_order.sync(str(placed.purchase_id), client=client)
    assert isinstance(found, PurchaseBody), found
    listed = list_offset_orders.sync(client=client, limit=100)
    assert isinstance(listed, OffsetOrderList), listed
    refused = place_offset_order.sync(
        client=client, body=OffsetOrder(tons=1_000_000, payment_method=credits_)
    )
    assert isinstance(refused, PlaceOffsetOrderResponse400), refused
    return {
        "amountCharged": placed.amount_charged,
        "projects": [project.amount_in_usd_cents for project in placed.portfolio.projects],
        "formCharged": as_form.amount_charged,
        "state": found.state.value,
        "notes": sorted({str(row.note) for row in listed.uncertified_offset_orders}),
        "refused": refused.code.value,
    }


if __name__ == "__main__":
    sys.stdout.write(f"{json.dumps(main(*sys.argv[1:]))}\n")
