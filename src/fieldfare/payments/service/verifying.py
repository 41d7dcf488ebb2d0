"""The payments' part of `fieldfare verify`: each row against itself, and lent to who was paid."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from fieldfare.db.pool import Connection
from fieldfare.payments import rules, store

LOWEST_ID = UUID(int=0)


async def find_payments(conn: Connection, subject_ids: Sequence[UUID]) -> dict[UUID, list[Any]]:
    """The rows of the payments for some purchases or top-ups, by what they are for."""
    payments: dict[UUID, list[Any]] = defaultdict(list)
    for payment in await store.list_payments_of(conn, subject_ids):
        payments[payment["subject_id"]].append(payment)
    return payments


async def all_payments(conn: Connection, page_rows: int) -> AsyncIterator[list[Any]]:
    """Every payment, in pages: id, subject, subject_id."""
    after = LOWEST_ID
    while page := await store.list_payments_from(conn, after_id=after, at_most=page_rows):
        yield page
        after = page[-1]["id"]


def payment_faults(payment: Any) -> Iterator[str]:
    """What a payment's frozen request and key say that its other columns gainsay."""
    if payment["processor_key"] != rules.processor_key(payment["id"]):
        yield f"processor_key is {payment['processor_key']}, which is not made of its id"
    try:
        sent = msgspec.json.decode(payment["request"], type=dict[str, Any])
    except msgspec.DecodeError as error:
        yield f"request cannot be read: {error}"
        return
    due = rules.frozen_request(
        amount_minor=payment["amount_minor"],
        currency=payment["currency"],
        customer=payment["customer"],
        payment_method=str(sent.get("payment_method")),
        subject=payment["subject"],
        subject_id=payment["subject_id"],
    )
    if payment["request"] != due:
        yield f"request is {payment['request']!r}, should be {due!r}"
