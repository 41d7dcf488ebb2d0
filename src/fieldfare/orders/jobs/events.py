"""An event of the processor about a charge: what it tells of is looked up, never taken from it."""

from uuid import UUID

from fieldfare.db.pool import Connection, Database, connection, transaction
from fieldfare.integrations.stripe.errors import ProcessorAway
from fieldfare.integrations.stripe.gateway import StripeGateway, look_up_intent
from fieldfare.integrations.stripe.model import Charged, Event, Unknown
from fieldfare.kernel.ids import parse_id
from fieldfare.orders.jobs.bought import Bought, find_bought, settle_bought
from fieldfare.orders.jobs.disputing import DISPUTE_EVENTS, work_dispute_event
from fieldfare.orders.jobs.refunding import REFUND_EVENTS, work_refund_event
from fieldfare.payments.service.exceptions import open_exception_once
from fieldfare.payments.service.inbox import find_waiting_event, mark_done

TELLING_EVENTS = (
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "payment_intent.requires_action",
)


async def work_event(db: Database, gateway: StripeGateway, event_row: UUID) -> str:
    """An event of the inbox: what it tells about is looked up, never taken from the event."""
    async with connection(db) as conn:
        event = await find_waiting_event(conn, event_row)
    if event is None:
        return "done before"
    if event.kind in DISPUTE_EVENTS:
        return await work_dispute_event(db, gateway, event, event_row)
    if event.kind in REFUND_EVENTS:
        return await work_refund_event(db, gateway, event, event_row)
    if event.kind not in TELLING_EVENTS:
        return await _finish(db, event_row, "noted")
    said = "noted"
    bought = await _find_bought(db, event)
    if bought is not None and bought.is_pending:
        if not await settle_bought(db, gateway, bought, event_row=event_row):
            # What is still unknown has its timer; the event has told all that it could.
            return await _finish(db, event_row, "still unknown")
        said, bought = "settled", await _find_bought(db, event)
    if event.kind == "payment_intent.succeeded":
        return await _hold_against(db, gateway, event, event_row, bought)
    return await _finish(db, event_row, said)


async def _find_bought(db: Database, event: Event) -> Bought | None:
    """The order or top-up that an event's intent is for, by our metadata."""
    metadata = event.subject.get("metadata")
    tags = metadata if isinstance(metadata, dict) else {}
    subject_id = parse_id(str(tags.get("subject_id") or ""))
    if subject_id is None:
        return None
    async with connection(db) as conn:
        bought = await find_bought(conn, subject_id)
    return bought if bought is not None and bought.kind == tags.get("subject") else None


async def _finish(db: Database, event_row: UUID, said: str) -> str:
    async with transaction(db) as conn:
        await mark_done(conn, event_row)
    return said


async def _hold_against(
    db: Database,
    gateway: StripeGateway,
    event: Event,
    event_row: UUID,
    bought: Bought | None,
) -> str:
    """A charge must be its order's; any other goes on the list, with the event in one commit."""
    if bought is not None and bought.charge_id == event.subject.get("latest_charge"):
        return await _finish(db, event_row, "settled")
    outcome = await look_up_intent(gateway, str(event.subject.get("id")))
    if isinstance(outcome, Unknown):
        raise ProcessorAway(
            f"The card processor does not say what the intent of an event is ({outcome.reason}). "
            "The event is worked on again later."
        )
    async with transaction(db) as conn:
        if isinstance(outcome, Charged) and not is_settled_by(bought, outcome):
            await open_stray(conn, outcome)
        await mark_done(conn, event_row)
    return "noted"


def is_settled_by(bought: Bought | None, charged: Charged) -> bool:
    """Whether this very charge paid for the order or top-up."""
    return bought is not None and bought.charge_id == charged.charge_id


async def open_stray(conn: Connection, charged: Charged) -> None:
    """Put a charge that no order knows on the list of exceptions, however often seen, once."""
    detail = (
        f"{charged.amount_minor} {charged.currency} of customer {charged.customer}, "
        f"for {charged.subject_id or 'nothing that its metadata names'}"
    )
    await open_exception_once(conn, "charge_without_order", charged.charge_id, detail)
