"""Calls to the processor by its official SDK: one try each, a fixed API version, a time-out.

The SDK's own retries are off: what may be sent again, and until when, is decided by
`payments.rules`, which knows when it was first sent. No call outlasts its time, however slowly the
answer trickles in, none is made while a transaction is open, and each keeps to the `pace`.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from fieldfare.db.pool import assert_no_transaction
from fieldfare.integrations.stripe.answers import code_of, id_of, metadata_of, not_begun, reason_of
from fieldfare.integrations.stripe.errors import ProcessorAway
from fieldfare.integrations.stripe.model import (
    Card,
    Charged,
    Declined,
    NeedsAuthentication,
    Outcome,
    Unknown,
)
from fieldfare.integrations.stripe.pace import Leaving, Pace
from fieldfare.integrations.stripe.sdk import stripe

if TYPE_CHECKING:
    from fieldfare.integrations.stripe.transport import Transport

API_VERSION = "2026-10-28.endive"
DEFAULT_URL = "https://api.stripe.com"
REQUEST_SECONDS = 25.0
PAGE = 100


class StripeGateway(msgspec.Struct, frozen=True):
    """A way to one account of the processor."""

    client: "stripe.StripeClient"
    transport: "Transport"
    pace: Pace | None


def open_gateway(
    api_key: str, url: str, *, request_s: float = REQUEST_SECONDS, pace: Pace | None = None
) -> StripeGateway:
    """A gateway that calls `url` with `api_key`, each call within `request_s` seconds of its turn.

    Without a `pace`, for what has no database to share one by, each call goes out at once. Nothing
    is sent yet. `close_gateway` gives its connections back.
    """
    # Loaded here, and with it the SDK: who opens no gateway does not pay for them.
    from fieldfare.integrations.stripe.transport import Transport

    transport = Transport(request_s, pace)
    client = stripe.StripeClient(
        api_key,
        stripe_version=API_VERSION,
        base_addresses={"api": url},
        max_network_retries=0,
        http_client=transport,
    )
    return StripeGateway(client, transport, pace)


async def close_gateway(gateway: StripeGateway) -> None:
    """Give the connections back; nothing may be under way."""
    if gateway.pace is not None:
        await gateway.pace.close()
    await gateway.transport.close_async()


def looking(gateway: StripeGateway) -> "AbstractAsyncContextManager[object]":
    """For a short look at the database before a `turn`: few at a time, in the order of arrival.

    Thousands that come at once would else take every connection from those whose turn it is.
    """
    return nullcontext() if gateway.pace is None else gateway.pace.looking


@asynccontextmanager
async def turn(
    gateway: StripeGateway, leaving: Leaving | None = None, *, is_begun: bool = False
) -> AsyncIterator[None]:
    """Wait until it may be called; the first call within the block waits no more: `Pace.turn`.

    For what must not be recorded, or leased, while it waits. Raises `Unavailable`.
    """
    if gateway.pace is None:
        yield
        return
    async with gateway.pace.turn(leaving, is_begun=is_begun):
        yield


async def create_intent(gateway: StripeGateway, request: bytes, key: str) -> Outcome:
    """Charge a card: send the frozen `request` under our own idempotency `key`."""
    assert_no_transaction()
    parameters: Any = msgspec.json.decode(request)
    try:
        intent = await gateway.client.v1.payment_intents.create_async(
            parameters, {"idempotency_key": key}
        )
    except stripe.StripeError as error:
        return _outcome_of_error(error)
    return _outcome_of_intent(intent)


async def look_up_intent(gateway: StripeGateway, intent_id: str) -> Outcome:
    """What became of an intent whose id is known."""
    assert_no_transaction()
    try:
        intent = await gateway.client.v1.payment_intents.retrieve_async(intent_id)
    except stripe.StripeError as error:
        return Unknown(reason=reason_of(error))
    return _outcome_of_intent(intent)


async def find_intent(
    gateway: StripeGateway, *, customer: str, created_from: datetime, subject_id: str
) -> Outcome | None:
    """What became of the intent whose metadata names `subject_id`; None if there is none.

    It is looked for in the customer's exact list: the processor's search lags behind, so that what
    it misses proves nothing. A list that breaks off is `Unknown`, not None.
    """
    assert_no_transaction()
    try:
        async for intent in _intents(gateway, created_from, customer):
            if _subject_id(intent) == subject_id:
                return _outcome_of_intent(intent)
    except stripe.StripeError as error:
        return Unknown(reason=reason_of(error))
    return None


async def list_charged(
    gateway: StripeGateway, *, created_from: datetime, created_to: datetime
) -> AsyncIterator[Charged]:
    """Every intent of a time that was charged, newest first; raises `ProcessorAway`."""
    assert_no_transaction()
    try:
        async for intent in _intents(gateway, created_from, None, created_to):
            outcome = _outcome_of_intent(intent)
            if isinstance(outcome, Charged):
                yield outcome
    except stripe.StripeError as error:
        raise ProcessorAway(
            f"The card processor's list of charges cannot be read ({reason_of(error)}). "
            "It is read again later."
        ) from error


async def cancel_intent(gateway: StripeGateway, intent_id: str) -> bool:
    """Close an intent so that nobody can confirm it later; True once it certainly is closed."""
    assert_no_transaction()
    try:
        intent = await gateway.client.v1.payment_intents.cancel_async(intent_id)
    except stripe.StripeError:
        intent_outcome = await look_up_intent(gateway, intent_id)
        return isinstance(intent_outcome, Declined) and intent_outcome.intent_id is None
    return bool(intent.status == "canceled")


async def create_customer(
    gateway: StripeGateway, *, name: str, email: str, payment_method: str, key: str
) -> Card:
    """A customer with a card to charge; raises `stripe.StripeError`."""
    assert_no_transaction()
    customer = await gateway.client.v1.customers.create_async(
        {"name": name, "email": email}, {"idempotency_key": f"{key}-customer"}
    )
    attached = await gateway.client.v1.payment_methods.attach_async(
        payment_method, {"customer": customer.id}, {"idempotency_key": f"{key}-card"}
    )
    return Card(customer=customer.id, payment_method=attached.id)


async def customer_exists(gateway: StripeGateway, customer: str) -> bool:
    """Whether the processor still knows a customer; raises `stripe.StripeError` if it is away."""
    assert_no_transaction()
    try:
        found = await gateway.client.v1.customers.retrieve_async(customer)
    except stripe.InvalidRequestError:
        return False
    return not getattr(found, "deleted", False)


async def delete_customer(gateway: StripeGateway, customer: str) -> bool:
    """Have the processor delete a customer with their cards; False if it knows none (any more).

    Raises `ProcessorAway`. What the customer paid stays on record there.
    """
    assert_no_transaction()
    try:
        await gateway.client.v1.customers.delete_async(customer)
    except stripe.InvalidRequestError as error:
        if code_of(error) == "resource_missing":
            return False
        raise _not_deleted(customer, error) from error
    except stripe.StripeError as error:
        raise _not_deleted(customer, error) from error
    return True


def _not_deleted(customer: str, error: "stripe.StripeError") -> ProcessorAway:
    return ProcessorAway(
        f"The card processor did not delete the customer {customer} ({reason_of(error)}). "
        "Try again later, or delete it in the processor's dashboard."
    )


async def _intents(
    gateway: StripeGateway,
    created_from: datetime,
    customer: str | None,
    created_to: datetime | None = None,
) -> "AsyncIterator[stripe.PaymentIntent]":
    created = {"gte": int(created_from.timestamp())}
    if created_to is not None:
        created["lt"] = int(created_to.timestamp())
    parameters: Any = {"limit": PAGE, "created": created}
    if customer is not None:
        parameters["customer"] = customer
    more = True
    while more:
        page = await gateway.client.v1.payment_intents.list_async(parameters)
        for intent in page.data:
            yield intent
        more = page.has_more and bool(page.data)
        if more:
            parameters["starting_after"] = page.data[-1].id


def _subject_id(intent: "stripe.PaymentIntent") -> str | None:
    return metadata_of(intent).get("subject_id")


def _outcome_of_intent(intent: "stripe.PaymentIntent") -> Outcome:
    match intent.status:
        case "succeeded" if intent.latest_charge is not None:
            return Charged(
                intent_id=intent.id,
                charge_id=id_of(intent.latest_charge),
                amount_minor=intent.amount_received,
                currency=intent.currency.upper(),
                customer=id_of(intent.customer),
                subject_id=_subject_id(intent),
            )
        case "canceled":
            return Declined(code=_decline_code(intent.last_payment_error), intent_id=None)
        case "requires_payment_method":
            error = intent.last_payment_error
            if error is not None and error.code == "authentication_required":
                return NeedsAuthentication(intent_id=intent.id)
            return Declined(code=_decline_code(error), intent_id=intent.id)
        case "requires_action" | "requires_confirmation":
            return NeedsAuthentication(intent_id=intent.id)
        case status:
            return Unknown(reason=f"the intent is {status}")


def _outcome_of_error(error: "stripe.StripeError") -> Outcome:
    if not isinstance(error, stripe.CardError):
        return not_begun(error)
    code = code_of(error) or "unknown"
    intent = error.error.payment_intent if error.error else None
    intent_id = intent.id if intent is not None else None
    if code == "authentication_required" and intent_id is not None:
        return NeedsAuthentication(intent_id=intent_id)
    decline = (error.error.decline_code if error.error else None) or code
    return Declined(code=decline, intent_id=intent_id)


def _decline_code(error: Any) -> str:
    if error is None:
        return "canceled"
    return str(error.decline_code or error.code or "declined")
