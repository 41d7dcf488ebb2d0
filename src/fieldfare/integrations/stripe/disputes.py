"""Calls about disputes: what the card's owner took back through their bank, and how it stands.

Nothing is sent: evidence is given in the processor's dashboard, by a person.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from fieldfare.db.pool import assert_no_transaction
from fieldfare.integrations.stripe.answers import id_of, reason_of
from fieldfare.integrations.stripe.errors import ProcessorAway
from fieldfare.integrations.stripe.gateway import PAGE, StripeGateway
from fieldfare.integrations.stripe.model import SeenDispute
from fieldfare.integrations.stripe.sdk import stripe

NOT_FOUND = 404


async def look_up_dispute(gateway: StripeGateway, dispute_id: str) -> SeenDispute | None:
    """A dispute as it stands; None if the processor knows none of this id.

    Raises `ProcessorAway` if it does not say.
    """
    assert_no_transaction()
    try:
        dispute = await gateway.client.v1.disputes.retrieve_async(dispute_id)
    except stripe.InvalidRequestError as error:
        if error.http_status == NOT_FOUND:
            return None
        raise _away(error) from error
    except stripe.StripeError as error:
        raise _away(error) from error
    return _seen(dispute)


async def list_disputes(
    gateway: StripeGateway, *, created_from: datetime
) -> AsyncIterator[SeenDispute]:
    """Every dispute opened since an instant, newest first; raises `ProcessorAway`."""
    assert_no_transaction()
    parameters: Any = {"limit": PAGE, "created": {"gte": int(created_from.timestamp())}}
    more = True
    try:
        while more:
            page = await gateway.client.v1.disputes.list_async(parameters)
            for dispute in page.data:
                yield _seen(dispute)
            more = page.has_more and bool(page.data)
            if more:
                parameters["starting_after"] = page.data[-1].id
    except stripe.StripeError as error:
        raise _away(error) from error


def _seen(dispute: "stripe.Dispute") -> SeenDispute:
    return SeenDispute(
        dispute_id=dispute.id,
        charge_id=id_of(dispute.charge),
        intent_id=id_of(dispute.payment_intent),
        amount_minor=dispute.amount,
        currency=dispute.currency.upper(),
        status=str(dispute.status),
        reason=str(dispute.reason),
        created_at=datetime.fromtimestamp(dispute.created, UTC),
    )


def _away(error: "stripe.StripeError") -> ProcessorAway:
    return ProcessorAway(
        f"The card processor does not say how a dispute stands ({reason_of(error)}). "
        "It is asked again later."
    )
