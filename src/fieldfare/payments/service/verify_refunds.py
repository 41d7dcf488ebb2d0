"""The payments' part of holding refunds against what they are of; lent to who was refunded."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from fieldfare.db.pool import Connection
from fieldfare.payments import rules, store

LOWEST_ID = UUID(int=0)


async def find_order_refunds(conn: Connection, ids: Sequence[UUID]) -> dict[UUID, Any]:
    """The rows of some refunds of orders, with what their payments say, by id."""
    return {row["id"]: row for row in await store.list_order_refunds(conn, ids)}


async def all_order_refunds(conn: Connection, page_rows: int) -> AsyncIterator[list[Any]]:
    """Every refund that is not of a top-up, in pages, with what its payment says."""
    after = LOWEST_ID
    while page := await store.list_order_refunds_from(conn, after_id=after, at_most=page_rows):
        yield page
        after = page[-1]["id"]


async def find_known_refunds(conn: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Those of the ids under which there is a refund of anything."""
    return await store.list_known_refunds(conn, ids)


async def find_returned(conn: Connection, payment_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Of some payments, what can have gone back beyond the order, in its unit."""
    return await store.list_returned(conn, payment_ids)


def refund_faults(refund: Any) -> Iterator[str]:
    """What a refund's frozen request and key say that its other columns gainsay."""
    if refund["payment_id"] is None:
        yield "its payment is not there"
        return
    if refund["origin"] == "processor":
        return
    if refund["processor_key"] != rules.processor_key(refund["id"]):
        yield f"processor_key is {refund['processor_key']}, which is not made of its id"
    asked = {
        "amount": refund["amount_minor"],
        "charge": refund["charge_id"],
        "metadata": {
            "refund_id": str(refund["id"]),
            "subject": refund["subject"],
            "subject_id": str(refund["subject_id"]),
        },
    }
    due = msgspec.json.encode(asked, order="sorted")
    if refund["request"] != due:
        yield f"request is {refund['request']!r}, should be {due!r}"
