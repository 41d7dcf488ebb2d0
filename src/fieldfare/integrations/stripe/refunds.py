"""Calls about refunds: give money of a charge back, and find out what became of that.

As with charges: one try each, and what an answer does not prove is `Unknown`. A refund can change
its mind: it may be pending for days, and one that succeeded can fail weeks later.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import msgspec

from fieldfare.db.pool import assert_no_transaction
from fieldfare.integrations.stripe.answers import id_of, metadata_of, not_begun, reason_of
from fieldfare.integrations.stripe.errors import ProcessorAway
from fieldfare.integrations.stripe.gateway import PAGE, StripeGateway
from fieldfare.integrations.stripe.model import (
    Refunded,
    RefundOutcome,
    RefundPending,
    RefundRefused,
    SeenRefund,
    Unknown,
)
from fieldfare.integrations.stripe.sdk import stripe


async def create_refund(gateway: StripeGateway, request: bytes, key: str) -> RefundOutcome:
    """Give money back: send the frozen `request` under our own idempotency `key`."""
    assert_no_transaction()
    parameters: Any = msgspec.json.decode(request)
    try:
        refund = await gateway.client.v1.refunds.create_async(parameters, {"idempotency_key": key})
    except stripe.StripeError as error:
        return not_begun(error)
    return _outcome_of(refund)


async def look_up_refund(gateway: StripeGateway, refund_id: str) -> SeenRefund | Unknown:
    """What became of a refund whose id is known."""
    assert_no_transaction()
    try:
        refund = await gateway.client.v1.refunds.retrieve_async(refund_id)
    except stripe.StripeError as error:
        return Unknown(reason=reason_of(error))
    return _outcome_of(refund)


async def list_refunds(gateway: StripeGateway, charge_id: str) -> list[SeenRefund]:
    """Every refund of a charge, newest first; raises `ProcessorAway` if it cannot be read whole."""
    return [seen async for seen in _refunds(gateway, {"charge": charge_id})]


async def list_recent_refunds(
    gateway: StripeGateway, *, created_from: datetime
) -> AsyncIterator[SeenRefund]:
    """Every refund since an instant, newest first; raises `ProcessorAway`."""
    async for seen in _refunds(gateway, {"created": {"gte": int(created_from.timestamp())}}):
        yield seen


async def _refunds(gateway: StripeGateway, wanted: dict[str, Any]) -> AsyncIterator[SeenRefund]:
    assert_no_transaction()
    parameters: Any = {"limit": PAGE, **wanted}
    more = True
    try:
        while more:
            page = await gateway.client.v1.refunds.list_async(parameters)
            for refund in page.data:
                yield _outcome_of(refund)
            more = page.has_more and bool(page.data)
            if more:
                parameters["starting_after"] = page.data[-1].id
    except stripe.StripeError as error:
        raise ProcessorAway(
            f"The card processor's list of refunds cannot be read ({reason_of(error)}). "
            "It is read again later."
        ) from error


def _outcome_of(refund: "stripe.Refund") -> SeenRefund:
    our_id = metadata_of(refund).get("refund_id")
    if refund.status in {"failed", "canceled"}:
        return RefundRefused(
            code=refund.failure_reason or str(refund.status),
            refund_id=refund.id,
            charge_id=id_of(refund.charge),
            our_id=our_id,
        )
    # Whatever else it may be called: the money is not gone before it has succeeded.
    kind = Refunded if refund.status == "succeeded" else RefundPending
    return kind(
        refund_id=refund.id,
        charge_id=id_of(refund.charge),
        amount_minor=refund.amount,
        currency=refund.currency.upper(),
        our_id=our_id,
    )
